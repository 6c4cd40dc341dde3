//! Discovery against an issuer of our own making: TLS with a CA of the site, and documents that a certified one never gives.

use std::path::Path;

use cairn_identity::oidc::{DiscoverError, Oidc, Provider, SetupError};

use crate::listener::{self, Issuer, Tls};
use crate::site::{chain, now, redirect};

fn provider(issuer: &Issuer, ca_file: Option<&Path>) -> Provider {
    let mut config: Oidc =
        toml::from_str(&format!("issuer = {:?}\nclient_id = \"cairn\"\n", issuer.address)).unwrap();
    config.ca_file = ca_file.map(Path::to_owned);
    Provider::new(config).unwrap()
}

async fn refused(issuer: &Issuer) -> DiscoverError {
    provider(issuer, None).check(now()).await.unwrap_err()
}

#[tokio::test]
async fn an_issuer_with_a_ca_of_the_site_is_believed_only_with_that_ca() {
    let tls = Tls::new();
    let issuer = Issuer::start(Some(&tls), |address| listener::document(address, ""));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &tls.ca_pem).unwrap();
    provider(&issuer, Some(&file)).check(now()).await.unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, &Tls::new().ca_pem).unwrap();
    let error = provider(&issuer, Some(&other)).check(now()).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    std::fs::write(&file, "nothing").unwrap();
    let mut config: Oidc = toml::from_str("issuer = \"https://a.test\"\nclient_id = \"c\"\n").unwrap();
    config.ca_file = Some(file);
    assert!(matches!(Provider::new(config), Err(SetupError::NoCertificate(_))));
}

#[tokio::test]
async fn an_issuer_with_tls_must_not_name_addresses_without() {
    let tls = Tls::new();
    let issuer = Issuer::start(Some(&tls), |address| {
        listener::document(address, "").replace(&format!("{address}/token"), "http://127.0.0.1:9/token")
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &tls.ca_pem).unwrap();
    let error = provider(&issuer, Some(&file)).check(now()).await.unwrap_err();
    assert!(
        matches!(&error, DiscoverError::Address { address, .. } if address.ends_with("/token")),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_issuer_on_loopback_must_not_name_addresses_elsewhere_without_tls() {
    for field in ["authorization", "userinfo", "device_authorization"] {
        let issuer = Issuer::start(None, |address| {
            let document = listener::document(address, "");
            document.replace(&format!("{address}/{field}"), "http://192.0.2.1/x")
        });
        assert!(matches!(refused(&issuer).await, DiscoverError::Address { .. }), "{field}");
    }
    let issuer = Issuer::start(None, |a| {
        listener::document(a, "").replace(&format!("{a}/jwks"), "http://192.0.2.1/jwks")
    });
    let error = refused(&issuer).await;
    assert!(error.to_string().contains("neither https nor on loopback"), "{error}");
}

#[tokio::test]
async fn documents_that_are_not_the_issuers_own_are_refused() {
    let foreign = Issuer::start(None, |a| {
        listener::document(a, "").replace(&format!("{a:?}"), "\"https://evil.test\"")
    });
    let error = refused(&foreign).await;
    assert!(error.to_string().contains("evil.test"), "{error}");
    let garbage = Issuer::start(None, |_| "<html>".to_owned());
    assert!(matches!(refused(&garbage).await, DiscoverError::Failed { .. }));
    let huge =
        Issuer::start(None, |a| listener::document(a, &format!("\"x\": \"{}\",", "x".repeat(1 << 20))));
    let error = refused(&huge).await;
    assert!(error.to_string().contains("length limit"), "{error}");
    let mute = Issuer::start(None, |a| listener::document(a, "").replace("token_endpoint", "x_endpoint"));
    assert!(matches!(refused(&mute).await, DiscoverError::NoTokens(_)));
}

#[tokio::test]
async fn an_issuer_is_asked_once_an_hour_and_once_by_many() {
    let issuer = Issuer::start(None, |address| listener::document(address, ""));
    let (provider, start) = (provider(&issuer, None), now());
    let (a, b, c) = tokio::join!(provider.check(start), provider.check(start), provider.check(start));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    provider.begin(&redirect(), start.after_seconds(3599)).await.unwrap();
    assert_eq!(issuer.questions(), 1);
    provider.begin(&redirect(), start.after_seconds(3600)).await.unwrap();
    assert_eq!(issuer.questions(), 2);
}

#[tokio::test]
async fn an_issuer_that_failed_is_left_alone_for_a_moment() {
    let issuer = Issuer::start(None, |_| "{}".to_owned());
    let (provider, start) = (provider(&issuer, None), now());
    for _ in 0..3 {
        provider.check(start).await.unwrap_err();
    }
    assert_eq!(issuer.questions(), 1);
    provider.check(start.after_seconds(5)).await.unwrap_err();
    assert_eq!(issuer.questions(), 2);
}

#[tokio::test]
async fn an_issuer_without_device_login_says_so() {
    let issuer =
        Issuer::start(None, |a| listener::document(a, "").replace("device_authorization_endpoint", "x"));
    let error = provider(&issuer, None).begin_device(now()).await.unwrap_err();
    assert_eq!(
        chain(&error),
        "the issuer offers no login for devices; log in with a browser, or use a service token"
    );
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_said() {
    let gone = Issuer::start(None, |_| String::new()).stop();
    let error = refused(&gone).await;
    assert!(error.to_string().contains("cannot connect to 127.0.0.1"), "{error}");
}
