//! Bytes that version 1 has said: they must go on loading, and be said the same way. A change here is a new version.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use cairn_contract::{
    Evidence, Heartbeat, Hello, HelloReply, ImageManifest, Plan, Report, Sealed, SessionKey, Signed,
    SiteTrust, Verdict, WipePlan, WipeProof, WipeReport,
    attest::{proof_of_activation, quote_binding},
    wipe::wipe_binding,
};
use ed25519_dalek::SigningKey;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

#[track_caller]
fn frozen<T: Serialize + DeserializeOwned>(text: &str) {
    let said: Value = serde_json::from_str(text).unwrap();
    let read: T = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), said);
}

#[test]
fn every_message_of_version_1_loads_and_is_said_the_same_way() {
    frozen::<Hello>(include_str!("fixtures/hello.json"));
    frozen::<HelloReply>(include_str!("fixtures/challenge.json"));
    frozen::<Evidence>(include_str!("fixtures/evidence.json"));
    frozen::<Verdict>(include_str!("fixtures/verdict-install.json"));
    frozen::<Verdict>(include_str!("fixtures/verdict-enrolled.json"));
    frozen::<Verdict>(include_str!("fixtures/verdict-refused.json"));
    frozen::<Report>(include_str!("fixtures/report-progress.json"));
    frozen::<Report>(include_str!("fixtures/report-finished.json"));
    frozen::<Report>(include_str!("fixtures/report-failed.json"));
    frozen::<Plan>(include_str!("fixtures/plan.json"));
    frozen::<ImageManifest>(include_str!("fixtures/manifest.json"));
    frozen::<SiteTrust>(include_str!("fixtures/site.json"));
    frozen::<Heartbeat>(include_str!("fixtures/heartbeat.json"));
}

#[test]
fn every_message_about_a_wipe_loads_and_is_said_the_same_way() {
    frozen::<Verdict>(include_str!("fixtures/verdict-wipe.json"));
    frozen::<WipePlan>(include_str!("fixtures/wipe-plan.json"));
    frozen::<WipeReport>(include_str!("fixtures/wipe-report.json"));
    frozen::<WipeProof>(include_str!("fixtures/wipe-proof.json"));
    frozen::<Report>(include_str!("fixtures/report-finished-target.json"));
}

/// As an installer does that is older than a word.
#[test]
fn an_unknown_verdict_is_refused_by_its_name() {
    let refused = serde_json::from_str::<Verdict>(r#"{"is":"melt","plan":{"sealed":"00"}}"#).unwrap_err();
    assert!(refused.to_string().contains("melt"), "{refused}");
}

#[test]
fn a_wipe_is_bound_and_sampled_as_ever() {
    let plan: WipePlan = serde_json::from_str(include_str!("fixtures/wipe-plan.json")).unwrap();
    assert_eq!(
        hex(&wipe_binding(&plan.nonce, "{}")),
        "6507119d9ae023ee3718f0ab853c6726b2560224be9007cf04f7bfbda14818b6"
    );
    let (places, digest) = plan.all_zero(2 << 30);
    assert_eq!(
        (places, digest.to_string().as_str()),
        (1536, "455ae46b9d4a301259f6abd987b100f7ffd88c385d3ba16bdda7a08dc215e20c")
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn what_binds_and_seals_is_computed_as_ever() {
    let key = SessionKey::new(&[7; 32]).unwrap();
    let session = Uuid::from_u128(1);
    assert_eq!(
        hex(&quote_binding(&[1; 32], &[2; 32])),
        "29b9ca5bb577d8180ebe650a7e7ea4fc76bcac6803e33a20bdcc8dae04f28bd0"
    );
    assert_eq!(
        proof_of_activation(&key, session, &[1; 32]).to_string(),
        "82dae2fb5e06cdbb0f8a7f5b13686464d690153f0dbf22f40d8b2b725dda443d"
    );
    assert_eq!(
        key.report_token().as_str(),
        "66bbb7fceccc25a979e581007eed94851de17a92956b377bbbc116f222d394f8"
    );
    let sealed: Sealed<u8> =
        serde_json::from_str(r#"{"sealed":"41c09567ee52031d731e9fa7354bfac043"}"#).unwrap();
    assert_eq!(sealed.open(&key, "plan").unwrap(), 5);
}

#[test]
fn a_signature_of_version_1_holds() {
    let text = include_str!("fixtures/signed-manifest.json");
    let signed: Signed<ImageManifest> = serde_json::from_str(text).unwrap();
    let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
    assert_eq!(signed.verify(&key).unwrap().name, "tiny");
}
