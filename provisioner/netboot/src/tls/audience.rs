//! Who opens a TLS connection, by its ClientHello alone.

use cairn_contract::ALPN_HOST;
use rustls::server::ClientHello;
use rustls::{CipherSuite, NamedGroup};

/// Whether firmware was built with elliptic curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curves {
    /// It can do ECDHE with P-256.
    Has,
    /// It offers DHE and RSA only (OVMF before 2025.05): it needs the DHE configuration.
    None,
}

/// Who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// UEFI or iPXE: no ALPN and no TLS 1.3.
    Firmware {
        /// Its ability.
        curves: Curves,
    },
    /// Our installer or agent, by its ALPN.
    Host,
    /// Browsers and tools.
    People,
}

/// What a ClientHello offers, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// ALPN names, if the extension was sent.
    pub alpn: Option<&'a [&'a [u8]]>,
    /// Cipher suites.
    pub suites: &'a [CipherSuite],
    /// Groups, if the extension was sent.
    pub groups: Option<&'a [NamedGroup]>,
}

/// Who sends this ClientHello.
pub fn classify(hello: &ClientHello<'_>) -> Audience {
    let alpn: Option<Vec<&[u8]>> = hello.alpn().map(Iterator::collect);
    Offer { alpn: alpn.as_deref(), suites: hello.cipher_suites(), groups: hello.named_groups() }.audience()
}

impl Offer<'_> {
    /// Who offers this.
    pub fn audience(&self) -> Audience {
        let is_tls13 = |suite: &CipherSuite| (0x1301..=0x1305).contains(&u16::from(*suite));
        match self.alpn {
            Some(names) if names.contains(&ALPN_HOST) => Audience::Host,
            Some(_) => Audience::People,
            None if self.suites.iter().any(is_tls13) => Audience::People,
            None => Audience::Firmware { curves: self.curves() },
        }
    }

    /// P-256 is the one curve that EDK2 and iPXE share. Groups may be left out with ECDHE suites (RFC 8422 4).
    fn curves(&self) -> Curves {
        let ecdhe = [
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ];
        let has_suite = self.suites.iter().any(|suite| ecdhe.contains(suite));
        let has_group = self.groups.is_none_or(|groups| groups.contains(&NamedGroup::secp256r1));
        if has_suite && has_group { Curves::Has } else { Curves::None }
    }
}
