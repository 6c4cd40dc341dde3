//! Stories of one host: a state, events, and where they lead; and what holds for any events at all.

use cairn_contract::{
    Digest, Hex, HostId, InstallId, Timestamp, WipeProof, WipeReport,
    inventory::{DiskInfo, Transport},
    report::FailureKind,
    wipe::{Discard, Zeros},
};
use cairn_domain::{
    Event, Policy, State, Why,
    boot::{Answer, answer},
    host::{Context, Effect, Retirement, Step, step},
    model::Network,
};
use proptest::prelude::*;
use uuid::Uuid;

fn install(n: u128) -> InstallId {
    InstallId(Uuid::from_u128(n))
}

struct Story {
    state: State,
    now: Timestamp,
    policy: Policy,
    effects: Vec<Effect>,
}

impl Story {
    fn new(state: State) -> Self {
        Self { state, now: Timestamp(0), policy: Policy::default(), effects: vec![] }
    }

    #[track_caller]
    fn tell(&mut self, event: Event, expect: &str) -> &mut Self {
        let cx = Context { host: HostId(Uuid::nil()), now: self.now, policy: &self.policy };
        if let Step::Move { to, effects } = step(&self.state, &event, cx) {
            self.state = to;
            self.effects.extend(effects);
        }
        assert_eq!(self.state.word(), expect, "after {event:?}: {:?}", self.state);
        self
    }

    fn wait(&mut self, seconds: u32) -> &mut Self {
        self.now = self.now.after_seconds(seconds);
        self
    }
}

#[test]
fn a_registered_host_comes_to_run() {
    Story::new(State::Registered)
        .tell(Event::Knocked, "booting")
        .tell(Event::Claimed, "attesting")
        .tell(Event::InstallerProven(install(1)), "installing")
        .wait(299)
        .tell(Event::InstallProgressed(install(1)), "installing")
        .wait(299)
        .tell(Event::Tick, "installing")
        .tell(Event::InstallFinished(install(1)), "first boot")
        .tell(Event::AgentProven, "running")
        .wait(61)
        .tell(Event::Tick, "silent")
        .tell(Event::HeartbeatHeard, "running");
}

#[test]
fn a_pending_host_gets_nothing_until_it_is_accepted() {
    let mut story = Story::new(State::Pending);
    story.tell(Event::Knocked, "pending").tell(Event::Claimed, "pending");
    story.tell(Event::InstallerProven(install(1)), "pending").tell(Event::AgentProven, "pending");
    story.tell(Event::Accepted, "registered").tell(Event::InstallerProven(install(1)), "installing");
}

#[test]
fn a_power_cut_starts_again_and_counts() {
    let mut story = Story::new(State::Registered);
    for n in 1..=3 {
        story.tell(Event::InstallerProven(install(n)), "installing");
    }
    story.tell(Event::InstallerProven(install(4)), "failed");
    assert_eq!(story.state.why(), Some(Why::TooManyAttempts(3)));
    assert_eq!(story.effects.len(), 3, "each broken installation is void: {:?}", story.effects);
    story.tell(Event::Knocked, "failed").tell(Event::Retried, "registered");
}

#[test]
fn a_spoofed_knock_or_claim_does_not_end_an_installation() {
    Story::new(State::Registered)
        .tell(Event::InstallerProven(install(1)), "installing")
        .tell(Event::Knocked, "installing")
        .tell(Event::Claimed, "installing")
        .tell(Event::InstallFinished(install(1)), "first boot");
}

#[test]
fn a_failure_that_cannot_mend_itself_does_not_loop() {
    for kind in [
        FailureKind::NoDisk,
        FailureKind::DiskTooSmall,
        FailureKind::NotABlockDevice,
        FailureKind::PlanRefused,
    ] {
        let mut story = Story::new(State::Registered);
        story.tell(Event::InstallerProven(install(1)), "installing");
        story.tell(Event::InstallFailed(install(1), kind), "failed");
        assert!(matches!(answer(Some(&story.state), Network::Allow), Answer::AddressOnly(_)));
    }
}

#[test]
fn a_corrupt_frame_is_tried_again() {
    Story::new(State::Registered)
        .tell(Event::InstallerProven(install(1)), "installing")
        .tell(Event::InstallFailed(install(1), FailureKind::CorruptFrame), "booting");
}

#[test]
fn reports_of_another_installation_change_nothing() {
    Story::new(State::Registered)
        .tell(Event::InstallerProven(install(2)), "installing")
        .tell(Event::InstallFinished(install(1)), "installing")
        .tell(Event::InstallFailed(install(1), FailureKind::NoDisk), "installing");
}

#[test]
fn refused_evidence_ends_a_running_host() {
    let mut story = Story::new(State::Running { until: Timestamp(1) });
    story.tell(Event::Refused(Why::EvidenceRefused("PCR 4".into())), "quarantined");
    assert_eq!(story.effects, [Effect::Disconnect { host: HostId(Uuid::nil()) }]);
    story.tell(Event::HeartbeatHeard, "quarantined").tell(Event::AgentProven, "quarantined");
}

#[test]
fn a_late_first_boot_still_counts() {
    let mut story = Story::new(State::FirstBoot { install: install(1), until: Timestamp(10) });
    story.wait(1).tell(Event::Tick, "failed").tell(Event::AgentProven, "running");
}

/// What a proof leads to; whether it holds is for `trust` to say.
fn retirement() -> Box<Retirement> {
    let disk = DiskInfo {
        name: "vda".into(),
        size: 1 << 30,
        transport: Transport::Virtio,
        serial: "D1".into(),
        model: String::new(),
        removable: false,
        block_size: 512,
    };
    let report = WipeReport {
        wipe: install(1),
        disk,
        bytes: 1 << 30,
        discard: Discard::Plain,
        zeros: Zeros::Device,
        started: Timestamp(0),
        finished: Timestamp(1),
        samples: 1,
        samples_sha256: Digest([0; 32]),
    };
    let plan = serde_json::from_str(r#"{"payload":"{}","signature":""}"#).expect("its form is sound");
    let (ak_public, quote, signature) = (Hex::default(), Hex::default(), Hex::default());
    let proof = WipeProof { plan, report: String::new(), ak_public, quote, signature };
    Box::new(Retirement { at: Timestamp(0), ek: None, report, proof })
}

#[test]
fn a_running_host_is_wiped_and_retires() {
    let mut story = Story::new(State::Running { until: Timestamp(60_000) });
    story.tell(Event::DecommissionOrdered, "retiring");
    assert_eq!(story.effects, [Effect::Disconnect { host: HostId(Uuid::nil()) }]);
    assert_eq!(answer(Some(&story.state), Network::Allow), Answer::Installer);
    story.wait(1_000_000).tell(Event::Tick, "retiring").tell(Event::AgentProven, "retiring");
    story.tell(Event::HeartbeatHeard, "retiring").tell(Event::Knocked, "retiring");
    story.tell(Event::Claimed, "retiring").tell(Event::InstallerProven(install(1)), "wiping");
    story
        .wait(299)
        .tell(Event::InstallProgressed(install(1)), "wiping")
        .wait(299)
        .tell(Event::Tick, "wiping");
    story
        .tell(Event::InstallFinished(install(1)), "wiping")
        .tell(Event::WipeProven(install(2), retirement()), "wiping");
    story.tell(Event::WipeProven(install(1), retirement()), "retired");
    for event in [Event::Retried, Event::ReinstallOrdered, Event::DecommissionOrdered, Event::AgentProven] {
        story.tell(event, "retired");
    }
    story.tell(Event::Refused(Why::Unknown), "retired").tell(Event::InstallerProven(install(3)), "retired");
}

#[test]
fn a_decommission_can_be_taken_back_until_the_wipe_begins() {
    let mut story = Story::new(State::Silent { since: Timestamp(0) });
    story.tell(Event::DecommissionOrdered, "retiring").tell(Event::Retried, "silent");
    story.tell(Event::AgentProven, "running").tell(Event::DecommissionOrdered, "retiring");
    story.tell(Event::InstallerProven(install(1)), "wiping").tell(Event::Retried, "wiping");
    story.tell(Event::Deauthorised, "wiping").tell(Event::ReinstallOrdered, "registered");
    assert!(story.effects.contains(&Effect::VoidInstall { install: install(1) }));
}

#[test]
fn a_wipe_that_is_cut_off_starts_again_and_counts() {
    let mut story = Story::new(State::Failed { why: Why::FirstBootSilent });
    story.tell(Event::DecommissionOrdered, "retiring");
    story
        .tell(Event::InstallerProven(install(1)), "wiping")
        .tell(Event::InstallerProven(install(2)), "wiping");
    story.tell(Event::WipeProven(install(1), retirement()), "wiping");
    story.wait(301).tell(Event::Tick, "retiring").tell(Event::InstallerProven(install(3)), "wiping");
    story.tell(Event::InstallerProven(install(4)), "failed");
    assert_eq!(story.state.why(), Some(Why::TooManyWipes(3)));
    story.tell(Event::Retried, "retiring").tell(Event::InstallerProven(install(5)), "wiping");
}

#[test]
fn a_disk_that_keeps_data_is_a_failure_that_says_what_to_do() {
    let wiping = || State::Wiping { attempt: 1, install: install(1), until: Timestamp(1000) };
    for kind in [FailureKind::NotZero, FailureKind::SeveralDisks, FailureKind::NoDisk] {
        let mut story = Story::new(wiping());
        story.tell(Event::InstallFailed(install(1), kind), "failed");
        assert!(story.state.why().is_some_and(|why| !why.next().is_empty()));
        assert_eq!(story.effects, [Effect::VoidInstall { install: install(1) }]);
        story.tell(Event::Retried, "retiring");
    }
    Story::new(wiping()).tell(Event::InstallFailed(install(1), FailureKind::DiskFault), "retiring");
}

#[test]
fn what_was_never_let_in_cannot_be_decommissioned() {
    Story::new(State::Pending).tell(Event::DecommissionOrdered, "pending");
    Story::new(State::Registered)
        .tell(Event::InstallerProven(install(1)), "installing")
        .tell(Event::DecommissionOrdered, "installing");
}

fn any_event() -> impl Strategy<Value = Event> {
    let id = (1_u128..4).prop_map(install);
    prop_oneof![
        Just(Event::Knocked),
        Just(Event::Claimed),
        id.clone().prop_map(Event::InstallerProven),
        Just(Event::Refused(Why::Unknown)),
        id.clone().prop_map(Event::InstallProgressed),
        id.clone().prop_map(|i| Event::InstallFailed(i, FailureKind::Download)),
        id.prop_map(Event::InstallFinished),
        Just(Event::AgentProven),
        Just(Event::HeartbeatHeard),
        Just(Event::Tick),
        Just(Event::WipeProven(install(1), retirement())),
    ]
}

proptest! {
    #[test]
    fn no_host_retires_without_proof_and_none_comes_back(events in prop::collection::vec((any_event(), 0_u32..1000), 0..40)) {
        let policy = Policy::default();
        let (mut state, mut now) = (State::Retiring { attempt: 0 }, Timestamp(0));
        for (event, wait) in events {
            now = now.after_seconds(wait);
            let cx = Context { host: HostId(Uuid::nil()), now, policy: &policy };
            let before = state.clone();
            if let Step::Move { to, .. } = step(&state, &event, cx) {
                state = to;
            }
            let retired = matches!(state, State::Retired { .. });
            let proven = matches!((&before, &event), (State::Wiping { install, .. }, Event::WipeProven(wipe, _)) if install == wipe);
            prop_assert!(!retired || proven || before == state);
            let served = matches!(state, State::Running { .. } | State::Installing { .. } | State::FirstBoot { .. });
            prop_assert!(!served, "{:?}", state);
        }
    }

    #[test]
    fn without_a_person_a_stopped_host_never_runs(events in prop::collection::vec((any_event(), 0_u32..1000), 0..40)) {
        let mut story = Story::new(State::Quarantined { why: Why::OtherTpm("a".into()) });
        for (event, wait) in events {
            story.wait(wait).tell(event, "quarantined");
        }
    }

    #[test]
    fn no_host_runs_before_its_agent_proved_itself(events in prop::collection::vec((any_event(), 0_u32..1000), 0..40)) {
        let policy = Policy::default();
        let (mut state, mut now, mut agent) = (State::Registered, Timestamp(0), false);
        for (event, wait) in events {
            now = now.after_seconds(wait);
            agent |= event == Event::AgentProven;
            let cx = Context { host: HostId(Uuid::nil()), now, policy: &policy };
            if let Step::Move { to, .. } = step(&state, &event, cx) {
                state = to;
            }
            let runs = matches!(state, State::Running { .. } | State::Silent { .. });
            prop_assert!(agent || !runs);
            prop_assert!(state.why().is_none_or(|w| !w.next().is_empty()));
        }
    }
}
