//! Units under systemd: files in `/run/systemd/system`, so a reboot forgets them, and `systemctl`.
//!
//! Output goes to the same bounded files as under [`super::Children`]. Environments stand in the unit file (mode 0600, in memory).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairn_contract::workload::Restart;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::{
    Answer, Order, UnitError, UnitState, UnitStatus, Units, all_hold, check_name, checked, file_error,
};
use crate::log::{LOOK, Log};

const UNITS: &str = "/run/systemd/system";
/// How long `systemctl` may take; a stop takes its grace more.
const LIMIT: Duration = Duration::from_secs(90);

/// Keeps units under the systemd of this host.
#[derive(Debug)]
pub struct Systemd {
    units: PathBuf,
    logs: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Units that wait for their probes, and for what.
    waiting: Arc<Mutex<BTreeMap<String, String>>>,
    starters: BTreeMap<String, tokio::task::AbortHandle>,
    logs: BTreeMap<String, tokio::task::AbortHandle>,
    tasks: JoinSet<()>,
}

impl Systemd {
    /// The system's own; logs in `folder`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn system(folder: &Path) -> Result<Self, UnitError> {
        let logs = folder.join("logs");
        fs::create_dir_all(&logs).map_err(file_error("make", &logs))?;
        Ok(Self { units: UNITS.into(), logs, state: Mutex::default() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.units.join(service(name))
    }

    async fn ensured(&self, order: &Order) -> Result<(), UnitError> {
        checked(order)?;
        let name = &order.unit.name;
        let text = unit_file(order, self.log(name).path());
        let path = self.file(name);
        let differs = fs::read_to_string(&path).ok().as_deref() != Some(&text);
        if differs {
            write_private(&path, &text).map_err(file_error("write", &path))?;
            systemctl(&["daemon-reload"], LIMIT).await?;
        }
        self.bound_log(name);
        let now = shown(&show(name).await?);
        let due = match now.state {
            UnitState::Running { .. } | UnitState::Pausing => differs,
            UnitState::Ended { .. } => differs,
            UnitState::Waiting => true,
        };
        if due {
            self.start_when_ready(order);
        }
        Ok(())
    }

    /// Starts it (anew) when its probes hold.
    fn start_when_ready(&self, order: &Order) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.tasks.try_join_next().is_some() {}
        if let Some(old) = state.starters.remove(&order.unit.name) {
            old.abort();
        }
        let (waiting, order) = (Arc::clone(&state.waiting), order.clone());
        let name = order.unit.name.clone();
        let task = state.tasks.spawn(async move {
            let note = |text| {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.insert(order.unit.name.clone(), text);
            };
            all_hold(&order.unit, note).await;
            waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&order.unit.name);
            let service = service(&order.unit.name);
            if let Err(error) = systemctl(&["restart", "--no-block", &service], LIMIT).await {
                tracing::warn!(unit = %order.unit.name, %error, "a unit does not start");
            }
        });
        state.starters.insert(name, task);
    }

    fn bound_log(&self, name: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.logs.contains_key(name) {
            return;
        }
        let log = self.log(name);
        let task = state.tasks.spawn(async move {
            let mut look = tokio::time::interval(LOOK);
            loop {
                look.tick().await;
                let _next_time = log.bound();
            }
        });
        state.logs.insert(name.to_owned(), task);
    }

    async fn end(&self, name: &str, grace: Duration) -> Result<(), UnitError> {
        check_name(name)?;
        self.abandon(name);
        let path = self.file(name);
        if path.exists() {
            self.set_grace(name, grace).await?;
            systemctl(&["stop", &service(name)], LIMIT + grace).await?;
            fs::remove_file(&path).map_err(file_error("remove", &path))?;
            let _none = fs::remove_dir_all(path.with_extension("service.d"));
            systemctl(&["daemon-reload"], LIMIT).await?;
            let _was_not_failed = systemctl(&["reset-failed", &service(name)], LIMIT).await;
        }
        self.log(name).remove().map_err(file_error("remove", self.log(name).path()))
    }

    /// The grace of this stop, in the place of the order's.
    async fn set_grace(&self, name: &str, grace: Duration) -> Result<(), UnitError> {
        let folder = self.file(name).with_extension("service.d");
        fs::create_dir_all(&folder).map_err(file_error("make", &folder))?;
        let path = folder.join("stop.conf");
        let text = format!("[Service]\nTimeoutStopSec={}ms\n", grace.as_millis());
        write_private(&path, &text).map_err(file_error("write", &path))?;
        systemctl(&["daemon-reload"], LIMIT).await.map(drop)
    }

    fn abandon(&self, name: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = [state.starters.remove(name), state.logs.remove(name)];
        tasks.into_iter().flatten().for_each(|task| task.abort());
        state.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn waits(&self, name: &str) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = state.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(name).cloned()
    }
}

impl Units for Systemd {
    fn ensure<'a>(&'a self, order: &'a Order) -> Answer<'a, ()> {
        Box::pin(self.ensured(order))
    }

    fn restart<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            check_name(name)?;
            if !self.file(name).exists() {
                return Err(UnitError::Unknown(name.to_owned()));
            }
            systemctl(&["restart", "--no-block", &service(name)], LIMIT).await.map(drop)
        })
    }

    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()> {
        Box::pin(self.end(name, grace))
    }

    fn status<'a>(&'a self, name: &'a str) -> Answer<'a, Option<UnitStatus>> {
        Box::pin(async move {
            check_name(name)?;
            if !self.file(name).exists() {
                return Ok(None);
            }
            let mut status = shown(&show(name).await?);
            if let Some(what) = self.waits(name) {
                (status.state, status.message) = (UnitState::Waiting, what);
            }
            Ok(Some(status))
        })
    }

    fn names(&self) -> Answer<'_, BTreeSet<String>> {
        Box::pin(async move {
            let entries = fs::read_dir(&self.units).map_err(file_error("read", &self.units))?;
            let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
            let ours = |n: String| n.strip_prefix("cairn-")?.strip_suffix(".service").map(str::to_owned);
            Ok(names.filter_map(ours).collect())
        })
    }

    fn log(&self, name: &str) -> Log {
        Log::at(self.logs.join(format!("{name}.log")))
    }
}

fn service(name: &str) -> String {
    format!("cairn-{name}.service")
}

/// systemd.service(5), systemd.kill(5).
fn unit_file(order: &Order, log: &Path) -> String {
    let unit = &order.unit;
    let restart = match order.restart {
        Restart::Always => "always",
        Restart::OnFailure => "on-failure",
        Restart::Never => "no",
    };
    let run: Vec<String> = unit.run.iter().map(|a| quoted(&a.replace('$', "$$"))).collect();
    let mut text = format!(
        "# Made by cairn-agent, and made again when it differs.\n[Unit]\nDescription=Cairn: {}\nStartLimitIntervalSec=0\n\n\
        [Service]\nType=exec\nExecStart={}\nRestart={restart}\nRestartSec=1\nRestartSteps=6\nRestartMaxDelaySec=60\n\
        TimeoutStopSec={}ms\nStandardOutput=append:{log}\nStandardError=append:{log}\nUMask=0077\n",
        unit.name,
        run.join(" "),
        order.grace.as_millis(),
        log = log.display(),
    );
    for (name, value) in &unit.env {
        text += &format!("Environment={}\n", quoted(&format!("{name}={value}")));
    }
    if unit.leave_children {
        text += "KillMode=process\nDelegate=yes\nTasksMax=infinity\nLimitNOFILE=infinity\n";
    }
    if let Some(user) = order.user {
        text += &format!("User={}\nGroup={}\n", user.uid, user.gid);
    }
    text
}

/// One word as systemd.syntax(7) reads it: no specifier, no escape and no line end of its own.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let _old = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    fs::rename(new, path)
}

async fn show(name: &str) -> Result<String, UnitError> {
    let what = "ActiveState,SubState,MainPID,NRestarts,Result,ExecMainCode,ExecMainStatus";
    systemctl(&["show", &service(name), "--property", what], LIMIT).await
}

async fn systemctl(args: &[&str], limit: Duration) -> Result<String, UnitError> {
    let failed = |text: String| UnitError::Systemctl { what: args.join(" "), text };
    let mut command = Command::new("systemctl");
    command.args(args).kill_on_drop(true).stdin(std::process::Stdio::null());
    let output = tokio::time::timeout(limit, command.output()).await;
    let output = output.map_err(|_| failed("no answer".to_owned()))?.map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads `systemctl show`.
fn shown(text: &str) -> UnitStatus {
    let fields: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let code = (field("ExecMainCode") == "1").then(|| field("ExecMainStatus").parse().ok()).flatten();
    let never_ran = field("ExecMainCode") == "0" && field("Result") == "success";
    let state = match (field("ActiveState"), field("SubState")) {
        ("active" | "reloading", _) => UnitState::Running { pid: field("MainPID").parse().unwrap_or(0) },
        ("activating", "auto-restart" | "auto-restart-queued") => UnitState::Pausing,
        ("activating" | "deactivating", _) => UnitState::Waiting,
        _ if never_ran => UnitState::Waiting,
        _ => UnitState::Ended { code },
    };
    let message = match (state, field("Result")) {
        (UnitState::Running { .. }, _) | (_, "success" | "") => String::new(),
        (_, result) => format!("it ended: {result}, status {}", field("ExecMainStatus")),
    };
    UnitStatus { state, restarts: field("NRestarts").parse().unwrap_or(0), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::workload::Unit;

    fn order() -> Order {
        let unit = Unit {
            name: "kubelet".into(),
            run: vec!["/opt/a b/kubelet".into(), "--x=100%".into(), "say \"$HOME\"\n\\".into()],
            env: BTreeMap::from([("A".into(), "b c $d".into())]),
            after: vec![],
            leave_children: true,
        };
        Order { user: Some(super::super::RunAs { uid: 7, gid: 8 }), ..Order::of(&unit) }
    }

    #[test]
    fn words_stay_words_in_the_unit_file() {
        let text = unit_file(&order(), Path::new("/var/log/x.log"));
        let line = r#"ExecStart="/opt/a b/kubelet" "--x=100%%" "say \"$$HOME\"\x0a\\""#;
        for wanted in [line, "Environment=\"A=b c $d\"", "KillMode=process", "User=7", "Restart=always"] {
            assert!(text.lines().any(|l| l == wanted), "{wanted} is not in\n{text}");
        }
    }

    #[test]
    fn systemd_itself_takes_the_unit_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut order = order();
        if let Some(program) = order.unit.run.first_mut() {
            *program = "/bin/true".into();
        }
        let path = folder.path().join("cairn-kubelet.service");
        fs::write(&path, unit_file(&order, Path::new("/var/log/x.log"))).unwrap();
        let mut check = std::process::Command::new("systemd-analyze");
        let output = check.arg("verify").arg("--man=no").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // 252 does not know the two settings of 254 and says that it passes over them.
        let own = said.lines().filter(|l| l.contains("cairn-kubelet") && !l.contains("RestartSteps"));
        let complaints: Vec<&str> = own.filter(|l| !l.contains("RestartMaxDelaySec")).collect();
        assert!(complaints.is_empty(), "{said}");
    }

    #[test]
    fn what_systemctl_shows_is_read() {
        let of = |text: &str| shown(&text.replace(' ', "\n"));
        let running =
            of("ActiveState=active SubState=running MainPID=42 NRestarts=3 Result=success ExecMainCode=0");
        assert_eq!((running.state, running.restarts), (UnitState::Running { pid: 42 }, 3));
        let pausing = of(
            "ActiveState=activating SubState=auto-restart Result=exit-code ExecMainCode=1 ExecMainStatus=7",
        );
        assert_eq!(pausing.state, UnitState::Pausing);
        assert_eq!(pausing.message, "it ended: exit-code, status 7");
        let ended = of("ActiveState=inactive SubState=dead Result=success ExecMainCode=1 ExecMainStatus=0");
        assert_eq!(ended.state, UnitState::Ended { code: Some(0) });
        let fresh = of("ActiveState=inactive SubState=dead Result=success ExecMainCode=0 ExecMainStatus=0");
        assert_eq!(fresh.state, UnitState::Waiting);
    }
}
