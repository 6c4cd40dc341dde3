//! swtpm in a process of its own, and the few TPM commands of a host, written out by hand. Not the agent's TPM code: a
//! second, independent reading of the specification, so that one mistake cannot hide in both.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::builders::sized;

const PASSWORD: &[u8] = &[0x40, 0, 0, 9, 0, 0, 0, 0, 0];
pub(crate) const ENDORSEMENT: u32 = 0x4000_000b;
pub(crate) const OWNER: u32 = 0x4000_0001;
/// A resource manager, or the kernel, would send the command again.
const TPM_RC_RETRY: u32 = 0x922;
/// The commands that return a handle before their parameters.
const CREATE_PRIMARY: u32 = 0x131;
const START_AUTH_SESSION: u32 = 0x176;
const NULL: u32 = 0x4000_0007;

/// A fresh TPM; it and its folder are gone when this is dropped.
pub(crate) struct Tpm {
    process: Child,
    socket: UnixStream,
    folder: PathBuf,
}

/// What a command returned: its handle, if it makes one, and its parameters.
pub(crate) struct Answer {
    handle: u32,
    parameters: Vec<u8>,
}

impl Answer {
    /// The next TPM2B.
    fn sized(&mut self) -> Vec<u8> {
        let rest = self.parameters.split_off(2);
        let len = usize::from(u16::from_be_bytes(self.parameters[..2].try_into().unwrap()));
        self.parameters = rest[len..].to_vec();
        rest[..len].to_vec()
    }
}

impl Tpm {
    /// `None`, said aloud, where swtpm is not installed.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("cairn-evidence-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("sock");
        let spawned = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--terminate"])
            .args(["--tpmstate", &format!("dir={}", folder.display())])
            .args(["--server", &format!("type=unixio,path={}", path.display())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = spawned else {
            std::fs::remove_dir_all(&folder).unwrap();
            println!("SKIPPED: swtpm is not installed, nothing was proven against a TPM");
            return None;
        };
        for _ in 0..500 {
            if let Ok(socket) = UnixStream::connect(&path) {
                socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                return Some(Self { process, socket, folder });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("swtpm does not listen on {}", path.display());
    }

    /// Sends a command; a TPM error is the `Err`.
    fn send(
        &mut self,
        code: u32,
        handles: &[u32],
        auths: &[&[u8]],
        parameters: &[u8],
    ) -> Result<Answer, u32> {
        let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
        let auth = auths.concat();
        if !auths.is_empty() {
            body.extend(u32::try_from(auth.len()).unwrap().to_be_bytes());
            body.extend(auth);
        }
        body.extend(parameters);
        let tag: [u8; 2] = if auths.is_empty() { [0x80, 1] } else { [0x80, 2] };
        let size = u32::try_from(body.len() + 10).unwrap().to_be_bytes();
        let command = [tag.as_slice(), &size, &code.to_be_bytes(), &body].concat();
        let mut rest = loop {
            match self.exchange(&command) {
                Err(TPM_RC_RETRY) => {}
                other => break other?,
            }
        };
        let mut handle = 0;
        if matches!(code, CREATE_PRIMARY | START_AUTH_SESSION) {
            handle = u32::from_be_bytes(rest[..4].try_into().unwrap());
            rest.drain(..4);
        }
        if !auths.is_empty() {
            let len = usize::try_from(u32::from_be_bytes(rest[..4].try_into().unwrap())).unwrap();
            rest = rest[4..4 + len].to_vec();
        }
        Ok(Answer { handle, parameters: rest })
    }

    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, u32> {
        self.socket.write_all(command).unwrap();
        let mut head = [0; 10];
        self.socket.read_exact(&mut head).unwrap();
        let size = u32::from_be_bytes(head[2..6].try_into().unwrap());
        let mut rest = vec![0; usize::try_from(size).unwrap() - 10];
        self.socket.read_exact(&mut rest).unwrap();
        match u32::from_be_bytes(head[6..].try_into().unwrap()) {
            0 => Ok(rest),
            error => Err(error),
        }
    }

    /// TPM2_CreatePrimary: handle and TPMT_PUBLIC.
    pub(crate) fn create_primary(&mut self, hierarchy: u32, template: &[u8]) -> (u32, Vec<u8>) {
        let parameters = [&sized(&[0, 0, 0, 0]), sized(template).as_slice(), &[0, 0, 0, 0, 0, 0]].concat();
        let mut answer = self.send(CREATE_PRIMARY, &[hierarchy], &[PASSWORD], &parameters).unwrap();
        (answer.handle, answer.sized())
    }

    pub(crate) fn flush(&mut self, handle: u32) {
        self.send(0x165, &[handle], &[], &[]).unwrap();
    }

    /// TPM2_PCR_Extend into the SHA-256 bank.
    pub(crate) fn extend(&mut self, pcr: u32, digest: &[u8; 32]) {
        let parameters = [&[0, 0, 0, 1, 0, 0x0b], digest.as_slice()].concat();
        self.send(0x182, &[pcr], &[PASSWORD], &parameters).unwrap();
    }

    /// TPM2_PCR_Read of one SHA-256 PCR.
    pub(crate) fn read(&mut self, pcr: u8) -> [u8; 32] {
        let mut bitmap = [0; 3];
        bitmap[usize::from(pcr / 8)] = 1 << (pcr % 8);
        let selection = [&[0, 0, 0, 1, 0, 0x0b, 3], bitmap.as_slice()].concat();
        let answer = self.send(0x17e, &[], &[], &selection).unwrap();
        answer.parameters[answer.parameters.len() - 32..].try_into().unwrap()
    }

    /// TPM2_Quote: TPMS_ATTEST and TPMT_SIGNATURE.
    pub(crate) fn quote(&mut self, ak: u32, nonce: &[u8], bitmap: [u8; 3]) -> (Vec<u8>, Vec<u8>) {
        let selection = [&[0, 0x10, 0, 0, 0, 1, 0, 0x0b, 3], bitmap.as_slice()].concat();
        let mut answer = self.send(0x158, &[ak], &[PASSWORD], &[sized(nonce), selection].concat()).unwrap();
        (answer.sized(), answer.parameters)
    }

    /// TPM2_Certify: TPMS_ATTEST and TPMT_SIGNATURE.
    pub(crate) fn certify(&mut self, key: u32, ak: u32, nonce: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let parameters = [sized(nonce), vec![0, 0x10]].concat();
        let mut answer = self.send(0x148, &[key, ak], &[PASSWORD, PASSWORD], &parameters).unwrap();
        (answer.sized(), answer.parameters)
    }

    /// TPM2_ActivateCredential under PolicySecret(endorsement): the secret, or the TPM's error.
    pub(crate) fn activate(
        &mut self,
        ak: u32,
        ek: u32,
        id_object: &[u8],
        encrypted_secret: &[u8],
    ) -> Result<Vec<u8>, u32> {
        let start = [sized(&[1; 32]), vec![0, 0, 1, 0, 0x10, 0, 0x0b]].concat();
        let session = self.send(START_AUTH_SESSION, &[NULL, NULL], &[], &start).unwrap().handle;
        self.send(0x151, &[ENDORSEMENT, session], &[PASSWORD], &[0; 10]).unwrap();
        let policy = [session.to_be_bytes().as_slice(), &[0, 0, 1, 0, 0]].concat();
        let parameters = [id_object, encrypted_secret].concat();
        let result = self.send(0x147, &[ak, ek], &[PASSWORD, &policy], &parameters);
        self.flush(session);
        result.map(|mut answer| answer.sized())
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
