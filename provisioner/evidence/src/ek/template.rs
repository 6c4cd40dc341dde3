//! The TCG's templates of endorsement keys. A key that follows one has attributes and a policy that are known, so that
//! only TPM2_ActivateCredential with the endorsement authorization can use it, and only inside this TPM.

use crate::public::{ALG_AES, ALG_CFB, ALG_SHA256, ALG_SHA384, Key, Public};

/// fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt.
const LOW: u32 = 0x0003_00b2;
/// The same and userWithAuth.
const HIGH: u32 = 0x0003_00f2;

/// PolicySecret(TPM_RH_ENDORSEMENT).
const POLICY_A_SHA256: &[u8] = &[
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd,
    0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];
/// PolicyOR of that and PolicyAuthorizeNV.
const POLICY_B_SHA256: &[u8] = &[
    0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24, 0x14, 0xef, 0xcf, 0xb3, 0xa3,
    0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0,
];
const POLICY_B_SHA384: &[u8] = &[
    0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a, 0x07,
    0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47,
    0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
];

/// A template by its name in the EK Credential Profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Template {
    /// RSA-2048, low range.
    L1,
    /// P-256, low range.
    L2,
    /// RSA-2048, high range.
    H1,
    /// P-256, high range.
    H2,
    /// P-384, high range: known by its hash, but no credential can be made for it here.
    H3,
}

impl Template {
    pub(super) fn of(public: &Public) -> Option<Self> {
        let low = public.attributes == LOW && public.policy == POLICY_A_SHA256;
        let high = public.attributes == HIGH && public.policy == POLICY_B_SHA256;
        let weak = public.name_alg == ALG_SHA256 && public.symmetric == Some((ALG_AES, 128, ALG_CFB));
        let strong = public.name_alg == ALG_SHA384 && public.symmetric == Some((ALG_AES, 256, ALG_CFB));
        if public.scheme.is_some() {
            return None;
        }
        match &public.key {
            Key::Rsa { bits: 2048, .. } if low && weak => Some(Self::L1),
            Key::P256 { .. } if low && weak => Some(Self::L2),
            Key::Rsa { bits: 2048, .. } if high && weak => Some(Self::H1),
            Key::P256 { .. } if high && weak => Some(Self::H2),
            Key::P384 { .. } if public.attributes == HIGH && public.policy == POLICY_B_SHA384 && strong => {
                Some(Self::H3)
            }
            _ => None,
        }
    }
}
