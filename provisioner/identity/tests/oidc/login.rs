//! Logins of browsers against npm's `oidc-provider`, a certified issuer, on a loopback port.

use crate::site::{self, now, query, site};
use cairn_identity::oidc::{EndpointError, FinishError, Pending, PersonError, TokenRefused, Url};
use cairn_oidc_peer::{Browser, Claims, Fault};

#[tokio::test]
async fn a_person_logs_in_with_name_mail_and_groups() {
    let site = site("");
    let person = site.log_in("alice").await.unwrap();
    assert_eq!(person.issuer, site.peer.issuer);
    assert_eq!((person.subject.as_str(), person.name.as_str()), ("alice", "alice"));
    assert_eq!(person.email.as_deref(), Some("alice@example.test"));
    assert_eq!(person.groups, ["admins", "operators"]);
}

#[tokio::test]
async fn claims_in_the_id_token_are_as_good_as_from_userinfo() {
    let mut site = site("");
    let from_userinfo = site.log_in("bob").await.unwrap();
    site.peer.tell_claims(Claims::IdToken).unwrap();
    assert_eq!(site.log_in("bob").await.unwrap(), from_userinfo);
    assert_eq!(site.log_in("carol").await.unwrap().groups, Vec::<String>::new());
}

#[tokio::test]
async fn the_claims_of_name_and_groups_are_configured() {
    let site = site("username_claim = \"email\"\ngroups_claim = \"name\"\n");
    let person = site.log_in("alice").await.unwrap();
    assert_eq!((person.name.as_str(), person.groups), ("alice@example.test", vec!["Alice Ame".to_owned()]));
    let site = site::site("username_claim = \"upn\"\n");
    let error = site.log_in("alice").await.unwrap_err();
    assert!(matches!(error, FinishError::Person(PersonError::NoName(claim)) if claim == "upn"));
}

#[tokio::test]
async fn the_browser_is_sent_with_pkce_state_and_nonce() {
    let site = site("");
    let (first, second) = (site.begin().await, site.begin().await);
    let get = |url: &Url, name: &str| {
        url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap()
    };
    assert_eq!(get(&first.url, "code_challenge_method"), "S256");
    assert_eq!(get(&first.url, "response_type"), "code");
    assert_eq!(get(&first.url, "scope"), "openid profile email groups");
    assert_eq!(get(&first.url, "redirect_uri"), site::REDIRECT);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(get(&first.url, name), get(&second.url, name), "{name}");
    }
    assert!(!format!("{:?}", first.pending).contains(&get(&first.url, "state")));
}

#[tokio::test]
async fn an_answer_of_another_login_is_refused() {
    let site = site("");
    let (mine, other) = (site.begin().await, site.begin().await);
    let back = Browser::default().log_in(other.url.as_str(), "alice").await.unwrap();
    let mixed = site.provider.finish(query(&back), mine.pending.clone(), now()).await;
    assert!(matches!(mixed, Err(FinishError::State)));
    // With the state made to fit, the code is still bound to the other login's PKCE verifier.
    let state = |url: &Url| url.query_pairs().find(|(n, _)| n == "state").unwrap().1.into_owned();
    let fitted = back.replace(&state(&other.url), &state(&mine.url));
    let stolen = site.provider.finish(query(&fitted), mine.pending, now()).await;
    assert!(
        matches!(&stolen, Err(FinishError::Redeem(EndpointError::Said { code, .. })) if code == "invalid_grant"),
        "{stolen:?}"
    );
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let site = site("");
    let begun = site.begin().await;
    let back = Browser::default().log_in(begun.url.as_str(), "alice").await.unwrap();
    let (without, _) = back.split_once("&iss=").unwrap();
    for foreign in [without.to_owned(), format!("{without}&iss=https%3A%2F%2Fevil.test")] {
        let result = site.provider.finish(query(&foreign), begun.pending.clone(), now()).await;
        assert!(matches!(result, Err(FinishError::Issuer)), "{result:?}");
    }
    assert!(site.provider.finish(query(&back), begun.pending, now()).await.is_ok());
}

#[tokio::test]
async fn a_code_is_good_once_and_for_ten_minutes() {
    let site = site("");
    let begun = site.begin().await;
    let back = Browser::default().log_in(begun.url.as_str(), "alice").await.unwrap();
    let late = site.provider.finish(query(&back), begun.pending.clone(), now().after_seconds(600)).await;
    assert!(matches!(late, Err(FinishError::Expired)));
    site.provider.finish(query(&back), begun.pending.clone(), now()).await.unwrap();
    let again = site.provider.finish(query(&back), begun.pending, now()).await;
    assert!(matches!(again, Err(FinishError::Redeem(EndpointError::Said { .. }))), "{again:?}");
}

#[tokio::test]
async fn a_person_who_cancels_is_told_so() {
    let site = site("");
    let begun = site.begin().await;
    let back = Browser::default().cancel(begun.url.as_str()).await.unwrap();
    let result = site.provider.finish(query(&back), begun.pending, now()).await;
    assert!(matches!(result, Err(FinishError::Refused { code, .. }) if code == "access_denied"));
}

#[tokio::test]
async fn a_token_with_anything_wrong_is_refused() {
    let mut site = site("");
    let faults = [
        (Fault::Expired, "Expired"),
        (Fault::Future, "in the future"),
        (Fault::Nonce, "another login's"),
        (Fault::NoNonce, "another login's"),
        (Fault::Audience, "Invalid audiences"),
        (Fault::Audiences, "not a trusted audience"),
        (Fault::Party, "another client"),
        (Fault::Issuer, "Invalid issuer"),
        (Fault::AtHash, "another access token"),
        (Fault::ForeignKey, "Crypto error"),
        (Fault::Hmac, "not one of"),
        (Fault::Unsigned, "No signature found"),
        (Fault::Tampered, "Crypto error"),
        (Fault::Garbage, "not a JSON Web Token"),
        (Fault::Missing, "no ID token"),
    ];
    for (fault, wanted) in faults {
        site.peer.fault_once(fault).unwrap();
        let error = site.log_in("alice").await.unwrap_err();
        assert!(matches!(error, FinishError::Token(_)), "{fault:?}: {error:?}");
        let said = site::chain(&error);
        assert!(said.contains(wanted), "{fault:?}: {said}");
    }
    site.log_in("alice").await.unwrap();
}

#[tokio::test]
async fn an_access_token_that_cannot_be_sent_is_refused() {
    let mut site = site("");
    site.peer.fault_once(Fault::AccessToken).unwrap();
    let error = site.log_in("alice").await.unwrap_err();
    assert!(matches!(&error, FinishError::UserInfo(why) if why.contains("strange characters")), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_huge_or_a_redirect_is_refused() {
    let mut site = site("");
    for (fault, wanted) in [(Fault::Huge, "length limit exceeded"), (Fault::Redirect, "303 See Other")] {
        site.peer.fault_once(fault).unwrap();
        let said = site::chain(&site.log_in("alice").await.unwrap_err());
        assert!(said.contains(wanted) || said.contains("302 Found"), "{fault:?}: {said}");
    }
}

#[tokio::test]
async fn new_keys_are_asked_for_when_a_token_names_them_but_not_at_once_again() {
    let mut site = site("");
    site.log_in("alice").await.unwrap();
    site.peer.rotate_keys().unwrap();
    let soon = site.log_in("alice").await;
    assert!(
        matches!(soon, Err(FinishError::Token(TokenRefused::Check(_)))),
        "not within ten seconds: {soon:?}"
    );
    let later = now().after_seconds(11);
    assert_eq!(site.log_in_at("alice", later).await.unwrap().name, "alice");
    assert_eq!(site.log_in_at("bob", later).await.unwrap().name, "bob");
}

#[tokio::test]
async fn a_wrong_secret_is_told_by_the_issuer() {
    let mut site = site("");
    site.peer.client_secret.push('x');
    let provider = site.provider_with("");
    let begun = provider.begin(&site::redirect(), now()).await.unwrap();
    let back = Browser::default().log_in(begun.url.as_str(), "alice").await.unwrap();
    let error = provider.finish(query(&back), begun.pending, now()).await.unwrap_err();
    assert!(
        matches!(&error, FinishError::Redeem(EndpointError::Said { code, .. }) if code == "invalid_client"),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains(&site.peer.client_secret));
}

#[tokio::test]
async fn a_pending_login_survives_its_record() {
    let site = site("");
    let begun = site.begin().await;
    let back = Browser::default().log_in(begun.url.as_str(), "alice").await.unwrap();
    let pending = Pending::from_record(begun.pending.to_record().expose()).unwrap();
    assert!(!format!("{:?}", begun.pending.to_record()).contains("state"));
    assert_eq!(site.provider.finish(query(&back), pending, now()).await.unwrap().name, "alice");
    assert!(Pending::from_record("[]").is_none());
}
