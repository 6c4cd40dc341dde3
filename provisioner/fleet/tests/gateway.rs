//! What proven hosts may say, over a real store and driver: a token speaks for one installation, a certificate for a host
//! that runs.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use cairn_contract::{
    Digest, Heartbeat, HostId, InstallId, Inventory, Mac, Report, ReportReply, Timestamp,
    report::{Phase, ReportKind},
};
use cairn_domain::{Effect, Event, Fact, HostSpec, State, Subject, Why, audit::Actor, fact::Claim};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_fleet::{Gateway, gateway::GatewayError};
use cairn_store::{By, Catalog, ManualClock, NewInstall, Order, Reporter as _, Run, Store};
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[derive(Debug)]
struct NoConnections;

impl Execute for NoConnections {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

struct Site {
    driver: Arc<Driver>,
    gateway: Gateway,
    clock: Arc<ManualClock>,
    host: HostId,
    _following: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
        let catalog = Catalog::load(store.clone()).await.unwrap();
        let mut following = JoinSet::new();
        let follower = catalog.clone();
        following.spawn(async move { follower.follow(CancellationToken::new()).await });
        let parts = (store.clone(), catalog);
        let driver = Arc::new(Driver::new(parts, Arc::default(), clock.clone(), Arc::new(NoConnections)));
        let spec = HostSpec { name: "edge-1".into(), macs: vec![mac()], ..HostSpec::default() };
        let by = By { actor: Actor::system("a test"), run: Run::Commit };
        let host = driver.order(Order::Register(Box::new(spec.into())), by).await.unwrap().id;
        let gateway = Gateway::new(store, driver.clone(), clock.clone());
        Self { driver, gateway, clock, host, _following: following, _dir: dir }
    }

    async fn install(&self, n: u128, token: &str) {
        let fact = proven(Event::InstallerProven(install(n)));
        let new = NewInstall { token_sha256: Digest::of(token.as_bytes()), image: "tiny".into(), version: 1 };
        self.driver.report_install(fact, new).await.unwrap();
    }

    async fn say(&self, token: &str, n: u128, kind: ReportKind) -> Result<ReportReply, GatewayError> {
        self.gateway.report(token, Report { install: install(n), kind }).await
    }

    async fn beat(&self) -> Result<(), GatewayError> {
        let beat = Heartbeat {
            boot_id: Uuid::nil(),
            uptime_s: 1,
            slot: "a".into(),
            agent_rss: 1,
            agent_version: "1".into(),
        };
        self.gateway.heartbeat(self.host, &beat).await.map(drop)
    }
}

fn mac() -> Mac {
    Mac([2, 0, 0, 0, 0, 1])
}

fn install(n: u128) -> InstallId {
    InstallId(Uuid::from_u128(n))
}

fn proven(event: Event) -> Fact {
    let claim =
        Claim { ek: Digest::of(b"ek"), boot_mac: mac(), inventory: Inventory::default(), class: None };
    Fact { subject: Subject::Proven(Box::new(claim)), event: Some(event), note: None }
}

fn progress() -> ReportKind {
    ReportKind::Progress { phase: Phase::Write, done: 1, total: 2 }
}

fn finished() -> ReportKind {
    ReportKind::Finished { disk: "vda".into(), phases: vec![], resumed: 0, target: None }
}

#[tokio::test]
async fn a_token_speaks_for_its_own_installation_only() {
    let site = Site::new().await;
    site.install(1, "first").await;
    assert!(matches!(site.say("first", 1, progress()).await, Ok(ReportReply::Continue)));
    assert!(matches!(site.say("other", 1, progress()).await, Err(GatewayError::Forbidden(_))));
    assert!(matches!(site.say("first", 2, finished()).await, Err(GatewayError::Forbidden(_))));
}

#[tokio::test]
async fn an_installation_that_was_begun_again_is_told_to_stop() {
    let site = Site::new().await;
    site.install(1, "first").await;
    site.install(2, "second").await;
    assert!(matches!(site.say("first", 1, finished()).await, Ok(ReportReply::Stop { .. })));
    assert!(matches!(site.say("second", 2, progress()).await, Ok(ReportReply::Continue)));
    assert!(matches!(site.say("second", 2, finished()).await, Ok(ReportReply::Continue)));
    // The answer was lost: it is said again, and changes nothing.
    assert!(matches!(site.say("second", 2, finished()).await, Ok(ReportReply::Continue)));
}

#[tokio::test]
async fn only_a_running_host_is_heard_whatever_its_certificate_says() {
    let site = Site::new().await;
    assert!(matches!(site.beat().await, Err(GatewayError::Forbidden(_))));
    site.install(1, "token").await;
    site.say("token", 1, finished()).await.unwrap();
    assert!(matches!(site.beat().await, Err(GatewayError::Forbidden(_))), "its system has not proven itself");
    site.driver.report(proven(Event::AgentProven)).await.unwrap();
    site.beat().await.unwrap();
    site.clock.advance(61);
    site.driver.tick().await.unwrap();
    site.beat().await.unwrap();
    let refused = Event::Refused(Why::EvidenceRefused("pcr 11".into()));
    let host = site.driver.report(proven(refused)).await.unwrap().host.unwrap();
    assert!(matches!(host.state, State::Quarantined { .. }));
    assert!(matches!(site.beat().await, Err(GatewayError::Forbidden(_))));
    assert!(site.gateway.inventory(site.host, Inventory::default()).await.is_err());
}
