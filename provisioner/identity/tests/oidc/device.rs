//! Logins of devices (RFC 8628) against npm's `oidc-provider`.

use cairn_identity::oidc::{DeviceLogin, DevicePoll};
use cairn_oidc_peer::{Browser, Fault};

use crate::site::{Site, now, site};

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

#[tokio::test]
async fn a_device_login_survives_its_record() {
    let site = site("");
    let login = site.provider.begin_device(now()).await.unwrap();
    let address = login.complete_address.clone().unwrap();
    Browser::default().approve_device(address.as_str(), "bob").await.unwrap();
    let mut read = DeviceLogin::from_record(login.to_record().expose()).unwrap();
    let at = now().after_seconds(5);
    assert!(matches!(site.provider.poll_device(&mut read, at).await.unwrap(), DevicePoll::Done(_)));
    assert!(DeviceLogin::from_record("{}").is_none());
}
