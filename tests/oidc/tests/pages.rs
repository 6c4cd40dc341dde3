//! The browser gets through the provider's own pages.

use cairn_oidc_peer::{Browser, BrowserError, OidcPeer};

/// S256 of nothing in particular: nobody redeems the code here.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn authorize(peer: &OidcPeer, redirect: &str) -> String {
    let OidcPeer { issuer, client_id, .. } = peer;
    format!(
        "{issuer}/auth?response_type=code&client_id={client_id}&scope=openid&state=s1&redirect_uri={redirect}\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

#[tokio::test]
async fn a_person_who_logs_in_is_sent_back_with_a_code() {
    let peer = OidcPeer::start().unwrap();
    let url = authorize(&peer, "http://127.0.0.1:9/api/back");
    let mut browser = Browser::default();
    let back = browser.log_in(&url, "alice").await.unwrap();
    assert!(back.starts_with("http://127.0.0.1:9/api/back?code="), "{back}");
    assert!(back.contains("&state=s1&iss="), "{back}");
    let again = browser.log_in(&url, "alice").await.unwrap();
    assert!(again.contains("code=") && again != back, "a session of the provider lasts: {again}");
}

#[tokio::test]
async fn a_person_who_cancels_is_sent_back_with_an_error() {
    let peer = OidcPeer::start().unwrap();
    let back = Browser::default().cancel(&authorize(&peer, "http://127.0.0.1:9/")).await.unwrap();
    assert!(back.starts_with("http://127.0.0.1:9/?error=access_denied"), "{back}");
}

#[tokio::test]
async fn only_loopback_gets_a_code() {
    let peer = OidcPeer::start().unwrap();
    let refused = Browser::default().log_in(&authorize(&peer, "http://192.0.2.1/"), "alice").await;
    assert!(matches!(refused, Err(BrowserError::Ended { .. })), "{refused:?}");
}
