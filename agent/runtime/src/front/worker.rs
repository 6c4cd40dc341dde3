//! One application: compares, does the next thing, waits. See the diagram of `front`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cairn_contract::Digest;
use cairn_contract::workload::{Phase, Restart, Run, WorkloadObserved};
use tokio::sync::watch;

use super::{Key, Parts, Seen};
use crate::clock::{Backoff, now};
use crate::container::{self, ContainerError, State};
use crate::log::LOOK;
use crate::vm::{self, MachineError, Power};

/// How often what is there is compared although nothing was heard.
const COMPARE: Duration = Duration::from_secs(5);
/// Who ran this long has started well; longer after a crash.
const SETTLED: Duration = Duration::from_secs(1);
const SETTLED_AFTER_CRASH: Duration = Duration::from_secs(10);

/// What the application shall be.
#[derive(Clone)]
pub(super) enum Wanted {
    Container(container::Job),
    Vm(vm::Job, Digest),
    Gone,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Container(a), Self::Container(b)) => {
                (a.revision, &a.order, &a.env) == (b.revision, &b.order, &b.env)
            }
            (Self::Vm(a, x), Self::Vm(b, y)) => a == b && x == y,
            (Self::Gone, Self::Gone) => true,
            _ => false,
        }
    }
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Container(_) => "Container",
            Self::Vm(..) => "Vm",
            Self::Gone => "Gone",
        })
    }
}

impl Wanted {
    pub(super) fn revision(&self) -> Digest {
        match self {
            Self::Container(job) => job.revision,
            Self::Vm(_, revision) => *revision,
            Self::Gone => Digest::of(b""),
        }
    }
}

pub(super) struct Worker {
    parts: Arc<Parts>,
    key: Key,
    id: String,
    wanted: watch::Receiver<Wanted>,
    seen: watch::Sender<Seen>,
    restarts: u32,
    /// It was seen to run as ordered: that it is not there now is somebody else's doing.
    was_up: bool,
    /// Its container was made as ordered.
    made: bool,
    kind: &'static str,
}

/// What follows.
enum Next {
    /// Compare at once.
    Now,
    /// Compare after this, or when something is heard.
    After(Duration),
    /// Its process runs: compare when it has ended.
    Watch,
}

impl Worker {
    pub(super) fn new(
        parts: Arc<Parts>,
        key: Key,
        wanted: watch::Receiver<Wanted>,
        seen: watch::Sender<Seen>,
    ) -> Self {
        let id = container::id(key.0, &key.1);
        Self { parts, key, id, wanted, seen, restarts: 0, was_up: false, made: false, kind: "" }
    }

    pub(super) async fn run(mut self) {
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if wanted != Wanted::Gone {
                self.seen.send_modify(|s| s.revision = wanted.revision());
            }
            match wanted {
                Wanted::Gone if self.gone().await => return,
                Wanted::Gone => {}
                Wanted::Container(job) => self.container(&job).await,
                Wanted::Vm(job, _) => self.machine(&job).await,
            }
        }
    }

    /// True when nothing is left and nothing else is wanted.
    async fn gone(&mut self) -> bool {
        self.say(Phase::Removing, "Removing", "it is being removed".to_owned());
        let mut backoff = Backoff::new();
        loop {
            let Err((reason, message)) = self.remove_all().await else {
                return !self.wanted.has_changed().unwrap_or(false);
            };
            self.say(Phase::Removing, reason, message);
            if self.changed_within(backoff.after(Duration::ZERO)).await {
                return false;
            }
        }
    }

    async fn remove_all(&self) -> Result<(), (&'static str, String)> {
        let machine = self.parts.machines.known().contains(&self.key);
        if machine {
            self.parts.machines.remove(&self.id).await.map_err(|e| (e.reason(), chain(&e)))?;
        }
        match self.parts.containers.remove(self.key.0, &self.key.1).await {
            // A host that never had containerd has no container to remove.
            Err(ContainerError::Engine(error)) if error.is_away() && machine => Ok(()),
            other => other.map_err(|e| (e.reason(), chain(&e))),
        }
    }

    /// Until something else is wanted.
    async fn container(&mut self, job: &container::Job) {
        self.kind = "Container";
        if self.parts.machines.known().contains(&self.key) {
            // The application was a machine before.
            let _again_below = self.parts.machines.remove(&self.id).await;
        }
        let (mut failures, mut crashes) = (Backoff::new(), Backoff::new());
        let mut up_since = None;
        loop {
            let next = match self.compare(job, &mut crashes, &mut up_since).await {
                Ok(next) => {
                    failures = Backoff::new();
                    next
                }
                Err(error) => {
                    self.failed(error.reason(), chain(&error));
                    Next::After(failures.after(Duration::ZERO))
                }
            };
            let changed = match next {
                Next::Now => self.wanted.has_changed().unwrap_or(true),
                Next::After(pause) => self.changed_within(pause).await,
                Next::Watch => self.watch().await,
            };
            if changed {
                return self.stop_if_gone().await;
            }
        }
    }

    /// The next thing to do for a container.
    async fn compare(
        &mut self,
        job: &container::Job,
        crashes: &mut Backoff,
        up_since: &mut Option<tokio::time::Instant>,
    ) -> Result<Next, ContainerError> {
        match self.parts.containers.look(job).await? {
            State::Absent => {
                // It may have been seen to end before it was taken away.
                self.was_up |= std::mem::take(&mut self.made);
                self.disturbed();
                self.say(Phase::Progressing, "Creating", "its image is fetched and it is made".to_owned());
                self.parts.containers.make(job).await?;
                self.made = true;
                self.begin(job, up_since).await
            }
            State::Idle => {
                self.disturbed();
                self.begin(job, up_since).await
            }
            State::Running => {
                let since = *up_since.get_or_insert_with(now);
                let needed = if self.restarts == 0 { SETTLED } else { SETTLED_AFTER_CRASH };
                self.was_up = true;
                let left = needed.saturating_sub(since.elapsed());
                if left.is_zero() {
                    self.say(Phase::Ready, "Running", String::new());
                    return Ok(Next::Watch);
                }
                Ok(Next::After(left.min(Duration::from_millis(250))))
            }
            State::Ended { status, out_of_memory } => {
                self.was_up = false;
                let ran = up_since.take().map_or(Duration::ZERO, |s| s.elapsed());
                let pause = self.ended(job, (status, out_of_memory), || crashes.after(ran));
                self.again(job, pause).await
            }
        }
    }

    async fn begin(
        &mut self,
        job: &container::Job,
        up_since: &mut Option<tokio::time::Instant>,
    ) -> Result<Next, ContainerError> {
        self.start(job).await?;
        *up_since = Some(now());
        Ok(Next::Now)
    }

    /// A container whose files are gone is made again at the next look.
    async fn start(&self, job: &container::Job) -> Result<(), ContainerError> {
        let started = self.parts.containers.start(job).await;
        if let Err(ContainerError::Engine(error)) = &started
            && error.is_gone()
        {
            self.parts.containers.dismantle(&self.id).await?;
        }
        started
    }

    /// Its process ended: after what pause it is started again, if the restart policy says so.
    fn ended(
        &self,
        job: &container::Job,
        (status, out_of_memory): (u32, bool),
        pause: impl FnOnce() -> Duration,
    ) -> Option<Duration> {
        let again = match job.order.restart {
            Restart::Always => true,
            Restart::OnFailure => status != 0,
            Restart::Never => false,
        };
        let text = match (out_of_memory, status) {
            (true, _) => "it used more memory than its limit; raise `memoryBytes`".to_owned(),
            (false, status) => format!("it ended with status {status}; see its log"),
        };
        let word = match (out_of_memory, again) {
            (true, _) => "OutOfMemory",
            (false, true) => "CrashLoop",
            (false, false) => "Exited",
        };
        if !again {
            let (phase, word) = if status == 0 { (Phase::Ready, "Completed") } else { (Phase::Failed, word) };
            self.say(phase, word, text);
            return None;
        }
        let pause = pause();
        self.say(Phase::Failed, word, format!("{text}; it is started again after {} s", pause.as_secs()));
        Some(pause)
    }

    async fn again(&mut self, job: &container::Job, pause: Option<Duration>) -> Result<Next, ContainerError> {
        let Some(pause) = pause else { return Ok(Next::After(COMPARE)) };
        if !self.changed_within(pause).await {
            self.start(job).await?;
            self.restarts = self.restarts.saturating_add(1);
        }
        Ok(Next::Now)
    }

    /// Waits while it runs; true when something else is wanted.
    async fn watch(&mut self) -> bool {
        let began = now();
        let parts = Arc::clone(&self.parts);
        let id = self.id.clone();
        let ended = parts.containers.ended(&id);
        tokio::pin!(ended);
        while began.elapsed() < COMPARE {
            tokio::select! {
                _ = &mut ended => return false,
                changed = self.wanted.changed() => {
                    self.wanted.mark_changed();
                    return changed.is_ok() || forever().await;
                }
                () = tokio::time::sleep(LOOK) => {
                    let _next_time = parts.containers.log(&id).bound();
                }
            }
        }
        false
    }

    /// Until something else is wanted.
    async fn machine(&mut self, job: &vm::Job) {
        self.kind = "VirtualMachine";
        self.say(Phase::Progressing, "Creating", "its disks are made".to_owned());
        let mut failures = Backoff::new();
        loop {
            let pause = match self.compare_machine(job).await {
                Ok(()) => LOOK,
                Err(error) => {
                    self.failed(error.reason(), chain(&error));
                    failures.after(Duration::ZERO)
                }
            };
            if self.changed_within(pause).await {
                return self.stop_if_gone().await;
            }
            let _next_time = self.parts.machines.log(&self.id).bound();
        }
    }

    async fn compare_machine(&mut self, job: &vm::Job) -> Result<(), MachineError> {
        let parts = Arc::clone(&self.parts);
        let machines = &parts.machines;
        let power = machines.power(&self.id).await?;
        if job.order.run == Run::Halted {
            if power != Power::Absent {
                self.say(Phase::Progressing, "Stopping", "the guest was asked to power off".to_owned());
                self.parts.machines.halt(&self.id).await?;
            }
            self.say(Phase::Ready, "Halted", "it is off, as ordered".to_owned());
            return Ok(());
        }
        machines.ensure(job).await?;
        let restarts = machines.restarts(&self.id).await?;
        if let (Power::Absent, true) = (&power, self.was_up) {
            self.disturbed();
        }
        self.restarts = restarts;
        match machines.power(&self.id).await? {
            Power::On(state) if state == "running" => {
                self.was_up = true;
                self.say(Phase::Ready, "Running", String::new());
            }
            Power::On(state) => self.failed("NotRunning", format!("QEMU says that the machine is {state}")),
            Power::Between(text) if text.contains("host forwarding rule") => self.failed("PortTaken", text),
            Power::Between(text) if restarts == 0 => self.say(Phase::Progressing, "Starting", text),
            Power::Between(text) => self.failed("CrashLoop", text),
            Power::Off { code: Some(0) } => self.say(Phase::Ready, "Off", "it powered off".to_owned()),
            Power::Off { code } => {
                self.failed("Exited", format!("QEMU ended with status {}", code.unwrap_or(-1)))
            }
            Power::Absent => self.say(Phase::Progressing, "Starting", String::new()),
        }
        Ok(())
    }

    /// What ran well and is not there any more was taken away by somebody.
    fn disturbed(&mut self) {
        if std::mem::take(&mut self.was_up) {
            tracing::warn!(application = %self.key.1, "it was ended or removed by somebody else; it is put right");
            self.seen.send_modify(|s| s.corrected += 1);
        }
    }

    fn failed(&self, reason: &str, message: String) {
        let phase = if self.was_up { Phase::Degraded } else { Phase::Failed };
        self.say(phase, reason, message);
    }

    fn say(&self, phase: Phase, reason: &str, message: String) {
        let workload = WorkloadObserved {
            kind: self.kind.to_owned(),
            namespace: String::new(),
            name: self.key.1.clone(),
            phase,
            message: message.clone(),
            restarts: self.restarts,
        };
        self.seen.send_if_modified(|seen| {
            let application = &mut seen.application;
            let same = (application.phase, &application.reason, &application.message) == (phase, &reason.to_owned(), &message)
                && application.workloads.first().is_some_and(|w| w.restarts == self.restarts);
            if !same {
                tracing::info!(application = %application.name, ?phase, reason, message, "an application changed");
                (application.phase, application.reason, application.message) = (phase, reason.to_owned(), message);
                application.workloads = if workload.kind.is_empty() { vec![] } else { vec![workload] };
            }
            !same
        });
    }

    /// True when something else is wanted before the time is over.
    async fn changed_within(&mut self, pause: Duration) -> bool {
        match tokio::time::timeout(pause, self.wanted.changed()).await {
            Ok(Ok(())) => {
                // Whoever looks next sees it too.
                self.wanted.mark_changed();
                true
            }
            // The front itself is gone: what runs goes on without it.
            Ok(Err(_)) => forever().await,
            Err(_) => false,
        }
    }

    /// Another order begins from nothing; without a front there is none, and all goes on as it is.
    async fn stop_if_gone(&mut self) {
        if self.wanted.has_changed().is_err() {
            forever().await;
        }
        (self.was_up, self.made) = (false, false);
        self.restarts = 0;
    }
}

async fn forever() -> bool {
    std::future::pending().await
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}
