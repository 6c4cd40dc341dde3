//! Logins against npm's `oidc-provider`, a certified issuer, on a loopback port.

mod setup;

use cairn_identity::oidc::{
    Callback, DevicePoll, EndpointError, FinishError, PersonError, TokenRefused, Url,
};
use cairn_oidc_peer::{Browser, Claims, Fault};
use setup::{Site, now, site};

fn query(back: &str) -> Callback {
    let url = Url::parse(back).unwrap();
    Callback::parse(url.query().unwrap()).unwrap()
}

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
    let site = setup::site("username_claim = \"upn\"\n");
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
    assert_eq!(get(&first.url, "redirect_uri"), setup::REDIRECT);
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
        let said = setup::chain(&error);
        assert!(said.contains(wanted), "{fault:?}: {said}");
    }
    site.log_in("alice").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_huge_or_a_redirect_is_refused() {
    let mut site = site("");
    for (fault, wanted) in [(Fault::Huge, "length limit exceeded"), (Fault::Redirect, "303 See Other")] {
        site.peer.fault_once(fault).unwrap();
        let said = setup::chain(&site.log_in("alice").await.unwrap_err());
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
    let begun = provider.begin(&setup::redirect(), now()).await.unwrap();
    let back = Browser::default().log_in(begun.url.as_str(), "alice").await.unwrap();
    let error = provider.finish(query(&back), begun.pending, now()).await.unwrap_err();
    assert!(
        matches!(&error, FinishError::Redeem(EndpointError::Said { code, .. }) if code == "invalid_client"),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains(&site.peer.client_secret));
}

#[tokio::test]
async fn a_device_logs_in_when_its_person_approves() {
    let site = site("");
    let mut login = site.provider.begin_device(now()).await.unwrap();
    assert_eq!(login.address.as_str(), format!("{}/device", site.peer.issuer));
    assert!(!login.user_code.is_empty());
    let early = site.provider.poll_device(&mut login, now()).await.unwrap();
    assert_eq!(early, DevicePoll::Waiting { seconds: 5 });
    let mut at = now().after_seconds(5);
    assert_eq!(site.provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Waiting { seconds: 5 });
    let address = login.complete_address.clone().unwrap();
    Browser::default().approve_device(address.as_str(), "alice").await.unwrap();
    at = at.after_seconds(5);
    let DevicePoll::Done(person) = site.provider.poll_device(&mut login, at).await.unwrap() else { panic!() };
    assert_eq!((person.name.as_str(), person.groups.len()), ("alice", 2));
    assert_eq!(
        site.provider.poll_device(&mut login, at.after_seconds(5)).await.unwrap(),
        DevicePoll::Expired
    );
}

#[tokio::test]
async fn a_device_is_denied_when_its_person_aborts() {
    let site = site("");
    let mut login = site.provider.begin_device(now()).await.unwrap();
    let address = login.complete_address.clone().unwrap();
    Browser::default().deny_device(address.as_str()).await.unwrap();
    let at = now().after_seconds(5);
    assert_eq!(site.provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Denied);
    assert_eq!(
        site.provider.poll_device(&mut login, at.after_seconds(5)).await.unwrap(),
        DevicePoll::Expired
    );
}

#[tokio::test]
async fn a_device_slows_down_when_told_and_expires() {
    let mut site = site("");
    let mut login = site.provider.begin_device(now()).await.unwrap();
    site.peer.fault_once(Fault::SlowDown).unwrap();
    let mut at = now().after_seconds(5);
    assert_eq!(site.provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Waiting { seconds: 10 });
    at = at.after_seconds(9);
    assert_eq!(site.provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Waiting { seconds: 1 });
    at = at.after_seconds(1);
    assert_eq!(site.provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Waiting { seconds: 10 });
    let end = login.until;
    assert_eq!(site.provider.poll_device(&mut login, end).await.unwrap(), DevicePoll::Expired);
}

#[tokio::test]
async fn a_device_whose_issuer_is_away_waits_longer() {
    let Site { peer, provider } = site("");
    let mut login = provider.begin_device(now()).await.unwrap();
    drop(peer);
    let at = now().after_seconds(5);
    assert_eq!(provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Waiting { seconds: 10 });
    let at = at.after_seconds(10);
    assert_eq!(provider.poll_device(&mut login, at).await.unwrap(), DevicePoll::Waiting { seconds: 20 });
}
