//! swtpm for tests: a state folder made by `swtpm_setup`, and the process over it, ended by its own id.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cairn_machine::tpm::{Socket, Tpm};

/// A TPM's state, removed when dropped.
pub(crate) struct State(PathBuf);

impl State {
    /// A manufactured TPM with EK certificates; `None`, said loudly, where swtpm is not installed.
    pub(crate) fn with_certificates(name: &str) -> Option<Self> {
        if Command::new("swtpm_setup").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("SKIPPED: swtpm and swtpm-tools are not installed, the TPM client was not tested");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("cairn-swtpm-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("ca")).unwrap();
        let path = |file: &str| dir.join(file).display().to_string();
        let (ca, options, setup) = (path("ca.conf"), path("ca.options"), path("setup.conf"));
        std::fs::write(
            &ca,
            format!(
                "statedir = {0}\nsigningkey = {0}/key.pem\nissuercert = {0}/cert.pem\ncertserial = {0}/serial\n",
                path("ca")
            ),
        )
        .unwrap();
        let text = "--platform-manufacturer Cairn\n--platform-version 1.0\n--platform-model test\n";
        std::fs::write(&options, text).unwrap();
        std::fs::write(
            &setup,
            format!(
                "create_certs_tool=/usr/bin/swtpm_localca\ncreate_certs_tool_config={ca}\n\
                 create_certs_tool_options={options}\nactive_pcr_banks=sha256\n"
            ),
        )
        .unwrap();
        let out = Command::new("swtpm_setup")
            .args(["--tpm2", "--create-ek-cert", "--lock-nvram", "--pcr-banks", "sha256", "--overwrite"])
            .args(["--vmid", "cairn-test", "--config", &setup, "--tpmstate"])
            .arg(&dir)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
        Some(Self(dir))
    }
}

#[allow(dead_code, reason = "each test binary takes what it needs of the rig")]
/// The CA of one TPM's certificates, DER.
pub(crate) struct Authority {
    pub(crate) issuer: Vec<u8>,
    pub(crate) root: Vec<u8>,
}

impl State {
    /// What swtpm_localca made.
    #[allow(dead_code, reason = "each test binary takes what it needs of the rig")]
    pub(crate) fn authority(&self) -> Authority {
        let der = |file: &str| {
            let text = std::fs::read(self.0.join("ca").join(file)).unwrap();
            use rustls_pki_types::pem::PemObject;
            rustls_pki_types::CertificateDer::from_pem_slice(&text).unwrap().to_vec()
        };
        Authority { issuer: der("cert.pem"), root: der("swtpm-localca-rootca-cert.pem") }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running swtpm.
pub(crate) struct Swtpm {
    process: Child,
    socket: PathBuf,
}

impl Swtpm {
    pub(crate) fn start(state: &State) -> Self {
        let socket = state.0.join("tpm.sock");
        let _ = std::fs::remove_file(&socket);
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .arg("--tpmstate")
            .arg(format!("dir={}", state.0.display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, socket }
    }

    pub(crate) fn tpm(&self) -> Tpm {
        let tpm = Tpm::over(Box::new(connect(&self.socket)));
        tpm.startup().unwrap();
        tpm
    }
}

fn connect(path: &Path) -> Socket {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Socket::connect(path) {
            Ok(socket) => return socket,
            Err(e) if Instant::now() > deadline => panic!("swtpm does not answer: {e}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
