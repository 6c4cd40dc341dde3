//! One unit's life under the agent's own supervisor. One task; its order comes by a `watch`, its status goes out by one.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use cairn_contract::workload::Restart;
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::record::{Place, Record};
use super::{Order, UnitState, UnitStatus, all_hold};
use crate::clock::{Backoff, now};
use crate::log::LOOK;
use crate::process::Process;

/// Where programs of units that name no `PATH` find others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What outlived SIGKILL that long sleeps in the kernel.
const DEATH: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);
/// For what is left of a unit that ended by itself.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// What the unit shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Kept running; another number is another start.
    Run(Order, u64),
    /// Ended within this grace.
    Gone(Duration),
}

impl Wanted {
    pub(super) fn again(&mut self) {
        if let Self::Run(_, start) = self {
            *start += 1;
        }
    }

    /// The same but for the number of starts.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Run(a, _), Self::Run(b, _)) => a == b,
            (a, b) => a == b,
        }
    }
}

/// How one life of the unit ended.
enum End {
    /// Something else is wanted now.
    Overtaken,
    /// By itself.
    Itself(Option<ExitStatus>),
    /// It could not be started.
    Unstartable(String),
}

/// The process that is kept.
enum Running {
    /// Started by this agent.
    Child(Box<Child>, Process),
    /// Started by one before it.
    Adopted(Process),
}

pub(super) struct Keeper {
    place: Place,
    wanted: watch::Receiver<Wanted>,
    status: watch::Sender<UnitStatus>,
    backoff: Backoff,
    /// The start that the order asked for and that was carried out.
    started: Option<u64>,
}

impl Keeper {
    pub(super) fn new(
        place: Place,
        wanted: watch::Receiver<Wanted>,
        status: watch::Sender<UnitStatus>,
    ) -> Self {
        Self { place, wanted, status, backoff: Backoff::new(), started: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            match wanted {
                Wanted::Gone(grace) => {
                    self.clear(grace).await;
                    if !self.wanted.has_changed().unwrap_or(false) {
                        return;
                    }
                }
                Wanted::Run(order, start) => {
                    let began = now();
                    let end = self.live(&order, start).await;
                    if !self.after(&order, end, began.elapsed()).await {
                        return;
                    }
                }
            }
        }
    }

    /// From the probes to the end of the process.
    async fn live(&mut self, order: &Order, start: u64) -> End {
        let mut running = match self.take_over(order, start).await {
            Some(process) => Running::Adopted(process),
            None => match self.begin(order).await {
                Ok(running) => running,
                Err(end) => return end,
            },
        };
        self.started = Some(start);
        self.say(UnitState::Running { pid: running.process().pid }, String::new());
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                status = running.ended() => return End::Itself(status),
                changed = self.wanted.changed() => return self.overtaken(changed.is_ok()).await,
                _ = look.tick() => self.bound_log(),
            }
        }
    }

    /// What an earlier agent left: goes on when it is what is wanted, else ends.
    async fn take_over(&mut self, order: &Order, start: u64) -> Option<Process> {
        let fresh = self.started.is_none_or(|s| s == start);
        let record = self.place.load();
        let recorded = record.filter(|r| r.process.alive() && r.order == order.fingerprint());
        if let Some(record) = recorded.filter(|_| fresh) {
            return Some(record.process);
        }
        self.say(UnitState::Waiting, "what ran before it ends".to_owned());
        self.clear_for(order).await;
        None
    }

    async fn begin(&mut self, order: &Order) -> Result<Running, End> {
        let say = self.status.clone();
        let waiting =
            move |message| say.send_modify(|s| (s.state, s.message) = (UnitState::Waiting, message));
        tokio::select! {
            () = all_hold(&order.unit, waiting) => {}
            changed = self.wanted.changed() => return Err(self.overtaken(changed.is_ok()).await),
        }
        self.start(order).map_err(|e| End::Unstartable(e.to_string()))
    }

    fn start(&self, order: &Order) -> std::io::Result<Running> {
        let log = self.place.log();
        let _left = log.bound();
        let out = log.open()?;
        let err = out.try_clone()?;
        let mut argv = order.unit.run.iter();
        let mut command = Command::new(argv.next().map_or("", String::as_str));
        command.args(argv).env_clear().env("PATH", PATH).envs(&order.unit.env);
        let (name, value) = self.place.mark();
        command.env(name, value).current_dir("/").stdin(Stdio::null()).stdout(out).stderr(err);
        command.process_group(0);
        if let Some(user) = order.user {
            command.uid(user.uid).gid(user.gid);
        }
        let child = command.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
        // One that has ended already is seen to have ended.
        let process = Process::of(pid).unwrap_or(Process { pid, start: 0 });
        let leave_children = order.unit.leave_children;
        self.place.save(&Record { process, order: order.fingerprint(), leave_children })?;
        Ok(Running::Child(Box::new(child), process))
    }

    /// Another order came; `alive` is false when the supervisor itself is gone, and then all goes on.
    async fn overtaken(&self, alive: bool) -> End {
        if !alive {
            std::future::pending::<()>().await;
        }
        End::Overtaken
    }

    /// Waits as the order says; false when the task is over.
    async fn after(&mut self, order: &Order, end: End, ran: Duration) -> bool {
        let (message, failed, code) = match end {
            End::Overtaken => return true,
            End::Itself(status) => {
                (told(status), !status.is_some_and(|s| s.success()), status.and_then(|s| s.code()))
            }
            End::Unstartable(text) => (format!("cannot be started: {text}"), true, None),
        };
        self.place.log().note(&message);
        if !order.unit.leave_children {
            self.end_members(None, LEFTOVERS).await;
        }
        let again = match order.restart {
            Restart::Always => true,
            Restart::OnFailure => failed,
            Restart::Never => false,
        };
        if !again {
            self.say(UnitState::Ended { code }, message);
            return self.wanted.changed().await.is_ok();
        }
        let pause = self.backoff.after(ran);
        tracing::warn!(unit = %order.unit.name, pause_s = pause.as_secs(), "{message}; it is started again");
        self.say(UnitState::Pausing, message);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = self.wanted.changed() => if changed.is_err() { return false },
        }
        self.status.send_modify(|s| s.restarts = s.restarts.saturating_add(1));
        true
    }

    /// Ends what runs, before another order's start: as the order it was started under says.
    async fn clear_for(&self, order: &Order) {
        let record = self.place.load();
        let leave = record.as_ref().map_or(order.unit.leave_children, |r| r.leave_children);
        let first =
            record.map(|r| r.process).filter(|p| p.alive()).or_else(|| self.place.find(&order.unit.run));
        self.end(first, leave, order.grace).await;
    }

    /// Ends it for good. The record stays when something does not die.
    async fn clear(&self, grace: Duration) {
        let record = self.place.load();
        let leave = record.as_ref().is_some_and(|r| r.leave_children);
        let first = record.map(|r| r.process);
        self.say(UnitState::Waiting, "it ends".to_owned());
        if self.end(first, leave, grace).await
            && let Err(error) = self.place.forget()
        {
            tracing::warn!(%error, "cannot remove the record of a unit");
        }
    }

    /// True when nothing of it runs any more.
    async fn end(&self, first: Option<Process>, leave_children: bool, grace: Duration) -> bool {
        if !leave_children {
            return self.end_members(first, grace).await;
        }
        let Some(first) = first else { return true };
        end_all(|| if first.alive() { vec![first] } else { vec![] }, grace).await
    }

    async fn end_members(&self, first: Option<Process>, grace: Duration) -> bool {
        let group = first.or_else(|| self.place.load().map(|r| r.process));
        // A group whose leader is gone may be somebody else's by now; its members still have the mark.
        let group = group.filter(|p| p.alive());
        end_all(|| self.place.members(group), grace).await
    }

    fn say(&self, state: UnitState, message: String) {
        self.status.send_modify(|s| (s.state, s.message) = (state, message));
    }

    fn bound_log(&self) {
        if let Err(error) = self.place.log().bound() {
            tracing::warn!(%error, log = %self.place.log().path().display(), "cannot keep a log bounded");
        }
    }
}

impl Running {
    fn process(&self) -> Process {
        match self {
            Self::Child(_, process) | Self::Adopted(process) => *process,
        }
    }

    async fn ended(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Child(child, _) => child.wait().await.ok(),
            Self::Adopted(process) => {
                if let Err(error) = process.ended().await {
                    tracing::warn!(%error, pid = process.pid, "cannot wait for a process");
                    poll_end(*process).await;
                }
                None
            }
        }
    }
}

/// SIGTERM to all that `left` finds, then SIGKILL. True when none is left.
async fn end_all(left: impl Fn() -> Vec<Process>, grace: Duration) -> bool {
    let mut told: Vec<Process> = Vec::new();
    let began = now();
    loop {
        let found = left();
        if found.is_empty() {
            return true;
        }
        let waited = began.elapsed();
        if waited > grace + DEATH {
            return false;
        }
        for process in &found {
            let kill = waited >= grace;
            if kill || !told.contains(process) {
                let signal = if kill { Signal::KILL } else { Signal::TERM };
                let _gone = process.signal(signal);
                told.push(*process);
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

async fn poll_end(process: Process) {
    while process.alive() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn told(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.map(|s| (s.code(), s.signal())) {
        Some((Some(code), _)) => format!("it ended with status {code}"),
        Some((None, Some(signal))) => format!("it was ended by signal {signal}"),
        _ => "it ended".to_owned(),
    }
}
