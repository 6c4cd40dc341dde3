//! DHE-RSA for TLS 1.2 over FFDHE2048 (RFC 7919), which rustls's core knows and its providers lack. It exists for
//! firmware without elliptic curves and is offered to nobody else.
//!
//! The group is a safe prime's: a peer value in `2..=p-2` is of order q or 2q, so the range check of RFC 7919 5.1 and a
//! fresh exponent for each handshake leave no small subgroup to be confined to.

use std::sync::LazyLock;

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U256, U2048};
use rustls::crypto::ring::cipher_suite as ring_suites;
use rustls::crypto::{
    ActiveKeyExchange, CipherSuiteCommon, GetRandomFailed, KeyExchangeAlgorithm, SharedSecret,
    SupportedKxGroup,
};
use rustls::ffdhe_groups::{FFDHE2048, FfdheGroup};
use rustls::{
    CipherSuite, Error, NamedGroup, PeerMisbehaved, ProtocolVersion, SupportedCipherSuite, Tls12CipherSuite,
};
use zeroize::{Zeroize, Zeroizing};

const LEN: usize = 256;
type Number = U2048;

static PARAMS: LazyLock<FixedMontyParams<{ Number::LIMBS }>> = LazyLock::new(|| {
    let p = Number::from_be_slice(FFDHE2048.p);
    FixedMontyParams::new(Odd::new(p).expect("the modulus of FFDHE2048 is odd"))
});

/// The cipher suites, strongest first.
pub static SUITES: [SupportedCipherSuite; 2] =
    [SupportedCipherSuite::Tls12(&DHE_AES256), SupportedCipherSuite::Tls12(&DHE_AES128)];

/// The one group.
pub static GROUP: &dyn SupportedKxGroup = &Ffdhe2048;

static DHE_AES256: Tls12CipherSuite = with_dhe(
    &ring_suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
);
static DHE_AES128: Tls12CipherSuite = with_dhe(
    &ring_suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
);

/// A suite that differs from ring's only in its key exchange.
const fn with_dhe(like: &SupportedCipherSuite, suite: CipherSuite) -> Tls12CipherSuite {
    match like {
        SupportedCipherSuite::Tls12(ring) => Tls12CipherSuite {
            common: CipherSuiteCommon { suite, ..ring.common },
            kx: KeyExchangeAlgorithm::DHE,
            ..**ring
        },
        SupportedCipherSuite::Tls13(_) => panic!("a TLS 1.2 suite is passed, at compile time"),
    }
}

#[derive(Debug)]
struct Ffdhe2048;

/// An exponent and its public value. The exponent has 256 bits: RFC 7919 A.1 wants at least 225.
struct Active {
    exponent: Zeroizing<[u8; 32]>,
    public: [u8; LEN],
}

impl SupportedKxGroup for Ffdhe2048 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut exponent = Zeroizing::new([0; 32]);
        getrandom::fill(exponent.as_mut_slice()).map_err(|_| Error::from(GetRandomFailed))?;
        let public = power(&Number::from_be_slice(&padded(FFDHE2048.g)), &exponent);
        Ok(Box::new(Active { exponent, public: *public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(FFDHE2048)
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::FFDHE2048
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_2
    }
}

impl ActiveKeyExchange for Active {
    /// The secret at full length; rustls strips leading zeros for TLS 1.2 (RFC 5246 8.1.2).
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = in_range(peer).ok_or(Error::from(PeerMisbehaved::InvalidKeyShare))?;
        let secret = power(&peer, &self.exponent);
        Ok(SharedSecret::from(secret.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(FFDHE2048)
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::FFDHE2048
    }
}

/// `base ^ exponent mod p`, in constant time for the exponent.
fn power(base: &Number, exponent: &[u8; 32]) -> Zeroizing<[u8; LEN]> {
    let mut exponent = U256::from_be_slice(exponent);
    let mut result = FixedMontyForm::new(base, &PARAMS).pow(&exponent).retrieve();
    exponent.zeroize();
    let mut bytes = Zeroizing::new([0; LEN]);
    bytes.copy_from_slice(result.to_be_bytes().as_ref());
    result.zeroize();
    bytes
}

/// A peer's value, when it is `2..=p-2`. It is public, so the comparison need not hide it.
fn in_range(value: &[u8]) -> Option<Number> {
    if value.is_empty() || value.len() > LEN {
        return None;
    }
    let value = Number::from_be_slice(&padded(value));
    let least = Number::from(2_u8);
    let most = Number::from_be_slice(FFDHE2048.p).wrapping_sub(&least);
    (value >= least && value <= most).then_some(value)
}

/// Big-endian bytes at full length. The input has at most [`LEN`] bytes.
fn padded(bytes: &[u8]) -> [u8; LEN] {
    let mut out = [0; LEN];
    let from = LEN.saturating_sub(bytes.len());
    for (to, byte) in out.iter_mut().skip(from).zip(bytes) {
        *to = *byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::Digest;
    use rustls::version::TLS12;

    fn ascending() -> [u8; 32] {
        std::array::from_fn(|at| u8::try_from(at + 1).unwrap())
    }

    /// The answers were computed with Python's integers, which share no code with this.
    #[test]
    fn known_powers_of_the_generator() {
        let mut one_bits = [0; 32];
        (one_bits[0], one_bits[31]) = (0x80, 1);
        for (exponent, answer) in [
            (ascending(), "53b37a098c5882b9f56495d787706d354ac8ebc273e680a7047c70228ce24ad3"),
            ([0xff; 32], "89b4dcef3d74d62f2383f9c89374e9a9ee510de2192c6c3f23a1a3496eea2c1e"),
            (one_bits, "5dfa7f2b9a6f6f707b238f9637eb52e0e10154a21c12e9b969bb18be319b2b20"),
        ] {
            let public = power(&Number::from_be_slice(&padded(FFDHE2048.g)), &exponent);
            assert_eq!(Digest::of(public.as_slice()).to_string(), answer);
        }
    }

    #[test]
    fn the_shared_secret_is_the_known_one() {
        let active = |exponent: [u8; 32]| Active {
            exponent: Zeroizing::new(exponent),
            public: *power(&Number::from_be_slice(&padded(FFDHE2048.g)), &exponent),
        };
        let (one, other) = (active(ascending()), active([0xff; 32]));
        let secret = Box::new(active(ascending())).complete(&other.public).unwrap();
        let answer = "f6497227a47ded7a565aca37a9ef9279ecfb422aad92d93cf4022200a3990b27";
        assert_eq!(Digest::of(secret.secret_bytes()).to_string(), answer);
        assert_eq!(Box::new(other).complete(&one.public).unwrap().secret_bytes(), secret.secret_bytes());
    }

    #[test]
    fn leading_zeros_are_stripped_for_tls_1_2_only() {
        let mut exponent = [0; 32];
        (exponent[0], exponent[31]) = (0x80, 133);
        let peer = power(&Number::from_be_slice(&padded(FFDHE2048.g)), &exponent);
        let active = || Box::new(Active { exponent: Zeroizing::new(ascending()), public: [0; LEN] });
        let whole = active().complete(peer.as_slice()).unwrap();
        let answer = "47d487a102d909b7e64a2d41fdb813a050270f03e9125159636d15ba5f4b1a15";
        assert_eq!(Digest::of(whole.secret_bytes()).to_string(), answer);
        assert_eq!((whole.secret_bytes().len(), whole.secret_bytes()[0]), (LEN, 0));
        let stripped = active().complete_for_tls_version(peer.as_slice(), &TLS12).unwrap();
        assert_ne!(stripped.secret_bytes()[0], 0);
        assert!(whole.secret_bytes().ends_with(stripped.secret_bytes()));
    }

    #[test]
    fn values_outside_of_the_group_are_refused() {
        let p = Number::from_be_slice(FFDHE2048.p);
        let less = |n: u8| p.wrapping_sub(&Number::from(n)).to_be_bytes().as_ref().to_vec();
        let refused =
            [vec![], vec![0], vec![1], vec![0; LEN], less(1), less(0), vec![0xff; LEN], vec![1; LEN + 1]];
        for value in refused {
            assert!(in_range(&value).is_none(), "{value:02x?}");
        }
        assert!(in_range(&[2]).is_some());
        assert!(in_range(&less(2)).is_some());
    }

    #[test]
    fn each_exchange_has_its_own_key_and_both_ends_agree() {
        let (a, b) = (GROUP.start().unwrap(), GROUP.start().unwrap());
        assert_ne!(a.pub_key(), b.pub_key());
        let (to_a, to_b) = (b.pub_key().to_vec(), a.pub_key().to_vec());
        assert_eq!(a.complete(&to_a).unwrap().secret_bytes(), b.complete(&to_b).unwrap().secret_bytes());
    }
}
