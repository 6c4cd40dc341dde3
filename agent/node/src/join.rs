//! How a joining host finds its cluster: reads `kube-public/cluster-info` without trust, checks the token's signature (detached
//! JWS, HS256, RFC 7515 appendix F) and the pin of the CA's key, then reads it again over TLS that this CA vouches for. As
//! kubeadm does.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cairn_contract::Digest;
use cairn_contract::workload::Join;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _, pem};

use crate::control::api::{Api, ApiError};
use crate::control::csr::Request;
use crate::failure::Failure;
use crate::secrets::Token;

const INFO: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
const CSRS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

/// The cluster's CA, PEM, checked by token and pin.
pub(crate) async fn discover(join: &Join, token: &Token) -> Result<String, Failure> {
    let url = format!("https://{}", join.endpoint);
    let unknown = Api::anonymous(&url, None).map_err(|e| unreachable(join, &e))?;
    let info = unknown.get(INFO).await.map_err(|e| unreachable(join, &e))?;
    let ca = ca_of(&info, join, token)?;
    let trusted = Api::anonymous(&url, Some(&ca)).map_err(|e| unreachable(join, &e))?;
    let again = trusted.get(INFO).await.map_err(|e| unreachable(join, &e))?;
    if ca_of(&again, join, token)? != ca {
        return Err(Failure::new(
            "DiscoveryChanged",
            "cluster-info changed while it was read; it is read again",
        ));
    }
    Ok(ca)
}

fn unreachable(join: &Join, error: &ApiError) -> Failure {
    let message = Failure::of("", error).message;
    Failure::new(
        "EndpointUnreachable",
        format!("the API server at {} does not answer: {message}", join.endpoint),
    )
}

/// Checks `info`, a ConfigMap or nothing.
fn ca_of(info: &Option<Value>, join: &Join, token: &Token) -> Result<String, Failure> {
    let text = |key: &str| info.as_ref().and_then(|i| i.pointer(&format!("/data/{key}"))?.as_str());
    let absent = || Failure::new("DiscoveryAbsent", "the control plane has no cluster-info yet");
    let kubeconfig = text("kubeconfig").ok_or_else(absent)?;
    let signature = text(&format!("jws-kubeconfig-{}", token.id)).ok_or_else(|| unknown(token))?;
    if !bool::from(signature.as_bytes().ct_eq(sign(kubeconfig, token).as_bytes())) {
        let why = "cluster-info is not signed with this host's token: another cluster answers, or the token is another one";
        return Err(Failure::new("SignatureMismatch", why));
    }
    let broken = || Failure::new("DiscoveryBroken", "cluster-info holds no kubeconfig with a CA");
    let ca = ca_in(kubeconfig).ok_or_else(broken)?;
    let pin = pin_of(&ca).ok_or_else(broken)?;
    if pin != join.ca_pin {
        let why = format!("the cluster's CA has the pin {pin} instead of {}", join.ca_pin);
        return Err(Failure::new("PinMismatch", why));
    }
    Ok(ca)
}

fn unknown(token: &Token) -> Failure {
    let why = format!(
        "the control plane does not know the token {}: it was used, ran out, or is not there yet; the provisioner makes another",
        token.id
    );
    Failure::new("TokenUnknown", why)
}

/// The CA certificate in a kubeconfig, PEM.
fn ca_in(kubeconfig: &str) -> Option<String> {
    let read = kube::config::Kubeconfig::from_yaml(kubeconfig).ok()?;
    let data = read.clusters.first()?.cluster.as_ref()?.certificate_authority_data.clone()?;
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// `sha256:<hex>` of the public key (SubjectPublicKeyInfo) of the first certificate of a PEM text.
pub(crate) fn pin_of(certificate: &str) -> Option<String> {
    let (_, der) = pem::decode_vec(first_block(certificate)?.as_bytes()).ok()?;
    let certificate = Certificate::from_der(&der).ok()?;
    let key = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
    Some(format!("sha256:{}", Digest::of(&key)))
}

fn first_block(text: &str) -> Option<&str> {
    let end = "-----END CERTIFICATE-----";
    let from = text.find("-----BEGIN CERTIFICATE-----")?;
    let length = text.get(from..)?.find(end)?.checked_add(end.len())?;
    text.get(from..from.checked_add(length)?)
}

/// `header..signature` over `content`, as Kubernetes' bootstrap signer makes it.
pub(crate) fn sign(content: &str, token: &Token) -> String {
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","kid":"{}"}}"#, token.id));
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Asks, with the token, whether the control plane has denied this node; why.
pub(crate) async fn denial(join: &Join, token: &Token, ca: &str, node: &str) -> Option<Failure> {
    let api = Api::bearer(&format!("https://{}", join.endpoint), ca, token).ok()?;
    let list = match api.get(CSRS).await {
        Ok(list) => list?,
        // The token is void, and this node does not get on: it was used by another or ran out.
        Err(ApiError::Refused { status: 401, .. }) => return Some(unknown(token)),
        Err(_) => return None,
    };
    let own = format!("system:bootstrap:{}", token.id);
    let name = format!("system:node:{node}");
    let mut mine = list.get("items")?.as_array()?.iter().filter(|csr| {
        let requester = csr.pointer("/spec/username").and_then(Value::as_str) == Some(own.as_str());
        requester && Request::of_object(csr).is_ok_and(|request| request.common_name == name)
    });
    let denied = |csr: &Value| {
        let all = csr.pointer("/status/conditions")?.as_array()?;
        let found = all.iter().find(|c| c.get("type").and_then(Value::as_str) == Some("Denied"))?;
        Some(found.get("message").and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    let why = mine.find_map(denied)?;
    Some(Failure::new("JoinRefused", format!("the control plane refuses this node: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new("abcdef", "0123456789abcdef".to_owned().into()).unwrap()
    }

    #[test]
    fn signatures_are_those_of_kubernetes() {
        // What kube-controller-manager 1.20.2's bootstrapsigner wrote for this token and a kubeconfig `test`.
        let theirs = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..Ev-SxHPDGoHOGXeKoWSpAVXNZidFC5VjXwXh-fd9PA0";
        assert_eq!(sign("test", &token()), theirs);
    }

    #[test]
    fn a_foreign_info_is_refused_with_its_reason() {
        let join = Join { endpoint: "e:1".into(), ca_pin: "sha256:00".into(), token_id: "abcdef".into() };
        let reason = |info: Option<Value>| ca_of(&info, &join, &token()).unwrap_err().reason;
        assert_eq!(reason(None), "DiscoveryAbsent");
        let info = |data: Value| Some(serde_json::json!({ "data": data }));
        assert_eq!(reason(info(serde_json::json!({ "kubeconfig": "x" }))), "TokenUnknown");
        let forged = serde_json::json!({ "kubeconfig": "x", "jws-kubeconfig-abcdef": "a..b" });
        assert_eq!(reason(info(forged)), "SignatureMismatch");
        let signed = |text: &str| serde_json::json!({ "kubeconfig": text, "jws-kubeconfig-abcdef": sign(text, &token()) });
        assert_eq!(reason(info(signed("x"))), "DiscoveryBroken");
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        let kubeconfig = format!(
            "clusters: [{{name: '', cluster: {{server: 'https://e', certificate-authority-data: {}}}}}]",
            STANDARD.encode(ca)
        );
        assert_eq!(reason(info(signed(&kubeconfig))), "PinMismatch");
    }
}
