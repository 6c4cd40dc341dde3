//! TPMT_PUBLIC, the public area of a TPM key: parsed, named, and turned into a SubjectPublicKeyInfo.
//! Not a judgement: which attributes a key must have is said by `ek`, `ak` and `certify`.

use std::fmt;

use rsa::pkcs8::EncodePublicKey as _;
use rsa::{BigUint, RsaPublicKey};
use sha2::{Digest as _, Sha384};

use crate::Digest;
use crate::digest::hex;
use crate::wire::{Malformed, Reader};

pub(crate) const ALG_RSA: u16 = 0x0001;
pub(crate) const ALG_AES: u16 = 0x0006;
pub(crate) const ALG_SHA256: u16 = 0x000b;
pub(crate) const ALG_SHA384: u16 = 0x000c;
pub(crate) const ALG_NULL: u16 = 0x0010;
pub(crate) const ALG_RSASSA: u16 = 0x0014;
const ALG_RSAES: u16 = 0x0015;
pub(crate) const ALG_ECDSA: u16 = 0x0018;
const ALG_ECDAA: u16 = 0x001a;
pub(crate) const ALG_ECC: u16 = 0x0023;
pub(crate) const ALG_CFB: u16 = 0x0043;

/// Bits of TPMA_OBJECT (TPM 2.0 Part 2, 8.3).
pub(crate) mod attribute {
    pub(crate) const FIXED_TPM: u32 = 1 << 1;
    pub(crate) const FIXED_PARENT: u32 = 1 << 4;
    pub(crate) const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
    pub(crate) const USER_WITH_AUTH: u32 = 1 << 6;
    pub(crate) const ADMIN_WITH_POLICY: u32 = 1 << 7;
    pub(crate) const ENCRYPTED_DUPLICATION: u32 = 1 << 11;
    pub(crate) const RESTRICTED: u32 = 1 << 16;
    pub(crate) const DECRYPT: u32 = 1 << 17;
    pub(crate) const SIGN: u32 = 1 << 18;
    pub(crate) const X509_SIGN: u32 = 1 << 19;

    /// The specification's name of the lowest set bit.
    pub(crate) fn name_of_lowest(bits: u32) -> &'static str {
        match 1_u32.checked_shl(bits.trailing_zeros()).unwrap_or(0) {
            FIXED_TPM => "fixedTPM",
            FIXED_PARENT => "fixedParent",
            SENSITIVE_DATA_ORIGIN => "sensitiveDataOrigin",
            USER_WITH_AUTH => "userWithAuth",
            ADMIN_WITH_POLICY => "adminWithPolicy",
            ENCRYPTED_DUPLICATION => "encryptedDuplication",
            RESTRICTED => "restricted",
            DECRYPT => "decrypt",
            SIGN => "sign",
            X509_SIGN => "x509sign",
            _ => "a reserved attribute",
        }
    }
}

/// The Name of a TPM object: its name algorithm and the digest of its public area (TPM 2.0 Part 1, 16).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The bytes, as the TPM writes them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// The numbers of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Rsa { bits: u16, key: RsaPublicKey },
    P256 { x: [u8; 32], y: [u8; 32] },
    P384 { x: [u8; 48], y: [u8; 48] },
}

/// A parsed public area. `raw` is what its Name is computed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Public {
    raw: Vec<u8>,
    pub(crate) name_alg: u16,
    pub(crate) attributes: u32,
    pub(crate) policy: Vec<u8>,
    /// Algorithm, key bits and mode; `None` for TPM_ALG_NULL.
    pub(crate) symmetric: Option<(u16, u16, u16)>,
    /// Signing or encryption scheme and its hash; `None` for TPM_ALG_NULL.
    pub(crate) scheme: Option<(u16, u16)>,
    pub(crate) key: Key,
}

impl Public {
    /// Reads a TPMT_PUBLIC, with or without the size of a TPM2B_PUBLIC before it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let raw = match bytes.split_first_chunk::<2>() {
            Some((size, rest)) if usize::from(u16::from_be_bytes(*size)) == rest.len() => rest,
            _ => bytes,
        };
        let mut reader = Reader::new(raw);
        let kind = reader.u16("key type")?;
        let name_alg = reader.u16("name algorithm")?;
        if !matches!(name_alg, ALG_SHA256 | ALG_SHA384) {
            return Err(Malformed::Unexpected { field: "name algorithm", value: name_alg.into() });
        }
        let attributes = reader.u32("object attributes")?;
        let policy = reader.sized(64, "authorization policy")?.to_vec();
        let symmetric = read_symmetric(&mut reader)?;
        let scheme = read_scheme(&mut reader)?;
        let key = match kind {
            ALG_RSA => read_rsa(&mut reader)?,
            ALG_ECC => read_ecc(&mut reader)?,
            other => return Err(Malformed::Unexpected { field: "key type", value: other.into() }),
        };
        reader.finish()?;
        Ok(Self { raw: raw.to_vec(), name_alg, attributes, policy, symmetric, scheme, key })
    }

    pub(crate) fn name(&self) -> Name {
        let mut name = self.name_alg.to_be_bytes().to_vec();
        if self.name_alg == ALG_SHA384 {
            name.extend_from_slice(&Sha384::digest(&self.raw));
        } else {
            name.extend_from_slice(&Digest::of(&self.raw).0);
        }
        Name(name)
    }

    /// DER SubjectPublicKeyInfo (RFC 5280; RFC 3279 for RSA, RFC 5480 for curves).
    pub(crate) fn spki_der(&self) -> Vec<u8> {
        match &self.key {
            Key::Rsa { key, .. } => {
                key.to_public_key_der().expect("a valid RSA key has an encoding").into_vec()
            }
            Key::P256 { x, y } => [P256_SPKI, x.as_slice(), y].concat(),
            Key::P384 { x, y } => [P384_SPKI, x.as_slice(), y].concat(),
        }
    }
}

/// All of a SubjectPublicKeyInfo before the coordinates, which have a fixed length.
const P256_SPKI: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
const P384_SPKI: &[u8] =
    b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00\x04";

fn read_symmetric(reader: &mut Reader<'_>) -> Result<Option<(u16, u16, u16)>, Malformed> {
    match reader.u16("symmetric algorithm")? {
        ALG_NULL => Ok(None),
        alg => Ok(Some((alg, reader.u16("symmetric key bits")?, reader.u16("symmetric mode")?))),
    }
}

fn read_scheme(reader: &mut Reader<'_>) -> Result<Option<(u16, u16)>, Malformed> {
    match reader.u16("scheme")? {
        ALG_NULL => Ok(None),
        ALG_RSAES => Ok(Some((ALG_RSAES, ALG_NULL))),
        ALG_ECDAA => {
            let hash = reader.u16("scheme hash")?;
            reader.u16("scheme count")?;
            Ok(Some((ALG_ECDAA, hash)))
        }
        scheme => Ok(Some((scheme, reader.u16("scheme hash")?))),
    }
}

fn read_rsa(reader: &mut Reader<'_>) -> Result<Key, Malformed> {
    let bits = reader.u16("rsa key bits")?;
    if !matches!(bits, 2048 | 3072 | 4096) {
        return Err(Malformed::Unexpected { field: "rsa key bits", value: bits.into() });
    }
    // Zero stands for the default exponent 65537 (Part 2, 12.2.3.5); no template uses another.
    let exponent = reader.u32("rsa exponent")?;
    if !matches!(exponent, 0 | 65537) {
        return Err(Malformed::Unexpected { field: "rsa exponent", value: exponent.into() });
    }
    let modulus = reader.sized(512, "rsa modulus")?;
    let full_length =
        modulus.len() == usize::from(bits / 8) && modulus.first().is_some_and(|byte| byte & 0x80 != 0);
    let odd = modulus.last().is_some_and(|byte| byte & 1 == 1);
    if !full_length || !odd {
        return Err(Malformed::Key);
    }
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from(65537_u32))
        .map_err(|_| Malformed::Key)?;
    Ok(Key::Rsa { bits, key })
}

fn read_ecc(reader: &mut Reader<'_>) -> Result<Key, Malformed> {
    let curve = reader.u16("curve")?;
    if reader.u16("key derivation scheme")? != ALG_NULL {
        reader.u16("key derivation hash")?;
    }
    match curve {
        0x0003 => {
            let (x, y) = (read_coordinate(reader)?, read_coordinate(reader)?);
            p256_point(&x, &y)?;
            Ok(Key::P256 { x, y })
        }
        0x0004 => Ok(Key::P384 { x: read_coordinate(reader)?, y: read_coordinate(reader)? }),
        other => Err(Malformed::Unexpected { field: "curve", value: other.into() }),
    }
}

/// A TPM2B_ECC_PARAMETER or a half of a signature; leading zeros may have been dropped.
pub(crate) fn read_coordinate<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], Malformed> {
    let given = reader.sized(N, "curve number")?;
    let mut full = [0; N];
    for (to, from) in full.iter_mut().rev().zip(given.iter().rev()) {
        *to = *from;
    }
    Ok(full)
}

/// The point with these coordinates, if it is on the curve.
pub(crate) fn p256_point(x: &[u8; 32], y: &[u8; 32]) -> Result<p256::PublicKey, Malformed> {
    p256::PublicKey::from_sec1_bytes(&sec1(x, y)).map_err(|_| Malformed::Key)
}

/// The uncompressed SEC1 form of a P-256 point: 04, x, y.
pub(crate) fn sec1(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(y)) {
        *to = *from;
    }
    point
}
