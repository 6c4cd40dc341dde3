//! TPM structures made by hand, signed by keys that are no TPM's: for tests that break one thing.

use cairn_evidence::{AkPublic, Statement};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
pub(crate) const AK_ATTRIBUTES: u32 = 0x0005_0072;
pub(crate) const NONCE: [u8; 32] = [7; 32];

pub(crate) fn be16(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_be_bytes()
}

pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    [be16(bytes.len()).as_slice(), bytes].concat()
}

/// TPMT_PUBLIC of an ECDSA P-256 / SHA-256 key without a policy.
pub(crate) fn p256_public(attributes: u32, key: &p256::PublicKey) -> Vec<u8> {
    let point = key.to_sec1_bytes();
    let mut out = vec![0, 0x23, 0, 0x0b];
    out.extend(attributes.to_be_bytes());
    out.extend([0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10]);
    out.extend(sized(&point[1..33]));
    out.extend(sized(&point[33..65]));
    out
}

/// A key that pretends to be an attestation key.
pub(crate) struct Ak(pub(crate) SigningKey);

impl Ak {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn public_bytes(&self, attributes: u32) -> Vec<u8> {
        p256_public(attributes, &p256::PublicKey::from(self.0.verifying_key()))
    }

    pub(crate) fn public(&self) -> AkPublic {
        AkPublic::parse(&self.public_bytes(AK_ATTRIBUTES)).unwrap()
    }

    /// TPMT_SIGNATURE over the message.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        let bytes = signature.to_bytes();
        [&[0, 0x18, 0, 0x0b], sized(&bytes[..32]).as_slice(), &sized(&bytes[32..])].concat()
    }
}

/// A TPMS_ATTEST whose every field a test may change.
#[derive(Clone)]
pub(crate) struct Attest {
    pub(crate) magic: u32,
    pub(crate) kind: u16,
    pub(crate) nonce: Vec<u8>,
    pub(crate) clock: (u64, u32, u32, u8),
    /// TPMU_ATTEST.
    pub(crate) body: Vec<u8>,
}

impl Attest {
    pub(crate) fn quote(selection: &[(u16, &[u8])], digest: &[u8]) -> Self {
        let mut body = u32::try_from(selection.len()).unwrap().to_be_bytes().to_vec();
        for (bank, bitmap) in selection {
            body.extend(bank.to_be_bytes());
            body.push(u8::try_from(bitmap.len()).unwrap());
            body.extend(*bitmap);
        }
        body.extend(sized(digest));
        Self { magic: 0xff54_4347, kind: 0x8018, nonce: NONCE.to_vec(), clock: (1000, 3, 1, 1), body }
    }

    pub(crate) fn certify(name: &[u8]) -> Self {
        let body = [sized(name), sized(&[0; 34])].concat();
        Self { magic: 0xff54_4347, kind: 0x8017, nonce: NONCE.to_vec(), clock: (1000, 3, 1, 1), body }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (clock, resets, restarts, safe) = self.clock;
        [
            self.magic.to_be_bytes().as_slice(),
            &self.kind.to_be_bytes(),
            &sized(&[0; 34]),
            &sized(&self.nonce),
            &clock.to_be_bytes(),
            &resets.to_be_bytes(),
            &restarts.to_be_bytes(),
            &[safe],
            &0x2019_1023_0016_3636_u64.to_be_bytes(),
            &self.body,
        ]
        .concat()
    }

    pub(crate) fn signed(&self, ak: &Ak) -> Signed {
        let message = self.bytes();
        let signature = ak.sign(&message);
        Signed { message, signature }
    }
}

pub(crate) struct Signed {
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Signed {
    pub(crate) fn statement(&self) -> Statement<'_> {
        Statement { message: &self.message, signature: &self.signature }
    }
}
