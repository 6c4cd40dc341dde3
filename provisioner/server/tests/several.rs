//! Several provisioners on one PostgreSQL: what one writes the others see; one is killed in the midst of everything, and nothing is
//! lost or done twice. And a PostgreSQL that goes away and comes back.
#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cairn_contract::Mac;
use cairn_domain::{Effect, Event, Fact, Subject, policies::Defaults};
use cairn_driver::{Driver, Execute, ExecuteError};
use cairn_postgres::Postgres;
use cairn_store::{Catalog, Database, Reporter as _, Store, SystemClock};
use futures_util::future::BoxFuture;
use http::Method;
use serde_json::{Value, json};
use support::{Client, PROJECT, Site, done, host, name, path, refused};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Pair {
    first: Site,
    second: Site,
    postgres: Postgres,
    url: String,
    folder: TempDir,
}

/// Two provisioners of one site; the first leads.
async fn pair() -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start().unwrap();
    let url = postgres.database().await.unwrap();
    let blobs = folder.path().join("shared");
    fs::create_dir(&blobs).unwrap();
    let settings = format!("database = {url:?}\nblobs = {blobs:?}\n");
    let mut first = Site::init(folder.path().join("first"), &settings);
    first.serve();
    let mut second = join(&first, folder.path().join("second"));
    second.serve();
    Pair { first, second, postgres, url, folder }
}

fn join(first: &Site, dir: std::path::PathBuf) -> Site {
    let words = ["init", "--join", path(&first.dir), "--address", "127.0.0.1", "--data", path(&dir)];
    assert!(done(&words).contains("another provisioner of site shop"));
    Site::at(dir)
}

async fn create(client: &mut Client, plural: &str, body: Value) {
    let made = client.send(Method::POST, &format!("/api/v1/{plural}"), Some(body)).await;
    assert!(made.is_success(), "{made:?}");
}

fn site_named(name: &str) -> Value {
    json!({ "apiVersion": "cairn/v1", "kind": "Site", "metadata": { "name": name, "namespace": PROJECT }, "spec": {} })
}

/// Waits until `ready`, at most `most`; how long it took.
async fn until<F: Future<Output = bool>>(
    what: &str,
    most: Duration,
    mut ready: impl FnMut() -> F,
) -> Duration {
    let since = Instant::now();
    while !ready().await {
        assert!(since.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    since.elapsed()
}

async fn has(site: &Site, wanted: &str) -> bool {
    site.client().send(Method::GET, &format!("/api/v1/hosts/{wanted}.{PROJECT}"), None).await.is_success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_writes_the_other_lists_and_watches_within_a_second() {
    let pair = pair().await;
    let mut writer = pair.first.client();
    let mut watch = pair.second.client().watch("/api/v1/watch?kinds=Host").await;
    let (mut listed, mut watched) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let host = format!("seen-{number}");
        assert!(writer.register(&host).await.is_success());
        let since = Instant::now();
        let words = format!("\"name\":\"{host}\"");
        tokio::time::timeout(Duration::from_secs(5), watch.until(&words))
            .await
            .expect("the watch tells of it");
        watched.push(since.elapsed());
        until("the other lists it", Duration::from_secs(1), || has(&pair.second, &host)).await;
        listed.push(since.elapsed());
    }
    listed.sort();
    watched.sort();
    println!(
        "20 hosts: in the other's watch after {:?} (median), {:?} (most); in its list {:?}, {:?}",
        watched[10], watched[19], listed[10], listed[19]
    );
    assert!(watched[19] < Duration::from_secs(1) && listed[19] < Duration::from_secs(1));

    // A login at one is a login at the other, and a revoked token is void at both.
    let token: Value =
        serde_json::from_str(&pair.first.cairn(&["token", "create", "ci", "--role", "viewer", "--json"]))
            .unwrap();
    let with_token = pair.second.client().with_token(token["secret"].as_str().unwrap());
    until("the token is good at the other", Duration::from_secs(1), || {
        let mut client = with_token.again();
        async move { client.send(Method::GET, "/api/v1/whoami", None).await.is_success() }
    })
    .await;
    pair.first.cairn(&["token", "revoke", "ci"]);
    let took = until("the token is void at the other", Duration::from_secs(1), || {
        let mut client = with_token.again();
        async move { client.send(Method::GET, "/api/v1/whoami", None).await.status() == 401 }
    })
    .await;
    println!("a token that was revoked at one is void at the other after {took:?}");
}

#[tokio::test]
async fn who_cannot_join_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Site::init(dir.path().join("alone"), "");
    let to = dir.path().join("to");
    let join = |from: &std::path::Path| {
        ["init", "--join", path(from), "--address", "127.0.0.1", "--data", path(&to)].map(str::to_owned)
    };
    let words = join(&alone.dir);
    let said = refused(&words.each_ref().map(String::as_str));
    assert!(said.contains("cairn migrate --to postgres://"), "{said}");
    let toml = alone.dir.join("cairn.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, format!("database = \"postgres://nobody@127.0.0.1:1/x\"\n{text}")).unwrap();
    let said = refused(&words.each_ref().map(String::as_str));
    assert!(said.contains("Set `blobs` in its cairn.toml"), "{said}");
    let words = join(dir.path());
    assert!(refused(&words.each_ref().map(String::as_str)).contains("neither a backup nor a data folder"));
    assert!(!to.join("cairn.toml").exists());
}

#[tokio::test]
async fn what_one_imports_into_the_shared_folder_the_other_serves() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let shared = dir.path().join("shared");
    let open = |name: &str| {
        let data = dir.path().join(name);
        let shared = shared.clone();
        async move { Store::open_sharing(&data, &shared, Database::Sqlite).await }
    };
    let unmounted = open("one").await.unwrap_err().to_string();
    assert!(unmounted.contains("shared"), "{unmounted}");
    assert!(!shared.exists(), "it is not made beside the mount");
    fs::create_dir(&shared).unwrap();
    let one = open("one").await.unwrap();
    let mut writer = one.blobs().writer().unwrap();
    writer.write_all(b"an image").unwrap();
    // The other starts while the first writes, and takes nothing away.
    let two = open("two").await.unwrap();
    let (digest, size) = writer.finish().unwrap();
    let (mut file, found) = two.blobs().open(&digest).unwrap().expect("the other has it");
    let mut bytes = String::new();
    std::io::Read::read_to_string(&mut file, &mut bytes).unwrap();
    assert_eq!((bytes.as_str(), found), ("an image", size));
}

/// What the API said yes to, by kind of deed.
#[derive(Default)]
struct Accepted {
    registered: BTreeSet<String>,
    labelled: BTreeMap<String, String>,
    moved: BTreeSet<String>,
}

/// Registers, labels and moves hosts of its own through whichever provisioner answers, until it is told to stop.
async fn work(number: usize, mut at: Vec<Client>, stop: Arc<AtomicBool>) -> Accepted {
    let mut accepted = Accepted::default();
    let mut turn = number;
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let host = format!("w{number}-{round}");
        let count = at.len();
        let client = &mut at[turn % count];
        let made = client.register(&host).await;
        if !made.is_success() {
            assert!(matches!(made.status(), 0 | 409 | 429 | 503), "{made:?}");
            turn += 1;
            continue;
        }
        accepted.registered.insert(host.clone());
        let labelled = client.label(&host, "round", &round.to_string()).await;
        if labelled.is_success() {
            accepted.labelled.insert(host.clone(), round.to_string());
        }
        let to = format!("/api/v1/hosts/{host}.{PROJECT}/move");
        if client.send(Method::POST, &to, Some(json!({ "site": "store-1" }))).await.is_success() {
            accepted.moved.insert(host);
        }
        turn += 1;
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_in_the_midst_of_work_loses_nothing_and_the_other_goes_on() {
    let mut pair = pair().await;
    create(&mut pair.first.client(), "sites", site_named("store-1")).await;
    until("the other has the site", Duration::from_secs(1), || async {
        let key = format!("/api/v1/sites/store-1.{PROJECT}");
        pair.second.client().send(Method::GET, &key, None).await.is_success()
    })
    .await;
    let leads = "this provisioner leads now";
    assert!(pair.first.log().contains(leads) && !pair.second.log().contains(leads));
    let third = Third::open(&pair, 4).await;
    third.boot("timed").await;

    let (mut tasks, stop) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
    for number in 0..6 {
        tasks.spawn(work(number, vec![pair.first.client(), pair.second.client()], Arc::clone(&stop)));
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    third.boot("late").await;
    pair.first.kill();
    let killed = Instant::now();
    let lead =
        until("the other leads", Duration::from_secs(13), || async { pair.second.log().contains(leads) })
            .await;
    until("a deadline acts again", Duration::from_secs(13), || async {
        third.state("late").await != "booting" && killed.elapsed() > Duration::from_secs(1)
    })
    .await;
    println!("killed: the other leads after {lead:?}, a deadline acts after {:?}", killed.elapsed());
    pair.first.serve();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let mut accepted = Accepted::default();
    while let Some(done) = tasks.join_next().await {
        let done = done.unwrap();
        accepted.registered.extend(done.registered);
        accepted.labelled.extend(done.labelled);
        accepted.moved.extend(done.moved);
    }
    let counts = (accepted.registered.len(), accepted.labelled.len(), accepted.moved.len());
    println!("accepted: {counts:?} registrations, labels, moves");
    assert!(counts.0 > 100, "some hundred were asked for");
    let took = nothing_lost_or_twice(&mut pair, &accepted).await;
    println!("both know the same {took:?} after the last answer");
}

/// The log's verb; a move within a project is an update of the host's site there.
fn deed(entry: &Value) -> &str {
    let moved = entry["before"]["spec"]["site"] != entry["after"]["spec"]["site"];
    match entry["verb"].as_str().unwrap() {
        "update" if moved => "move",
        verb => verb,
    }
}

/// Says how long the two took to know the same.
async fn nothing_lost_or_twice(pair: &mut Pair, accepted: &Accepted) -> Duration {
    // The last write through one may take a moment to the other; then both know the same, the one that came back too.
    let took = until("both know the same", Duration::from_secs(2), || async {
        pair.first.client().everything().await == pair.second.client().everything().await
    })
    .await;
    let hosts = pair.second.client().all_of("hosts").await;
    let by_name: BTreeMap<_, _> = hosts.iter().map(|host| (name(host), host)).collect();
    assert_eq!(by_name.len(), hosts.len(), "no name twice");
    for host in &accepted.registered {
        assert!(by_name.contains_key(host), "{host} was accepted and is lost");
    }
    for (host, round) in &accepted.labelled {
        assert_eq!(by_name[host]["metadata"]["labels"]["round"], **round, "{host}");
    }
    for host in &accepted.moved {
        assert_eq!(by_name[host]["spec"]["site"], "store-1", "{host}");
    }
    let log = pair.second.client().audit().await;
    for (verb, names) in [
        ("create", accepted.registered.iter().collect::<Vec<_>>()),
        ("update", accepted.labelled.keys().collect()),
        ("move", accepted.moved.iter().collect()),
    ] {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for entry in log.iter().filter(|e| deed(e) == verb && e["outcome"] == "done" && e["kind"] == "Host") {
            *seen.entry(entry["name"].as_str().unwrap()).or_default() += 1;
        }
        for name in names {
            let entries: Vec<_> = log.iter().filter(|e| e["name"] == **name).collect();
            assert_eq!(seen.get(name.as_str()), Some(&1), "{verb} {name}: {entries:#?}");
        }
    }
    assert!(pair.first.is_running() && pair.second.is_running());
    took
}

/// A third one that never leads: it brings hosts into a state with a deadline, as a boot service would.
struct Third {
    driver: Driver,
    store: Store,
    client: std::sync::Mutex<u8>,
    first: Client,
    _stop: tokio_util::sync::DropGuard,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct NoHosts;

impl Execute for NoHosts {
    fn execute(&self, _: Effect) -> BoxFuture<'_, Result<(), ExecuteError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Third {
    async fn open(pair: &Pair, boot_s: u32) -> Self {
        let store = Store::open_with(&pair.folder.path().join("third"), Database::Postgres(pair.url.clone()))
            .await
            .unwrap();
        let catalog = Catalog::load(store.clone()).await.unwrap();
        let mut defaults = Defaults::default();
        defaults.policy.boot_s = boot_s;
        let (shared, clock) = ((store.clone(), catalog.clone()), Arc::new(SystemClock));
        let driver = Driver::new(shared, Arc::new(defaults), clock, Arc::new(NoHosts));
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let (following, token) = (store.clone(), stop.clone());
        tasks.spawn(async move { following.follow(token).await });
        let token = stop.clone();
        tasks.spawn(async move { catalog.follow(token).await });
        let first = pair.second.client();
        Self {
            driver,
            store,
            client: std::sync::Mutex::new(1),
            first,
            _stop: stop.drop_guard(),
            _tasks: tasks,
        }
    }

    /// Registers a host and lets it knock.
    async fn boot(&self, name: &str) {
        let number = {
            let mut last = self.client.lock().unwrap();
            *last += 1;
            *last
        };
        let mac = Mac([2, 0, 0, 0, 0, number]);
        let mut doc = host(name);
        doc["spec"]["macs"] = json!([mac.to_string()]);
        let made = self.first.again().send(Method::POST, "/api/v1/hosts", Some(doc)).await;
        assert!(made.is_success(), "{made:?}");
        let subject = Subject::Machine { mac, uuid: None };
        let knock = Fact { subject, event: Some(Event::Knocked), note: None };
        let outcome = self.driver.report(knock).await.unwrap();
        assert!(outcome.host.is_some(), "the host is known");
        assert_eq!(self.state(name).await, "booting");
    }

    async fn state(&self, name: &str) -> String {
        let all = self.store.all_states().await.unwrap();
        let found = all.iter().find(|standing| standing.name == name).unwrap();
        found.state.word().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_goes_away_and_comes_back() {
    let mut pair = pair().await;
    let mut client = pair.first.client();
    assert!(client.register("before").await.is_success());
    pair.postgres.kill();
    let since = Instant::now();
    let refused = client.register("during").await;
    let support::Answer::Came { status, retry_after, body } = &refused else { panic!("no answer") };
    println!("without PostgreSQL: {status} after {:?}: {body}", since.elapsed());
    assert_eq!((status.as_u16(), retry_after.as_deref()), (503, Some("5")), "{body}");
    assert_eq!(body["type"], "urn:cairn:problem:unavailable");
    assert!(body["next"].as_str().unwrap().contains("PostgreSQL"), "{body}");
    // What is in memory can still be read.
    assert_eq!(client.all_of("hosts").await.len(), 1);
    let ready = client.send(Method::GET, "/readyz", None).await;
    assert_eq!(ready.status(), 503);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(pair.first.is_running() && pair.second.is_running(), "{}", pair.first.log());

    pair.postgres.restart().unwrap();
    let took = until("a write goes through", Duration::from_secs(10), || {
        let mut client = pair.first.client();
        async move { client.register("after").await.is_success() }
    })
    .await;
    println!("PostgreSQL is back: a write goes through after {took:?}");
    let took = until("the other sees it", Duration::from_secs(10), || has(&pair.second, "after")).await;
    println!("... and the other sees it after {took:?}");
    let names: BTreeSet<_> = pair.second.client().all_of("hosts").await.iter().map(name).collect();
    assert!(names.contains("before") && names.contains("after"));
    let log = pair.second.client().audit().await;
    let created = |host: &str| log.iter().filter(|e| e["verb"] == "create" && e["name"] == host).count();
    assert_eq!((created("before"), created("after")), (1, 1));
    assert_eq!(created("during"), usize::from(names.contains("during")));
}
