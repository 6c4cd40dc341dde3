//! Who a proven machine is.

use cairn_contract::{Digest, HostId, Inventory, Mac, Smbios, Timestamp};
use cairn_domain::{
    Host, HostSpec, State, Why,
    fact::Claim,
    identify::{Identity, identify},
};
use uuid::Uuid;

fn host(name: &str, serial: &str, ek: Option<&str>) -> Host {
    Host {
        id: HostId(Uuid::nil()),
        spec: HostSpec { name: name.into(), serial: Some(serial.into()), ..HostSpec::default() },
        state: State::Registered,
        ek: ek.map(|e| Digest::of(e.as_bytes())),
        inventory: None,
        installed: None,
        created: Timestamp(0),
        changed: Timestamp(0),
        version: 1,
        meta: Default::default(),
    }
}

fn claim(serial: &str, ek: &str) -> Claim {
    let smbios = Smbios { serial: serial.into(), ..Smbios::default() };
    Claim {
        class: None,
        ek: Digest::of(ek.as_bytes()),
        boot_mac: Mac([2; 6]),
        inventory: Inventory { smbios, ..Inventory::default() },
    }
}

#[test]
fn a_registered_serial_introduces_a_new_tpm() {
    assert_eq!(identify(&claim("s1", "e1"), &[host("a", "S1", None)]), Identity::Known(0));
}

#[test]
fn the_same_ek_is_the_same_host_even_when_its_serial_changed() {
    assert_eq!(identify(&claim("other", "e1"), &[host("a", "s1", Some("e1"))]), Identity::Known(0));
}

#[test]
fn a_registered_serial_with_another_ek_is_a_conflict() {
    let got = identify(&claim("s1", "e2"), &[host("a", "s1", Some("e1"))]);
    assert_eq!(got, Identity::Conflict { why: Why::OtherTpm("a".into()), also: vec![0] });
}

#[test]
fn an_ek_that_was_registered_is_demanded_too() {
    let mut expected = host("a", "s1", None);
    expected.spec.ek = Some(Digest::of(b"e1"));
    assert!(matches!(identify(&claim("s1", "e2"), &[expected]), Identity::Conflict { .. }));
}

#[test]
fn a_known_host_that_presents_anothers_serial_is_a_conflict() {
    let hosts = [host("a", "s1", Some("e1")), host("b", "s2", None)];
    assert!(matches!(identify(&claim("s2", "e1"), &hosts), Identity::Conflict { also, .. } if also == [1]));
}

#[test]
fn nobody_matches_nobody() {
    assert_eq!(identify(&claim("", "e1"), &[]), Identity::Unknown);
    assert_eq!(identify(&claim("", "e1"), &[host("a", "", None)][..0]), Identity::Unknown);
}

#[test]
fn a_retired_record_owns_neither_tpm_nor_names() {
    let mut old = host("a", "s1", Some("e1"));
    old.state = serde_json::from_str(RETIRED).unwrap();
    assert_eq!(identify(&claim("s1", "e1"), std::slice::from_ref(&old)), Identity::Unknown);
    let again = host("b", "s1", None);
    assert_eq!(identify(&claim("s1", "e1"), &[old, again]), Identity::Known(1));
}

/// As the store keeps it.
const RETIRED: &str = r#"{"state":"retired","as_of":{"at":0,"ek":null,
    "report":{"wipe":"00000000-0000-0000-0000-000000000001","disk":{"name":"vda","size":1,"transport":"virtio"},"bytes":1,
              "discard":"plain","zeros":"device","started":0,"finished":1,"samples":1,
              "samples_sha256":"0000000000000000000000000000000000000000000000000000000000000000"},
    "proof":{"plan":{"payload":"{}","signature":""},"report":"","ak_public":"","quote":"","signature":""}}}"#;
