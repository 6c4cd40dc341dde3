//! A proof of a wipe, made by hand and broken in one place at a time. That a real TPM's holds is shown by the machine's own
//! tests against swtpm, and by the story `decommission_with_proof`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use cairn_contract::{
    Digest, DiskSelector, Hex, HostId, InstallId, Signed, Timestamp, WipePlan, WipeProof, WipeReport,
    inventory::{DiskInfo, Transport},
    wipe::{Discard, WipeHow, WipeSample, Zeros, wipe_binding},
};
use cairn_evidence::pcr::BOOT_PCRS;
use cairn_trust::wipe::{WipeRefusal, judge};
use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::Signer as _;
use uuid::Uuid;

const SIZE: u64 = 40 << 20;

fn sized(bytes: &[u8]) -> Vec<u8> {
    [u16::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat()
}

/// A key that pretends to be an attestation key.
struct Ak(p256::ecdsa::SigningKey);

impl Ak {
    fn new(seed: u8) -> Self {
        Self(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    /// TPMT_PUBLIC of an ECDSA P-256 restricted signing key.
    fn public(&self) -> Vec<u8> {
        let point = p256::PublicKey::from(self.0.verifying_key()).to_sec1_bytes();
        let mut out = vec![0, 0x23, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10];
        out.extend(sized(&point[1..33]));
        out.extend(sized(&point[33..65]));
        out
    }

    fn name(&self) -> Digest {
        Digest::of(&self.public())
    }

    /// TPMS_ATTEST of a quote over `values`, and its TPMT_SIGNATURE.
    fn quote(&self, nonce: &[u8], values: &[Digest]) -> (Hex, Hex) {
        let mut bitmap = [0_u8; 3];
        BOOT_PCRS.iter().for_each(|pcr| bitmap[usize::from(pcr / 8)] |= 1 << (pcr % 8));
        let all: Vec<u8> = values.iter().flat_map(|v| v.0).collect();
        let message = [
            [0xff, 0x54, 0x43, 0x47, 0x80, 0x18].as_slice(),
            &sized(&[0; 34]),
            &sized(nonce),
            &1000_u64.to_be_bytes(),
            &[0, 0, 0, 3, 0, 0, 0, 1, 1],
            &7_u64.to_be_bytes(),
            &[0, 0, 0, 1, 0, 0x0b, 3],
            &bitmap,
            &sized(&Digest::of(&all).0),
        ]
        .concat();
        let signature: p256::ecdsa::Signature = self.0.sign(&message);
        let bytes = signature.to_bytes();
        let tpmt = [&[0, 0x18, 0, 0x0b], sized(&bytes[..32]).as_slice(), &sized(&bytes[32..])].concat();
        (Hex(message), Hex(tpmt))
    }
}

fn site() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn plan(ak: &Ak) -> WipePlan {
    let disk = DiskSelector {
        min_size: Some(SIZE),
        max_size: Some(SIZE),
        transports: vec![Transport::Virtio],
        serial: Some("D1".into()),
    };
    let pcrs: Vec<u8> = BOOT_PCRS.iter().collect();
    WipePlan {
        wipe: InstallId(Uuid::from_u128(9)),
        host: HostId(Uuid::from_u128(1)),
        ak_name: ak.name(),
        expires: Timestamp(1),
        disk,
        how: WipeHow::Zeros,
        sample: WipeSample { ends: 16 << 20, places: 16, place_bytes: 64 << 10 },
        nonce: Digest([3; 32]),
        pcr_values: pcrs.iter().map(|pcr| Digest([*pcr; 32])).collect(),
        pcrs,
    }
}

fn report(plan: &WipePlan) -> WipeReport {
    let disk = DiskInfo {
        name: "vda".into(),
        size: SIZE,
        transport: Transport::Virtio,
        serial: "D1".into(),
        model: "M".into(),
        removable: false,
        block_size: 512,
    };
    let (samples, samples_sha256) = plan.all_zero(SIZE);
    let (started, finished) = (Timestamp(10), Timestamp(20));
    let (wipe, discard, zeros) = (plan.wipe, Discard::Plain, Zeros::Device);
    WipeReport { wipe, disk, bytes: SIZE, discard, zeros, started, finished, samples, samples_sha256 }
}

fn proof(ak: &Ak, plan: &WipePlan, report: &WipeReport) -> WipeProof {
    let text = serde_json::to_string(report).unwrap();
    let (quote, signature) = ak.quote(&wipe_binding(&plan.nonce, &text), &plan.pcr_values);
    let signed = Signed::sign(&site(), plan).unwrap();
    WipeProof { plan: signed, report: text, ak_public: Hex(ak.public()), quote, signature }
}

#[test]
fn a_proof_that_holds_can_be_judged_again_from_its_bytes() {
    let ak = Ak::new(5);
    let plan = plan(&ak);
    let proof = proof(&ak, &plan, &report(&plan));
    let stored = serde_json::to_string(&proof).unwrap();
    let wiped = judge(&serde_json::from_str(&stored).unwrap(), &site().verifying_key()).unwrap();
    assert_eq!((wiped.report, wiped.plan), (report(&plan), plan));
}

#[test]
fn another_site_s_plan_or_another_tpm_s_key_proves_nothing() {
    let (ak, thief) = (Ak::new(5), Ak::new(6));
    let plan = plan(&ak);
    let good = proof(&ak, &plan, &report(&plan));
    let other_site = SigningKey::from_bytes(&[2; 32]).verifying_key();
    assert!(matches!(judge(&good, &other_site), Err(WipeRefusal::Plan(_))));
    let stolen = proof(&thief, &plan, &report(&plan));
    assert!(matches!(judge(&stolen, &site().verifying_key()), Err(WipeRefusal::OtherAk)));
    let no_key = WipeProof { ak_public: Hex(vec![0; 60]), ..good };
    assert!(matches!(judge(&no_key, &site().verifying_key()), Err(WipeRefusal::Ak(_))));
}

#[test]
fn a_changed_report_or_an_old_quote_proves_nothing() {
    let ak = Ak::new(5);
    let plan = plan(&ak);
    let good = proof(&ak, &plan, &report(&plan));
    let judged = |proof: &WipeProof| judge(proof, &site().verifying_key()).map(|w| w.report.bytes);
    let changed = WipeProof { report: good.report.replace("D1", "D2"), ..good.clone() };
    assert!(matches!(judged(&changed), Err(WipeRefusal::Quote(_))));
    let (quote, signature) = ak.quote(&wipe_binding(&Digest([4; 32]), &good.report), &plan.pcr_values);
    assert!(matches!(judged(&WipeProof { quote, signature, ..good.clone() }), Err(WipeRefusal::Quote(_))));
    let other_boot = vec![Digest([0x77; 32]); plan.pcrs.len()];
    let (quote, signature) = ak.quote(&wipe_binding(&plan.nonce, &good.report), &other_boot);
    assert!(matches!(judged(&WipeProof { quote, signature, ..good }), Err(WipeRefusal::Quote(_))));
}

#[test]
fn a_signed_report_of_something_else_proves_nothing() {
    let ak = Ak::new(5);
    let plan = plan(&ak);
    let good = report(&plan);
    let disk = good.disk.clone();
    let other_than_planned = [
        WipeReport { wipe: InstallId(Uuid::nil()), ..good.clone() },
        WipeReport { bytes: SIZE / 2, ..good.clone() },
        WipeReport { disk: DiskInfo { serial: "D2".into(), ..disk.clone() }, ..good.clone() },
        WipeReport { disk: DiskInfo { removable: true, ..disk.clone() }, ..good.clone() },
        WipeReport { disk: DiskInfo { size: SIZE * 2, ..disk.clone() }, bytes: SIZE * 2, ..good.clone() },
        WipeReport { disk: DiskInfo { transport: Transport::Usb, ..disk }, ..good.clone() },
    ];
    for report in other_than_planned {
        let refused = judge(&proof(&ak, &plan, &report), &site().verifying_key()).map(|w| w.report);
        assert!(matches!(refused, Err(WipeRefusal::OtherThanPlanned(_))), "{refused:?}");
    }
    for report in
        [WipeReport { samples: 1, ..good.clone() }, WipeReport { samples_sha256: Digest([0; 32]), ..good }]
    {
        let refused = judge(&proof(&ak, &plan, &report), &site().verifying_key()).map(|w| w.report);
        assert!(matches!(refused, Err(WipeRefusal::NotZero)), "{refused:?}");
    }
}
