//! TPM2_MakeCredential in software (TPM 2.0 Part 1, section 24): a secret that only the TPM holding this endorsement key
//! can read, and only if the attestation key with this Name lives in it too. A host that shows that it has the secret has
//! proven both; single use, expiry and the session are the caller's (attestation rule 7).
//!
//! ```text
//! seed --OAEP or ECDH to the EK--> encrypted secret
//!   |--KDFa STORAGE, AK's Name --> AES-128-CFB key --> encrypted identity --+
//!   `--KDFa INTEGRITY -----------> HMAC key --> HMAC over it and the Name --+--> id object
//! ```

use aes::Aes128;
use cfb_mode::cipher::KeyIvInit as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::elliptic_curve::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rsa::rand_core;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Digest;
use crate::ek::EkPublic;
use crate::public::{Key, Name, p256_point};
use crate::wire::sized;

/// Fresh random bytes for one credential: the seed, and what hides it.
pub const ENTROPY: usize = 64;

/// What is sent to the host for TPM2_ActivateCredential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// TPM2B_ID_OBJECT.
    pub id_object: Vec<u8>,
    /// TPM2B_ENCRYPTED_SECRET.
    pub encrypted_secret: Vec<u8>,
}

/// Why no credential can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The key is known by its hash only.
    #[error("no credential can be made for an endorsement key of this kind")]
    Key,
    /// A secret is at most as long as the EK's name digest.
    #[error("a credential holds 1 to 32 bytes, not {0}")]
    Secret(usize),
    /// The arithmetic of the key refused.
    #[error("the endorsement key does not encrypt")]
    Encrypt,
}

/// Makes a credential that carries `secret` to the TPM of `ek`, for the attestation key called `ak`.
/// `entropy` must be fresh: with it, the secret can be read.
pub fn make(
    ek: &EkPublic,
    ak: &Name,
    secret: &[u8],
    entropy: &[u8; ENTROPY],
) -> Result<Credential, CredentialError> {
    if secret.is_empty() || secret.len() > 32 {
        return Err(CredentialError::Secret(secret.len()));
    }
    let (seed, encrypted_secret) = match ek.key() {
        Key::Rsa { bits: 2048, key } => encrypt_rsa(key, entropy)?,
        Key::P256 { x, y } => agree_p256((x, y), entropy)?,
        Key::Rsa { .. } | Key::P384 { .. } => return Err(CredentialError::Key),
    };
    let storage = kdfa(&seed, b"STORAGE\0", ak.as_bytes(), 128);
    let mut identity = sized(secret);
    cfb_mode::Encryptor::<Aes128>::new_from_slices(storage.split_at(16).0, &[0; 16])
        .expect("AES-128 takes 16 bytes")
        .encrypt(&mut identity);
    let integrity = kdfa(&seed, b"INTEGRITY\0", &[], 256);
    let hmac = hmac(integrity.as_slice(), &[&identity, ak.as_bytes()]);
    let id_object = sized(&[sized(&hmac), identity].concat());
    Ok(Credential { id_object, encrypted_secret: sized(&encrypted_secret) })
}

/// A seed and what it becomes on its way to the TPM.
type Sent = (Zeroizing<[u8; 32]>, Vec<u8>);

/// OAEP with SHA-256 and the label "IDENTITY", whose zero belongs to it (Part 1, B.10.4).
fn encrypt_rsa(key: &rsa::RsaPublicKey, entropy: &[u8; ENTROPY]) -> Result<Sent, CredentialError> {
    let (mut seed, mut hiding) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    seed.iter_mut().chain(hiding.iter_mut()).zip(entropy).for_each(|(to, from)| *to = *from);
    let padding = rsa::Oaep::new_with_label::<sha2_legacy::Sha256, _>("IDENTITY\0");
    let encrypted = key.encrypt(&mut Given { seed: hiding, block: 0 }, padding, seed.as_slice());
    Ok((seed, encrypted.map_err(|_| CredentialError::Encrypt)?))
}

/// An ephemeral key's point, and the seed that both sides derive: KDFe over the shared x (Part 1, C.6.3 and 11.4.10.3).
fn agree_p256((x, y): (&[u8; 32], &[u8; 32]), entropy: &[u8; ENTROPY]) -> Result<Sent, CredentialError> {
    let ek = p256_point(x, y).map_err(|_| CredentialError::Encrypt)?;
    // A digest is no scalar once in 2^32 times.
    let ephemeral = (0..=u8::MAX)
        .find_map(|round| p256::SecretKey::from_slice(&Digest::of_parts(&[entropy, &[round]]).0).ok())
        .ok_or(CredentialError::Encrypt)?;
    let shared = diffie_hellman(ephemeral.to_nonzero_scalar(), ek.as_affine());
    let point = ephemeral.public_key().to_sec1_point(false);
    let (Some(ours), Some(our_y)) = (point.x(), point.y()) else { return Err(CredentialError::Encrypt) };
    let seed = Digest::of_parts(&[&[0, 0, 0, 1], shared.raw_secret_bytes(), b"IDENTITY\0", ours, x]);
    Ok((Zeroizing::new(seed.0), [sized(ours), sized(our_y)].concat()))
}

/// KDFa with SHA-256 (Part 1, 11.4.10.2), one block: at most 256 bits. `label` ends with its zero.
fn kdfa(key: &[u8; 32], label: &[u8], context: &[u8], bits: u32) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hmac(key, &[&[0, 0, 0, 1], label, context, &bits.to_be_bytes()]))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The caller's randomness in the form that OAEP asks for: SHA-256 of it and a counter.
struct Given {
    seed: Zeroizing<[u8; 32]>,
    block: u64,
}

impl rand_core::CryptoRng for Given {}

impl rand_core::RngCore for Given {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = Digest::of_parts(&[self.seed.as_slice(), &self.block.to_be_bytes()]);
            self.block = self.block.wrapping_add(1);
            chunk.iter_mut().zip(block.0).for_each(|(to, from)| *to = from);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}
