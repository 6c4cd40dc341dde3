//! What people write about places and policies reaches hosts: claim rules, changed policy, windows, authorisation.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod story;

use std::time::Duration;

use cairn_contract::{InstallId, Timestamp};
use cairn_domain::{
    Event, Fact, HostSpec, State, Subject,
    audit::Actor,
    fact::Claim,
    model::{Kind, Metadata, Namespace, Object, Spec, Uid},
    policy::TpmClass,
};
use cairn_store::{
    AuditFilter, Batch, Clock as _, NewInstall, Order, OrderError, Reporter as _, ResourceWrite, Trail,
    Windows,
};
use serde_json::{Value, json};
use story::{Site, by, check, ek, inventory, mac};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Writes a resource into the project `default.default`.
async fn put(site: &Site, kind: Kind, name: &str, spec: Value) {
    let metadata = Metadata {
        name: name.into(),
        namespace: Namespace::project("default", "default"),
        uid: Uid(Uuid::new_v4()),
        labels: Default::default(),
        annotations: Default::default(),
        generation: 1,
        resource_version: 0,
        created: Timestamp(0),
    };
    let object = Object { metadata, spec: Spec::parse(kind, spec).unwrap(), host: None, status: None };
    let batch = Batch {
        actor: Actor::system("a test"),
        at: site.clock.now(),
        premise: None,
        writes: vec![ResourceWrite::Create(object)],
        credentials: Vec::new(),
        trail: Trail::default(),
    };
    site.catalog.write(&batch).await.unwrap();
}

fn proven(n: u128) -> (Fact, NewInstall) {
    let claim = Claim {
        ek: ek("E1"),
        boot_mac: mac("1"),
        inventory: inventory("CN-7", mac("1")),
        class: Some(TpmClass::Discrete),
    };
    let event = Some(Event::InstallerProven(InstallId(Uuid::from_u128(n))));
    let token_sha256 = cairn_contract::Digest::of(&n.to_be_bytes());
    let install = NewInstall { token_sha256, image: "tiny".into(), version: 1 };
    (Fact { subject: Subject::Proven(Box::new(claim)), event, note: None }, install)
}

#[tokio::test]
async fn a_claim_rule_lets_an_unknown_machine_in_and_it_is_installed_the_second_time() {
    let site = Site::new().await;
    let rule = json!({"match": {"serial": "CN-*"}, "site": "main", "image": "debian", "labels": {"by": "rule"}, "accept": true});
    put(&site, Kind::ClaimRule, "pallet", rule).await;
    let (fact, install) = proven(1);
    let host = site.driver.report_install(fact, install).await.unwrap().host.unwrap();
    assert_eq!(host.state, State::Registered);
    assert_eq!((host.meta.site.as_deref(), host.spec.image.as_deref()), (Some("main"), Some("debian")));
    assert_eq!((host.meta.labels["by"].as_str(), host.meta.tpm), ("rule", Some(TpmClass::Discrete)));
    assert_eq!(
        host.spec.serial.as_deref(),
        Some("CN-7"),
        "its names are registered: another with them is a conflict"
    );
    let (fact, install) = proven(2);
    let host = site.driver.report_install(fact, install).await.unwrap().host.unwrap();
    assert!(matches!(host.state, State::Installing { .. }), "{:?}", host.state);
    let audit = site.store.audit_after(0, &AuditFilter::default(), 100).await.unwrap();
    let accepted = audit.iter().find(|e| e.deed.verb == "accept").unwrap();
    assert_eq!(accepted.deed.actor.name, "claim rule pallet.default.default");
}

#[tokio::test]
async fn a_machine_that_no_rule_claims_waits() {
    let site = Site::new().await;
    put(
        &site,
        Kind::ClaimRule,
        "pallet",
        json!({"match": {"serial": "DE-*"}, "site": "main", "accept": true}),
    )
    .await;
    let (fact, install) = proven(1);
    let host = site.driver.report_install(fact, install).await.unwrap().host.unwrap();
    assert_eq!(host.state, State::Pending);
}

async fn registered(site: &Site) -> cairn_contract::HostId {
    let spec = HostSpec { name: "till".into(), serial: Some("S".into()), ..HostSpec::default() };
    site.driver.order(Order::Register(Box::new(spec.into())), by()).await.unwrap().id
}

#[tokio::test]
async fn a_hosts_timeline_is_told_of_a_changed_policy() {
    let site = Site::new().await;
    let id = registered(&site).await;
    let stop = CancellationToken::new();
    let told = async {
        // The driver begins to follow when it is polled first.
        tokio::task::yield_now().await;
        put(&site, Kind::Policy, "gold", json!({"image": {"name": "debian"}, "boot": {"maxAttempts": 7}}))
            .await;
        let line = async {
            loop {
                let lines = site.store.timeline(id, 0, 100).await.unwrap();
                if let Some(line) = lines.into_iter().find(|l| l.note.code == "policy.changed") {
                    return line.note.text;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let text = tokio::time::timeout(Duration::from_secs(10), line).await;
        stop.cancel();
        text.unwrap()
    };
    let ((), text) = tokio::join!(site.driver.run(stop.clone()), told);
    assert_eq!(
        text,
        "other policy applies now: image.name is debian, was none; boot.maxAttempts is 7, was 3"
    );
}

#[tokio::test]
async fn outside_of_its_window_a_host_is_not_installed_again_unless_forced() {
    let site = Site::new().await;
    let id = registered(&site).await;
    // The story's clock stands at 2027-01-15T08:00Z, a Friday.
    let windows = json!([{"start": "0 2 * * sun", "minutes": 60}]);
    put(
        &site,
        Kind::Policy,
        "nights",
        json!({"update": {"onlyInWindow": true}, "maintenance": {"windows": windows}}),
    )
    .await;
    let order = |windows| site.driver.order(Order::Reinstall { id, windows }, by());
    let refused = order(Windows::Respect).await.unwrap_err();
    let sunday = Timestamp(1_800_000_000_000 + (42 * 3600) * 1000);
    assert!(matches!(refused, OrderError::OutsideWindow { next: Some(at) } if at == sunday), "{refused:?}");
    order(Windows::Ignore).await.unwrap();
}

#[test]
fn an_authorisation_that_is_taken_back_ends_all_until_a_person_gives_it_again() {
    check(
        "register till serial=S1                    -> till registered
         prove E1 serial=S1 install=1               -> till installing (known)
         host till finished=1                       -> till first boot
         prove E1 serial=S1 agent                   -> till running (known)
         deauthorise till                           -> till quarantined
         effects                                    -> disconnect
         host till heartbeat                        -> till quarantined
         prove E1 serial=S1 agent                   -> till quarantined (known)
         deauthorise till                           -> refused: not possible for a host that is quarantined
         retry till                                 -> till silent
         prove E1 serial=S1 agent                   -> till running (known)",
    );
}
