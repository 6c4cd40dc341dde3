//! The agent's own supervisor with real processes: kept running, adopted by the next agent, ended with all that they started.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cairn_contract::workload::{Condition, Probe, Restart, Unit};
use cairn_runtime::units::{Children, Order, UnitState, UnitStatus, Units};

const SOON: Duration = Duration::from_secs(20);

fn unit(name: &str, script: &str) -> Order {
    let run = ["/bin/busybox", "sh", "-c", script].map(str::to_owned).to_vec();
    let unit = Unit { name: name.into(), run, env: BTreeMap::new(), after: vec![], leave_children: false };
    Order { grace: Duration::from_secs(2), ..Order::of(&unit) }
}

#[track_caller]
fn pid(status: &UnitStatus) -> i32 {
    let UnitState::Running { pid } = status.state else { panic!("{status:?}") };
    pid
}

async fn until(units: &Children, name: &str, wanted: impl Fn(&UnitStatus) -> bool) -> UnitStatus {
    let looking = async {
        loop {
            if let Some(status) = units.status(name).await.unwrap().filter(&wanted) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, looking).await.expect("the unit does not get there")
}

fn runs(status: &UnitStatus) -> bool {
    matches!(status.state, UnitState::Running { .. })
}

async fn logged(units: &Children, name: &str, wanted: &str) -> String {
    let looking = async {
        loop {
            let text = String::from_utf8_lossy(&units.log(name).tail(100).unwrap()).into_owned();
            if text.contains(wanted) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, looking).await.expect("the log does not hold it")
}

fn lives(pid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_unit_that_ends_is_started_again_and_its_output_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let units = Children::open(folder.path()).unwrap();
    let order = unit("again", "echo up $X; echo err >&2; exit 3");
    units.ensure(&order).await.unwrap();
    let status = until(&units, "again", |s| s.restarts >= 1 && s.state == UnitState::Pausing).await;
    assert_eq!(status.message, "it ended with status 3");
    let text = logged(&units, "again", "cairn: it ended with status 3").await;
    assert!(text.starts_with("up\nerr\n"), "{text}");
    units.stop("again", Duration::ZERO).await.unwrap();
    assert_eq!(units.status("again").await.unwrap(), None);
    assert!(units.names().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_next_agent_goes_on_with_the_same_process_and_ends_it_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let order = unit("adopted", "sleep 1000 & echo child $!; wait");
    let units = Children::open(folder.path()).unwrap();
    units.ensure(&order).await.unwrap();
    let first = pid(&until(&units, "adopted", runs).await);
    let text = logged(&units, "adopted", "child").await;
    let child: i32 = text.trim().rsplit(' ').next().unwrap().parse().unwrap();
    drop(units);
    assert!(lives(first) && lives(child));

    let units = Children::open(folder.path()).unwrap();
    assert!(units.names().await.unwrap().contains("adopted"));
    units.ensure(&order).await.unwrap();
    assert_eq!(pid(&until(&units, "adopted", runs).await), first);
    units.stop("adopted", Duration::from_secs(1)).await.unwrap();
    assert!(!lives(first) && !lives(child));
}

#[tokio::test]
async fn another_order_ends_the_first_even_when_it_was_an_earlier_agents() {
    let folder = tempfile::tempdir().unwrap();
    let units = Children::open(folder.path()).unwrap();
    units.ensure(&unit("other", "sleep 1000")).await.unwrap();
    let first = pid(&until(&units, "other", runs).await);
    drop(units);
    let units = Children::open(folder.path()).unwrap();
    units.ensure(&unit("other", "sleep 1001")).await.unwrap();
    let second = pid(&until(&units, "other", |s| runs(s) && pid(s) != first).await);
    assert!(!lives(first));
    units.restart("other").await.unwrap();
    let third = pid(&until(&units, "other", |s| runs(s) && pid(s) != second).await);
    assert!(!lives(second));
    units.stop("other", Duration::ZERO).await.unwrap();
    assert!(!lives(third));
}

#[tokio::test]
async fn a_process_that_no_record_tells_of_is_found_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let units = Children::open(folder.path()).unwrap();
    units.ensure(&unit("lost", "sleep 1000")).await.unwrap();
    let first = pid(&until(&units, "lost", runs).await);
    // The kernel shows the environment an instant after the program began.
    while std::fs::read(format!("/proc/{first}/environ")).unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(units);
    std::fs::remove_file(folder.path().join("records/lost.json")).unwrap();
    let units = Children::open(folder.path()).unwrap();
    units.stop("lost", Duration::from_secs(1)).await.unwrap();
    assert!(!lives(first));
}

#[tokio::test]
async fn who_ignores_sigterm_is_killed_and_who_is_left_alone_stays() {
    let folder = tempfile::tempdir().unwrap();
    let units = Children::open(folder.path()).unwrap();
    let mut order = unit("stubborn", "trap '' TERM; sleep 1000 & echo child $!; while :; do wait; done");
    order.unit.leave_children = true;
    units.ensure(&order).await.unwrap();
    let first = pid(&until(&units, "stubborn", runs).await);
    let text = logged(&units, "stubborn", "child").await;
    let child: i32 = text.trim().rsplit(' ').next().unwrap().parse().unwrap();
    units.stop("stubborn", Duration::from_millis(300)).await.unwrap();
    assert!(!lives(first));
    assert!(lives(child), "with leave_children it stays");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_unit_starts_when_its_probe_holds() {
    let folder = tempfile::tempdir().unwrap();
    let sign = folder.path().join("sign").to_str().unwrap().to_owned();
    let units = Children::open(&folder.path().join("units")).unwrap();
    let mut order = unit("after", "sleep 1000");
    let condition = Condition::Exists(sign.clone());
    order.unit.after = vec![Probe { name: "sign".into(), condition, patience_s: 60 }];
    units.ensure(&order).await.unwrap();
    let status = until(&units, "after", |s| !s.message.is_empty() && s.message.contains("sign")).await;
    assert_eq!(status.state, UnitState::Waiting);
    std::fs::write(&sign, "").unwrap();
    until(&units, "after", runs).await;
    units.stop("after", Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn orders_once_and_bad_names_are_kept_to() {
    let folder = tempfile::tempdir().unwrap();
    let units = Children::open(folder.path()).unwrap();
    let once = Order { restart: Restart::OnFailure, ..unit("once", "exit 0") };
    units.ensure(&once).await.unwrap();
    let status = until(&units, "once", |s| matches!(s.state, UnitState::Ended { .. })).await;
    assert_eq!((status.state, status.restarts), (UnitState::Ended { code: Some(0) }, 0));
    units.ensure(&once).await.unwrap();
    units.stop("once", Duration::ZERO).await.unwrap();
    for bad in ["", "../x", "A", "a/b", &"a".repeat(64)] {
        assert!(units.ensure(&unit(bad, "true")).await.is_err(), "{bad}");
    }
    let absent = Order { ..unit("absent", "true") };
    let mut absent = absent;
    absent.unit.run = vec!["/nowhere/at/all".into()];
    units.ensure(&absent).await.unwrap();
    let status = until(&units, "absent", |s| s.state == UnitState::Pausing).await;
    assert!(status.message.starts_with("cannot be started: No such file"), "{status:?}");
    units.stop("absent", Duration::ZERO).await.unwrap();
    assert!(Path::new(folder.path()).exists());
}
