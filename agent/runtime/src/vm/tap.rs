//! A machine's end in a bridge of the host: a persistent tap device, made by `ip` of iproute2.

use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::units::RunAs;

/// Makes it and puts it into the bridge; one that is there is used.
pub(super) async fn ensure(name: &str, bridge: &str, user: Option<RunAs>) -> io::Result<()> {
    if !Path::new("/sys/class/net").join(bridge).join("bridge").exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("this host has no bridge {bridge}")));
    }
    if !Path::new("/sys/class/net").join(name).exists() {
        let owner = user.map_or(0, |u| u.uid).to_string();
        ip(&["tuntap", "add", "dev", name, "mode", "tap", "user", &owner]).await?;
    }
    ip(&["link", "set", "dev", name, "master", bridge, "up"]).await
}

/// None is no error.
pub(super) async fn remove(name: &str) -> io::Result<()> {
    if Path::new("/sys/class/net").join(name).exists() {
        ip(&["link", "delete", "dev", name]).await?;
    }
    Ok(())
}

async fn ip(args: &[&str]) -> io::Result<()> {
    let mut command = Command::new("ip");
    let output = command.args(args).stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}
