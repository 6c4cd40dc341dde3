//! What is left when the process is killed in the middle of its work (SIGKILL): writing, backup, restore, migration.
//!
//! Has a `main` of its own: the one who is killed is this same program, started again with `victim` as its first word.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test; it speaks to its parent")]

mod setup;

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use cairn_store::{Database, RestoreError, Store, Whose};
use libtest_mimic::{Arguments, Trial};
use setup::{NOW, engines::Site, host, insert, line};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [first, rest @ ..] = words.as_slice()
        && first == "victim"
    {
        let rest: Vec<_> = rest.iter().map(String::as_str).collect();
        return runtime().block_on(victim(&rest));
    }
    let stories = [false, true].into_iter().flat_map(|postgres| {
        let engine = if postgres { "postgres" } else { "sqlite" };
        let story = move |name: &str, run: fn(bool)| {
            Trial::test(format!("{name}::{engine}"), move || {
                run(postgres);
                Ok(())
            })
        };
        [
            story("what_was_acknowledged_is_there", |postgres| {
                runtime().block_on(async { what_was_acknowledged_is_there(&site(postgres).await).await });
            }),
            story("a_backup_is_whole_or_not_there", |postgres| {
                runtime().block_on(async { a_backup_is_whole_or_not_there(&site(postgres).await).await });
            }),
            story("a_restore_is_whole_or_did_not_happen", |postgres| {
                runtime()
                    .block_on(async { a_restore_is_whole_or_did_not_happen(&site(postgres).await).await });
            }),
            story("a_migration_is_whole_or_did_not_happen", |postgres| {
                runtime().block_on(a_migration_is_whole_or_did_not_happen(postgres));
            }),
        ]
    });
    libtest_mimic::run(&Arguments::from_args(), stories.collect()).exit();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn site(postgres: bool) -> Site {
    if postgres { Site::postgres().await } else { Site::sqlite() }
}

/// Does one thing until it is killed or done.
async fn victim(words: &[&str]) {
    match words {
        ["write", dir, database] => {
            let store = Store::open_with(Path::new(dir), parse(database)).await.unwrap();
            for i in 1.. {
                store.notes(&[line(Whose::Site, &i.to_string())]).await.unwrap();
                println!("{i}");
            }
        }
        ["backup", to, dir, database] => {
            let store = Store::open_with(Path::new(dir), parse(database)).await.unwrap();
            println!("begin");
            store.backup(Path::new(to), NOW).await.unwrap();
        }
        ["restore", from, dir, database] => {
            println!("begin");
            Store::restore(Path::new(from), Path::new(dir), parse(database)).await.unwrap();
        }
        ["migrate", dir, from, to] => {
            println!("begin");
            Store::migrate(Path::new(dir), parse(from), parse(to), NOW).await.unwrap();
        }
        other => panic!("{other:?} is nothing to do"),
    }
}

fn parse(word: &str) -> Database {
    if word == "sqlite" { Database::Sqlite } else { Database::Postgres(word.to_owned()) }
}

fn word(database: &Database) -> &str {
    match database {
        Database::Sqlite => "sqlite",
        Database::Postgres(url) => url,
    }
}

fn start(words: &[&str]) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("victim").args(words).stdout(Stdio::piped()).spawn().unwrap()
}

/// Kills it `after` it said its first word; says whether it was done before that.
fn kill_after(words: &[&str], after: Duration) -> bool {
    let mut child = start(words);
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    std::thread::sleep(after);
    let done = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(done.is_none_or(|status| status.success()), "{words:?} failed by itself");
    done.is_some()
}

async fn what_was_acknowledged_is_there(site: &Site) {
    let mut last = 0;
    for _ in 0..5 {
        let mut child = start(&["write", site.dir().to_str().unwrap(), word(&site.database)]);
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = 0;
        for line in said.lines().map_while(Result::ok) {
            acknowledged = line.parse().unwrap();
            if acknowledged == 40 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let store = site.open().await;
        let lines = store.site_timeline(last, 10_000).await.unwrap();
        // One more may have been committed and not said.
        assert!((acknowledged..=acknowledged + 1).contains(&lines.len()), "{acknowledged}, {}", lines.len());
        assert!(lines.iter().zip(last + 1..).all(|(line, seq)| line.seq == seq), "without a gap");
        last = lines.last().unwrap().seq;
    }
}

async fn fill(site: &Site) {
    let store = site.open().await;
    for i in 0..20 {
        insert(&store, host(&format!("h{i}"))).await;
    }
    let lines: Vec<_> = (0..20_000).map(|i| line(Whose::Site, &format!("line {i}"))).collect();
    store.notes(&lines).await.unwrap();
    store.close().await;
}

/// Kills it earlier and later, until the target has everything: that may be just before the process would have ended.
/// Each kill leaves a target that is empty, or has everything.
async fn kill_everywhere(words: &[&str], target: impl AsyncFn() -> Store) {
    let mut after = Duration::ZERO;
    let mut empty = 0;
    loop {
        let done = kill_after(words, after);
        let hosts = target().await.hosts(None, 100).await.unwrap().len();
        match hosts {
            0 if !done => empty += 1,
            20 => break,
            some => panic!("{some} hosts, done: {done}"),
        }
        after = (after * 2).max(Duration::from_millis(5));
    }
    assert!(empty > 0, "it was never killed in time: {words:?}");
}

async fn a_backup_is_whole_or_not_there(site: &Site) {
    fill(site).await;
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("b");
    let words = ["backup", folder.to_str().unwrap(), site.dir().to_str().unwrap(), word(&site.database)];
    // The file appears when it is whole: then the next would be refused, and that is right.
    let mut after = Duration::ZERO;
    while !folder.join("tables.zst").exists() {
        kill_after(&words, after);
        after = (after * 2).max(Duration::from_millis(5));
    }
    let target = Site::sqlite();
    Store::restore(&folder, target.dir(), Database::Sqlite).await.unwrap();
    assert_eq!(target.open().await.hosts(None, 100).await.unwrap().len(), 20);
}

async fn a_restore_is_whole_or_did_not_happen(site: &Site) {
    let source = Site::sqlite();
    fill(&source).await;
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("b");
    let original = source.open().await;
    original.backup(&folder, NOW).await.unwrap();
    let (from, dir) = (folder.to_str().unwrap(), site.dir().to_str().unwrap());
    kill_everywhere(&["restore", from, dir, word(&site.database)], async || site.open().await).await;
    let store = site.open().await;
    assert_eq!(store.hosts(None, 100).await.unwrap().len(), 20);
    let lines = original.site_timeline(0, 30_000).await.unwrap();
    assert_eq!(store.site_timeline(0, 30_000).await.unwrap(), lines);
    drop(store);
    let again = Store::restore(&folder, site.dir(), site.database.clone()).await;
    assert!(matches!(again, Err(RestoreError::NotEmpty { .. })), "{again:?}");
}

async fn a_migration_is_whole_or_did_not_happen(from_postgres: bool) {
    let (site, other) = (site(from_postgres).await, site(!from_postgres).await);
    fill(&site).await;
    let dir = site.dir().to_str().unwrap();
    let (from, to) = (word(&site.database), word(&other.database));
    kill_everywhere(&["migrate", dir, from, to], async || {
        let source = site.open().await;
        assert_eq!(source.hosts(None, 100).await.unwrap().len(), 20, "the source is as it was");
        drop(source);
        Store::open_with(site.dir(), other.database.clone()).await.unwrap()
    })
    .await;
}
