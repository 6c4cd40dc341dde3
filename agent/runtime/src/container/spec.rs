//! The OCI runtime configuration of a container (runtime specification 1.0.2), from its order and its image. Pure.
//!
//! Devices, seccomp, masked and read-only paths are containerd 1.6's own defaults (`defaults.json`, as `ctr --seccomp` makes them).
//! The root is writable: it is the container's own snapshot, and most images write into it.

use std::path::{Component, Path, PathBuf};

use cairn_contract::workload::{Container, Mount};
use serde_json::{Value, json};

use super::user::User;
use crate::image::Process;

const DEFAULTS: &str = include_str!("defaults.json");
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// As containerd and Docker give them.
const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];
const PERIOD_US: u64 = 100_000;

/// Why an order is none that a container can be made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Nothing to run.
    #[error("neither the image nor the deployment says what to run; set `command`")]
    NoProgram,
    /// A path.
    #[error("the volume path `{0}` is not absolute, or holds `..`, or is the root")]
    Path(String),
    /// A path of the host.
    #[error("the host path `{0}` is not allowed; allowed are folders below {1}")]
    HostPath(String, String),
    /// A volume's name.
    #[error("`{0}` is no name of a volume: letters a-z, digits and `-`, at most 63")]
    VolumeName(String),
    /// An environment.
    #[error("`{0}` in the environment is not NAME=value")]
    Env(String),
    /// Ports with the host's network.
    #[error("with `hostNetwork` no ports can be mapped; remove `ports`")]
    HostPorts,
}

/// What a configuration is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) id: &'a str,
    pub(super) order: &'a Container,
    pub(super) image: &'a Process,
    /// With secrets in their places.
    pub(super) env: Vec<String>,
    pub(super) user: User,
    /// `/proc/…/ns/net` or a file that one is bound to; none: the host's.
    pub(super) netns: Option<PathBuf>,
    pub(super) hostname: String,
    /// Bound into it: from, to.
    pub(super) files: Vec<(PathBuf, &'static str)>,
    /// Of named volumes.
    pub(super) volumes: PathBuf,
    pub(super) allowed_host_paths: &'a [PathBuf],
}

/// `config.json`.
pub(super) fn spec(parts: &Parts<'_>) -> Result<Value, SpecError> {
    let defaults: Value = serde_json::from_str(DEFAULTS).expect("the file beside this one is JSON");
    if parts.order.host_network && !parts.order.ports.is_empty() {
        return Err(SpecError::HostPorts);
    }
    let mut namespaces = vec![
        json!({"type": "pid"}),
        json!({"type": "ipc"}),
        json!({"type": "uts"}),
        json!({"type": "mount"}),
    ];
    if let Some(netns) = &parts.netns {
        namespaces.push(json!({"type": "network", "path": netns}));
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process(parts)?,
        "root": {"path": "rootfs"},
        "hostname": parts.hostname,
        "mounts": mounts(parts, &defaults)?,
        "linux": {
            "resources": resources(parts.order, &defaults),
            "cgroupsPath": format!("/cairn/{}", parts.id),
            "namespaces": namespaces,
            "seccomp": defaults["seccomp"],
            "maskedPaths": defaults["maskedPaths"],
            "readonlyPaths": defaults["readonlyPaths"],
        },
    }))
}

fn process(parts: &Parts<'_>) -> Result<Value, SpecError> {
    let args = arguments(parts.order, parts.image);
    if args.is_empty() {
        return Err(SpecError::NoProgram);
    }
    let cwd = if parts.image.working_dir.starts_with('/') { &parts.image.working_dir } else { "/" };
    Ok(json!({
        "user": {"uid": parts.user.uid, "gid": parts.user.gid},
        "args": args,
        "env": environment(&parts.image.env, &parts.env)?,
        "cwd": cwd,
        "noNewPrivileges": true,
        "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
    }))
}

/// `command` replaces the entrypoint and with it the image's arguments; `args` replaces these only.
fn arguments(order: &Container, image: &Process) -> Vec<String> {
    let (program, rest) = match (order.command.is_empty(), order.args.is_empty()) {
        (false, _) => (&order.command, &order.args),
        (true, false) => (&image.entrypoint, &order.args),
        (true, true) => (&image.entrypoint, &image.cmd),
    };
    program.iter().chain(rest).cloned().collect()
}

/// Later ones win.
fn environment(image: &[String], order: &[String]) -> Result<Vec<String>, SpecError> {
    let mut env: Vec<String> = vec![PATH.to_owned()];
    for entry in image.iter().chain(order) {
        let name =
            entry.split_once('=').map(|(name, _)| name).filter(|n| !n.is_empty() && !entry.contains('\0'));
        // The value may be a secret: only the name is told.
        let named = || SpecError::Env(entry.split('=').next().unwrap_or_default().to_owned());
        let name = format!("{}=", name.ok_or_else(named)?);
        env.retain(|e| !e.starts_with(&name));
        env.push(entry.clone());
    }
    Ok(env)
}

fn mounts(parts: &Parts<'_>, defaults: &Value) -> Result<Vec<Value>, SpecError> {
    let mut mounts = defaults["mounts"].as_array().cloned().unwrap_or_default();
    if parts.netns.is_none() {
        // sysfs shows the network namespace it is mounted in, which is not this container's to mount.
        mounts.iter_mut().filter(|m| m["type"] == "sysfs").for_each(|m| {
            *m = json!({"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro", "nosuid", "noexec", "nodev"]});
        });
    }
    for (from, to) in &parts.files {
        mounts.push(json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "ro"]}));
    }
    for volume in &parts.order.volumes {
        checked_path(&volume.path)?;
        mounts.push(volume_mount(parts, &volume.path, &volume.mount)?);
    }
    Ok(mounts)
}

fn volume_mount(parts: &Parts<'_>, to: &str, mount: &Mount) -> Result<Value, SpecError> {
    Ok(match mount {
        Mount::Name(name) => {
            let from = parts.volumes.join(checked_name(name)?);
            json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "rw", "nosuid", "nodev"]})
        }
        Mount::HostPath(from) => {
            let from = allowed(from, parts.allowed_host_paths)?;
            json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "ro", "nosuid", "nodev"]})
        }
        Mount::Memory(bytes) => {
            let size = format!("size={bytes}");
            json!({"destination": to, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", size]})
        }
    })
}

/// What of a name may be a folder's.
pub(super) fn checked_name(name: &str) -> Result<&str, SpecError> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = !name.is_empty() && name.len() <= 63 && name.chars().all(legal);
    if good { Ok(name) } else { Err(SpecError::VolumeName(name.to_owned())) }
}

fn checked_path(path: &str) -> Result<(), SpecError> {
    let normal = |c: Component<'_>| matches!(c, Component::RootDir | Component::Normal(_));
    let clean = Path::new(path).components().all(normal)
        && !path.contains('\0')
        && !path.split('/').any(|p| p == ".");
    let good = path.starts_with('/') && !path.trim_matches('/').is_empty() && clean;
    if good { Ok(()) } else { Err(SpecError::Path(path.to_owned())) }
}

/// The folder itself, with links followed, must be below an allowed one.
fn allowed(path: &str, folders: &[PathBuf]) -> Result<PathBuf, SpecError> {
    checked_path(path)?;
    let refused = || {
        let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
        let none = "none: the agent's configuration names no folder".to_owned();
        SpecError::HostPath(path.to_owned(), if folders.is_empty() { none } else { folders.join(", ") })
    };
    let real = Path::new(path).canonicalize().map_err(|_| refused())?;
    if folders.iter().any(|f| real.starts_with(f)) { Ok(real) } else { Err(refused()) }
}

fn resources(order: &Container, defaults: &Value) -> Value {
    let mut resources = json!({"devices": defaults["devices"]});
    if let Some(bytes) = order.limits.memory_bytes {
        resources["memory"] = json!({"limit": bytes});
    }
    if let Some(millis) = order.limits.cpu_millis {
        resources["cpu"] = json!({"quota": u64::from(millis) * PERIOD_US / 1000, "period": PERIOD_US});
    }
    if let Some(pids) = order.limits.pids {
        resources["pids"] = json!({"limit": pids});
    }
    resources
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_contract::workload::{Port, Protocol, Volume};

    fn order() -> Container {
        serde_json::from_value(json!({"image": "x"})).unwrap()
    }

    fn made(order: &Container, image: &Process, env: &[&str]) -> Result<Value, SpecError> {
        spec(&Parts {
            id: "a",
            order,
            image,
            env: env.iter().map(|e| (*e).to_owned()).collect(),
            user: User { uid: 5, gid: 6 },
            netns: Some("/run/n".into()),
            hostname: "web".into(),
            files: vec![],
            volumes: "/state/volumes/d".into(),
            allowed_host_paths: &["/usr/share".into()],
        })
    }

    fn image() -> Process {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Process {
            entrypoint: words("/e 1"),
            cmd: words("c d"),
            env: words("A=1 PATH=/p"),
            ..Process::default()
        }
    }

    #[test]
    fn command_and_args_replace_what_the_image_says() {
        let args = |command: &[&str], args: &[&str]| {
            let owned = |w: &[&str]| w.iter().map(|s| (*s).to_owned()).collect();
            let order = Container { command: owned(command), args: owned(args), ..order() };
            made(&order, &image(), &[]).unwrap()["process"]["args"].clone()
        };
        assert_eq!(args(&[], &[]), json!(["/e", "1", "c", "d"]));
        assert_eq!(args(&[], &["x"]), json!(["/e", "1", "x"]));
        assert_eq!(args(&["/c"], &[]), json!(["/c"]));
        assert_eq!(args(&["/c"], &["x"]), json!(["/c", "x"]));
        assert_eq!(made(&order(), &Process::default(), &[]), Err(SpecError::NoProgram));
    }

    #[test]
    fn later_environments_win_and_a_bad_one_does_not_show_its_value() {
        let env = made(&order(), &image(), &["A=2", "B=x=y"]).unwrap()["process"]["env"].clone();
        assert_eq!(env, json!(["PATH=/p", "A=2", "B=x=y"]));
        assert_eq!(made(&order(), &image(), &["=secret"]), Err(SpecError::Env(String::new())));
    }

    #[test]
    fn paths_out_of_bounds_are_refused() {
        let with = |path: &str, mount: Mount| {
            let volume = Volume { path: path.into(), mount };
            made(&Container { volumes: vec![volume], ..order() }, &image(), &[])
        };
        for path in ["", "/", "a", "/a/../b", "/..", "/./a", "//"] {
            assert!(with(path, Mount::Memory(1)).is_err(), "{path}");
        }
        for name in ["", "..", "a/b", "A", "."] {
            assert!(with("/v", Mount::Name(name.into())).is_err(), "{name}");
        }
        for host in ["/etc", "/usr/share/../../etc", "usr/share", "/usr/share/none-of-this", "/"] {
            assert!(with("/v", Mount::HostPath(host.into())).is_err(), "{host}");
        }
        with("/v", Mount::HostPath("/usr/share/".into())).unwrap();
        with("/v", Mount::Name("data-1".into())).unwrap();
    }

    #[test]
    fn limits_and_identity_are_in_the_spec() {
        let mut order = order();
        order.limits.memory_bytes = Some(64 << 20);
        order.limits.cpu_millis = Some(250);
        order.limits.pids = Some(9);
        let spec = made(&order, &image(), &[]).unwrap();
        let resources = &spec["linux"]["resources"];
        assert_eq!(resources["memory"]["limit"], 64 << 20);
        assert_eq!((&resources["cpu"]["quota"], &resources["pids"]["limit"]), (&json!(25_000), &json!(9)));
        assert_eq!(spec["process"]["user"], json!({"uid": 5, "gid": 6}));
        assert_eq!(spec["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
    }

    #[test]
    fn ports_need_a_network_of_ones_own() {
        let port = Port { host: 80, container: 80, protocol: Protocol::TCP };
        let order = Container { host_network: true, ports: vec![port], ..order() };
        assert_eq!(made(&order, &image(), &[]), Err(SpecError::HostPorts));
    }
}
