//! Stories of one host: a state, events, and where they lead; and what holds for any events at all.

use cairn_contract::{HostId, InstallId, Timestamp, report::FailureKind};
use cairn_domain::{
    Event, Policy, State, Why,
    boot::{Answer, answer},
    host::{Context, Effect, Step, step},
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
    ]
}

proptest! {
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
