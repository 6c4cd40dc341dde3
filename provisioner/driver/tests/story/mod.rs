//! Stories: commands on the left, what came of each on the right. A test that differs prints the whole story as it went.
//!
//! ```text
//! register NAME [serial=S] [uuid=U] [mac=N] [ek=E]     accept NAME [NEW] | retry NAME | reinstall NAME | remove NAME
//!                                                      deauthorise NAME | decommission NAME
//! knock N [uuid=U]                                     a machine with the address 52:54:00:00:00:NN asks for a boot
//! wire N EVENT                                         an event of a machine that proves nothing
//! prove E [serial=S] [mac=N] EVENT                     a machine whose TPM proved the EK E
//! host NAME EVENT                                      an event of a known host
//! +60s                                                 time passes; deadlines act
//! fail N | effects                                     the next N effects fail; runs the outbox
//! timeline NAME | machine N | site                     prints it
//! ```
//! NAME may be the start of a name. EVENT: claimed, install=I, agent, heartbeat, refused, progress=I, finished=I, failed=I,
//! wiped=I, nothing.

#![allow(dead_code, reason = "each test uses some")]
#![allow(clippy::unwrap_used, reason = "only tests use this")]

use std::sync::{Arc, Mutex};

use cairn_contract::{
    Digest, HostId, InstallId, Inventory, Mac, Smbios, Timestamp, inventory::NicInfo, report::FailureKind,
};
use cairn_domain::{
    Effect, Event, Fact, HostSpec, Level, Note, Subject, Why, audit::Actor, fact::Claim, policies::Defaults,
    timeline::Entry,
};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_store::{
    Admission, By, Catalog, ManualClock, NewInstall, Order, OrderError, Reporter as _, Run, Store, Windows,
};
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Runs effects by writing them down; fails while told to.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) done: Mutex<Vec<Effect>>,
    pub(crate) failures: Mutex<u32>,
}

impl Execute for Recorder {
    fn execute(&self, effect: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async move {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(ExecuteError::new("the network is down"));
            }
            self.done.lock().unwrap().push(effect);
            Ok(())
        })
    }
}

pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) driver: Arc<Driver>,
    pub(crate) dir: tempfile::TempDir,
    following: JoinSet<()>,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn in_dir(dir: tempfile::TempDir) -> Self {
        let store = Store::open(dir.path()).await.unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
        let recorder = Arc::new(Recorder::default());
        let catalog = Catalog::load(store.clone()).await.unwrap();
        let mut following = JoinSet::new();
        let follower = catalog.clone();
        following.spawn(async move { follower.follow(CancellationToken::new()).await });
        let (defaults, parts) = (Arc::new(Defaults::default()), (store.clone(), catalog.clone()));
        let driver = Arc::new(Driver::new(parts, defaults, clock.clone(), recorder.clone()));
        Self { store, catalog, clock, recorder, driver, dir, following }
    }

    /// Ends as a process does; what it wrote stays.
    pub(crate) async fn close(self) -> tempfile::TempDir {
        let Self { dir, mut following, .. } = self;
        following.shutdown().await;
        dir
    }

    pub(crate) async fn id(&self, name: &str) -> HostId {
        let hosts = self.store.hosts(None, 100).await.unwrap();
        let found = hosts.iter().find(|h| h.spec.name.starts_with(name));
        found.unwrap_or_else(|| panic!("no host {name}")).id
    }
}

/// An operator, in earnest.
pub(crate) fn by() -> By {
    By { actor: Actor::system("a test"), run: Run::Commit }
}

/// Tells the story and compares.
#[track_caller]
pub(crate) fn check(story: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (expected, told) = runtime.block_on(async {
        let site = Site::new().await;
        let (mut expected, mut told) = (Vec::new(), Vec::new());
        for line in story.lines().map(str::trim).filter(|l| !l.is_empty()) {
            if let Some(more) = line.strip_prefix('|') {
                expected.push(format!("  | {}", more.trim()));
                continue;
            }
            let (command, result) = line.split_once("->").unwrap_or((line, ""));
            expected.push(format!("{} -> {}", command.trim(), result.trim()));
            let mut lines = run(&site, command.trim()).await;
            told.push(format!(
                "{} -> {}",
                command.trim(),
                if lines.is_empty() { String::new() } else { lines.remove(0) }
            ));
            told.extend(lines.into_iter().map(|l| format!("  | {l}")));
        }
        (expected, told)
    });
    assert!(
        expected == told,
        "the story went\n{}\n\nand was expected to go\n{}\n",
        told.join("\n"),
        expected.join("\n")
    );
}

async fn run(site: &Site, command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let of = |key: &str| value(&words, key);
    match words.as_slice() {
        ["register", name, ..] => {
            let spec = HostSpec {
                name: (*name).into(),
                serial: of("serial"),
                uuid: of("uuid"),
                macs: of("mac").map(|m| mac(&m)).into_iter().collect(),
                ek: of("ek").map(|e| ek(&e)),
                ..HostSpec::default()
            };
            order(site, Order::Register(Box::new(spec.into()))).await
        }
        ["accept", name] => {
            order(site, Order::Accept { id: site.id(name).await, admission: Box::default() }).await
        }
        ["accept", name, new] => {
            let admission = Admission { name: Some((*new).into()), ..Admission::default() };
            order(site, Order::Accept { id: site.id(name).await, admission: Box::new(admission) }).await
        }
        ["retry", name] => order(site, Order::Retry(site.id(name).await)).await,
        ["reinstall", name] => {
            order(site, Order::Reinstall { id: site.id(name).await, windows: Windows::Respect }).await
        }
        ["deauthorise", name] => order(site, Order::Deauthorise(site.id(name).await)).await,
        ["decommission", name] => order(site, Order::Decommission(site.id(name).await)).await,
        ["remove", name] => order(site, Order::Remove(site.id(name).await)).await,
        ["knock" | "wire" | "prove" | "host", ..] => fact(site, &words).await,
        ["effects"] => {
            site.driver.run_due_effects().await;
            let done = std::mem::take(&mut *site.recorder.done.lock().unwrap());
            vec![done.iter().map(effect).collect::<Vec<_>>().join(", ")]
        }
        ["fail", times] => {
            *site.recorder.failures.lock().unwrap() = times.parse().unwrap();
            vec![String::new()]
        }
        ["timeline", name] => lines(site.store.timeline(site.id(name).await, 0, 100).await.unwrap()),
        ["machine", m] => lines(site.store.machine_timeline(mac(m), 0, 100).await.unwrap()),
        ["site"] => lines(site.store.site_timeline(0, 100).await.unwrap()),
        [time] => {
            let seconds = time.strip_prefix('+').and_then(|t| t.strip_suffix('s')).unwrap().parse().unwrap();
            site.clock.advance(seconds);
            site.driver.tick().await.unwrap();
            let hosts = site.store.hosts(None, 100).await.unwrap();
            vec![
                hosts
                    .iter()
                    .map(|h| format!("{} {}", h.spec.name, h.state.word()))
                    .collect::<Vec<_>>()
                    .join(", "),
            ]
        }
        _ => panic!("no such command: {command}"),
    }
}

/// The commands that tell the driver that something happened.
async fn fact(site: &Site, words: &[&str]) -> Vec<String> {
    let of = |key: &str| value(words, key);
    match words {
        ["knock", m, ..] => {
            let subject = Subject::Machine { mac: mac(m), uuid: of("uuid") };
            happen(site, subject, Some(Event::Knocked), "boot.asked").await
        }
        ["wire", m, event] => {
            happen(site, Subject::Machine { mac: mac(m), uuid: None }, event_of(event), "wire").await
        }
        ["prove", e, rest @ ..] => {
            let boot_mac = of("mac").map_or(Mac([2; 6]), |m| mac(&m));
            let claim = Claim {
                class: None,
                ek: ek(e),
                boot_mac,
                inventory: inventory(&of("serial").unwrap_or_default(), boot_mac),
            };
            let event = rest.iter().find_map(|w| event_of(w));
            happen(site, Subject::Proven(Box::new(claim)), event, "attest").await
        }
        ["host", name, event] => {
            let subject = Subject::Host(site.id(name).await);
            happen(site, subject, event_of(event), "report").await
        }
        _ => panic!("no such fact: {words:?}"),
    }
}

/// The value of `key=value` among the words.
fn value(words: &[&str], key: &str) -> Option<String> {
    words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
}

fn lines(entries: Vec<Entry>) -> Vec<String> {
    let line = |e: Entry| {
        let state = e.state.map(|s| format!(" [{s}]")).unwrap_or_default();
        format!("{}: {}{state}", e.note.code, e.note.text)
    };
    std::iter::once(String::new()).chain(entries.into_iter().map(line)).collect()
}

async fn order(site: &Site, order: Order) -> Vec<String> {
    vec![match site.driver.order(order, by()).await {
        Ok(host) => format!("{} {}", host.spec.name, host.state.word()),
        Err(error @ OrderError::Name { .. }) => {
            format!("refused: {error}: {}", std::error::Error::source(&error).unwrap())
        }
        Err(error) => format!("refused: {error}"),
    }]
}

async fn happen(site: &Site, subject: Subject, event: Option<Event>, code: &'static str) -> Vec<String> {
    let note = (event != Some(Event::HeartbeatHeard)).then(|| {
        let text = match &event {
            Some(Event::Refused(why)) => why.to_string(),
            Some(event) => format!("{event:?}").split('(').next().unwrap().to_lowercase(),
            None => "something".into(),
        };
        Note::new(Level::Info, code, text)
    });
    let token = event.clone();
    let fact = Fact { subject, event, note };
    let outcome = match token {
        Some(Event::InstallerProven(id)) => {
            let token_sha256 = Digest::of(id.to_string().as_bytes());
            site.driver
                .report_install(fact, NewInstall { token_sha256, image: "tiny".into(), version: 7 })
                .await
        }
        _ => site.driver.report(fact).await,
    }
    .unwrap();
    let Some(host) = outcome.host else { return vec!["nobody".into()] };
    let mut stored = site.store.host(host.id).await.unwrap().unwrap();
    // That is the store's affair, and comes with the next read.
    stored.meta.resource_version = host.meta.resource_version;
    assert_eq!(host, stored, "what is reported back is what is stored");
    let how = outcome.recognition.map(|r| format!(" ({r:?})").to_lowercase()).unwrap_or_default();
    vec![format!("{} {}{how}", host.spec.name, host.state.word())]
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Disconnect { .. } => "disconnect".into(),
        Effect::VoidInstall { install } => format!("void {}", install.0.as_u128()),
    }
}

fn event_of(word: &str) -> Option<Event> {
    let (word, id) = word.split_once('=').unwrap_or((word, "0"));
    let install = || InstallId(Uuid::from_u128(id.parse().unwrap()));
    Some(match word {
        "knocked" => Event::Knocked,
        "claimed" => Event::Claimed,
        "install" => Event::InstallerProven(install()),
        "agent" => Event::AgentProven,
        "heartbeat" => Event::HeartbeatHeard,
        "refused" => Event::Refused(Why::EvidenceRefused("PCR 4 differs".into())),
        "progress" => Event::InstallProgressed(install()),
        "finished" => Event::InstallFinished(install()),
        "wiped" => Event::WipeProven(install(), Box::new(serde_json::from_str(RETIREMENT).unwrap())),
        "failed" => Event::InstallFailed(install(), FailureKind::CorruptFrame),
        _ => return None,
    })
}

/// Whether a proof holds is for `trust` to say; here it has been said.
const RETIREMENT: &str = r#"{"at":0,"ek":null,
    "report":{"wipe":"00000000-0000-0000-0000-000000000001","disk":{"name":"vda","size":1,"transport":"virtio"},"bytes":1,
              "discard":"plain","zeros":"device","started":0,"finished":1,"samples":1,
              "samples_sha256":"0000000000000000000000000000000000000000000000000000000000000000"},
    "proof":{"plan":{"payload":"{}","signature":""},"report":"","ak_public":"","quote":"","signature":""}}"#;

pub(crate) fn mac(number: &str) -> Mac {
    Mac([0x52, 0x54, 0, 0, 0, number.parse().unwrap()])
}

pub(crate) fn ek(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub(crate) fn inventory(serial: &str, boot: Mac) -> Inventory {
    let nic =
        NicInfo { name: "eth0".into(), mac: boot, driver: String::new(), speed_mbps: None, carrier: true };
    Inventory {
        smbios: Smbios { serial: serial.into(), ..Smbios::default() },
        nics: vec![nic],
        ..Inventory::default()
    }
}
