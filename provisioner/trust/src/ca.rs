//! Certificates that the site issues: servers at each start, hosts for 24 h after proof (attestation.md rule 17).

use std::net::IpAddr;

use cairn_contract::{HostId, SERVER_NAME, Timestamp};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyUsagePurpose, SanType, SerialNumber,
    SubjectPublicKeyInfo,
};
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use crate::keys::{Certified, KeyError, moment, random};

/// Seconds that a host's certificate lives.
pub const HOST_CERTIFICATE_S: u32 = 24 * 3600;

/// Server certificates begin here, so that a host whose clock lags is not locked out.
pub(crate) fn long_ago() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_577_836_800).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A server certificate for `key` with [`SERVER_NAME`], the extra DNS names and the address, leaf first then its CA.
pub fn issue_server(
    ca: &Certified,
    key: &impl rcgen::PublicKeyData,
    names: &[String],
    address: IpAddr,
    now: Timestamp,
) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    let mut dns = vec![SERVER_NAME.to_owned()];
    dns.extend_from_slice(names);
    let mut params = CertificateParams::new(dns)?;
    params.subject_alt_names.push(SanType::IpAddress(address));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    params.not_before = long_ago();
    params.not_after = moment(now) + Duration::days(825);
    params.serial_number = Some(serial());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuer = Issuer::from_ca_cert_der(&ca.certificate, &ca.key)?;
    let leaf = params.signed_by(key, &issuer)?;
    Ok(vec![leaf.der().clone(), ca.certificate.clone()])
}

/// A host's certificate: its TPM's TLS key, one URI SAN (`spiffe://SITE/host/ID`), client authentication only.
pub fn issue_host(
    ca: &Certified,
    site: &str,
    host: HostId,
    spki: &[u8],
    now: Timestamp,
) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(host_uri(site, host).try_into()?)];
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, host.to_string());
    params.not_before = moment(now) - Duration::hours(1);
    params.not_after = moment(now) + Duration::seconds(i64::from(HOST_CERTIFICATE_S));
    params.serial_number = Some(serial());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let issuer = Issuer::from_ca_cert_der(&ca.certificate, &ca.key)?;
    let leaf = params.signed_by(&SubjectPublicKeyInfo::from_der(spki)?, &issuer)?;
    Ok(vec![leaf.der().clone(), ca.certificate.clone()])
}

/// Who a client certificate says it is. Call it on certificates that TLS verified against the site CA only.
pub fn host_of(certificate: &CertificateDer<'_>, site: &str) -> Option<HostId> {
    use x509_cert::{Certificate, der::Decode, ext::pkix::SubjectAltName, ext::pkix::name::GeneralName};
    let certificate = Certificate::from_der(certificate).ok()?;
    let (_, san) = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok()??;
    san.0.iter().find_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => {
            uri.as_str().strip_prefix(&host_prefix(site))?.parse().ok()
        }
        _ => None,
    })
}

fn host_uri(site: &str, host: HostId) -> String {
    format!("{}{host}", host_prefix(site))
}

fn serial() -> SerialNumber {
    let mut bytes = random()[..16].to_vec();
    // Positive and never zero (RFC 5280 §4.1.2.2).
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn host_prefix(site: &str) -> String {
    format!("spiffe://{site}/host/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};

    #[test]
    fn a_host_certificate_names_its_host() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let ca = Certified { key, certificate };
        let tls = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let host = HostId(uuid::Uuid::from_u128(7));
        let spki = tls.subject_public_key_info();
        let chain = issue_host(&ca, "lab", host, &spki, Timestamp(1_790_000_000_000)).unwrap();
        assert_eq!(host_of(&chain[0], "lab"), Some(host));
        assert_eq!(host_of(&chain[0], "other"), None);
        assert_eq!(host_of(&chain[1], "lab"), None);
    }
}
