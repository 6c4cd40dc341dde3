//! The programs that are measured: the registry itself, docker-registry and nginx, each in a folder of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// A program that runs until this is dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// The registry: this same program.
    pub(crate) fn ours(folder: &Path) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = tethered(&program);
        let mut child = command.arg("serve").arg(folder).stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let port = line.trim().parse().context("the registry did not start")?;
        Ok(Self { child, port })
    }

    pub(crate) fn docker_registry(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let config = folder.join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            folder.join("data").display()
        );
        fs::write(&config, text)?;
        let program = program("docker-registry")?;
        let child = tethered(&program)
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Self { child, port }.ready()
    }

    /// Serves the files of a folder.
    pub(crate) fn nginx(folder: &Path, files: &Path) -> Result<Self> {
        let port = free_port()?;
        let config = folder.join("nginx.conf");
        let (own, files) = (folder.display(), files.display());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = temporary.map(|name| format!("  {name}_temp_path {own}/{name};\n")).concat();
        let text = format!(
            "user root;\nworker_processes auto;\ndaemon off;\npid {own}/pid;\nerror_log {own}/error.log;\nevents {{}}\n\
             http {{\n{temporary}  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000;\n\
             server {{ listen 127.0.0.1:{port}; root {files}; }}\n}}\n"
        );
        fs::write(&config, text)?;
        let child = tethered(&program("nginx")?).arg("-p").arg(folder).arg("-c").arg(&config).spawn()?;
        Self { child, port }.ready()
    }

    /// Most memory that it ever had, in MiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    fn ready(mut self) -> Result<Self> {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("a peer ended at once: {status}");
            }
            if Instant::now() > until {
                bail!("a peer does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }
}

/// Ends with the thread that starts it.
fn tethered(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg("--").arg(program);
    command
}

fn program(name: &str) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).chain(["/usr/sbin".into()]).map(|folder| folder.join(name));
    found
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is missing: install its Debian package"))
}

/// Free a moment ago: docker-registry and nginx cannot choose one themselves and say it.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
