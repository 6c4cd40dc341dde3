//! What a CertificateSigningRequest of the kubelet's signer asks for: PKCS#10 (RFC 2986), read strictly. The API server has
//! checked its signature before the object exists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_contract::Digest;
use serde_json::Value;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, pem};
use x509_cert::request::CertReq;

/// X.520: common name, organisation.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
/// Largest request, PEM.
const MAX_REQUEST: usize = 32 << 10;

/// Why a request is none that is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not PEM of a PKCS#10 request.
    #[error("it is no PKCS#10 request")]
    Malformed,
    /// Something else than common name and organisations in the subject, or more than one common name.
    #[error("its subject has other parts than one common name and organisations")]
    Subject,
    /// It asks for extensions, such as alternative names.
    #[error("it asks for extensions")]
    Extensions,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The user.
    pub common_name: String,
    /// The groups.
    pub organisations: Vec<String>,
    /// SHA-256 of the public key (SubjectPublicKeyInfo).
    pub key: Digest,
}

impl Request {
    /// From a CertificateSigningRequest object's `spec.request`.
    ///
    /// # Errors
    /// When it is not exactly what a kubelet asks for.
    pub fn of_object(csr: &Value) -> Result<Self, RequestError> {
        let text = csr.pointer("/spec/request").and_then(Value::as_str).ok_or(RequestError::Malformed)?;
        Self::of_pem(&STANDARD.decode(text).map_err(|_| RequestError::Malformed)?)
    }

    /// From PEM.
    ///
    /// # Errors
    /// As [`Request::of_object`].
    pub fn of_pem(text: &[u8]) -> Result<Self, RequestError> {
        if text.len() > MAX_REQUEST {
            return Err(RequestError::Malformed);
        }
        let (label, der) = pem::decode_vec(text).map_err(|_| RequestError::Malformed)?;
        if label != "CERTIFICATE REQUEST" {
            return Err(RequestError::Malformed);
        }
        let request = CertReq::from_der(&der).map_err(|_| RequestError::Malformed)?;
        if !request.info.attributes.is_empty() {
            return Err(RequestError::Extensions);
        }
        let key = request.info.public_key.to_der().map_err(|_| RequestError::Malformed)?;
        let (mut names, mut organisations) = (Vec::new(), Vec::new());
        for part in request.info.subject.iter() {
            let value = printable(&part.value).ok_or(RequestError::Subject)?;
            match part.oid {
                COMMON_NAME => names.push(value),
                ORGANISATION => organisations.push(value),
                _ => return Err(RequestError::Subject),
            }
        }
        let [common_name] = <[String; 1]>::try_from(names).map_err(|_| RequestError::Subject)?;
        Ok(Self { common_name, organisations, key: Digest::of(&key) })
    }
}

/// Go writes PrintableString where the characters allow it, else UTF8String.
fn printable(value: &x509_cert::der::Any) -> Option<String> {
    let printable = value.decode_as::<PrintableStringRef<'_>>().map(|s| s.as_str().to_owned());
    printable.or_else(|_| value.decode_as::<Utf8StringRef<'_>>().map(|s| s.as_str().to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn made(user: &str, group: &str, names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.distinguished_name.push(DnType::CommonName, user);
        params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap().into_bytes()
    }

    #[test]
    fn a_kubelets_request_is_read() {
        let read = Request::of_pem(&made("system:node:a", "system:nodes", &[])).unwrap();
        assert_eq!(read.common_name, "system:node:a");
        assert_eq!(read.organisations, ["system:nodes"]);
    }

    #[test]
    fn alternative_names_and_other_things_are_refused() {
        let named = made("system:node:a", "system:nodes", &["kubernetes.default"]);
        assert_eq!(Request::of_pem(&named), Err(RequestError::Extensions));
        assert_eq!(Request::of_pem(b"-----BEGIN CERTIFICATE-----"), Err(RequestError::Malformed));
        let mut cut = made("system:node:a", "system:nodes", &[]);
        cut.truncate(200);
        assert_eq!(Request::of_pem(&cut), Err(RequestError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..400) {
            let _ = Request::of_pem(&bytes);
            let mut der = pem::decode_vec(&made("system:node:a", "g", &[])).unwrap().1;
            let at = at % der.len();
            der[at] = der[at].wrapping_add(1);
            let text = pem::encode_string("CERTIFICATE REQUEST", pem::LineEnding::LF, &der).unwrap();
            let _ = Request::of_pem(text.as_bytes());
        }
    }
}
