//! A host that cheats with a true TPM: an old quote for a new challenge, then an event log that its PCRs do not tell. No
//! guest is needed: the story speaks the protocol itself, with a real swtpm and over real TLS.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cairn_contract::{Evidence, Hello, HelloReply, Hex, Inventory, Mac, Smbios, Stage, Timestamp, Verdict};
use cairn_lab::{Net, Tpm};
use cairn_machine::link::{Link, Protocol, Trust};
use cairn_machine::prover::Prover;
use cairn_machine::tpm::{Socket, Tpm as Hands};

use crate::play::Play;
use crate::story::Story;

const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    for (name, cheat, reason) in [
        ("replayer", replay as Cheat, "nonce"),
        ("wrong-nonce", wrong_nonce, "nonce"),
        ("liar", lie, "the event log replays to"),
    ] {
        play.register(name)?;
        let folder = story.folder().join(name);
        Tpm::certified(&folder, &story.tpm_ca()?)?;
        let _swtpm = Swtpm::start(&folder)?;
        measure_something(&folder.join("raw.sock"))?;
        let prover = Prover::new(Hands::over(Box::new(Socket::connect(&folder.join("raw.sock"))?)))?;
        let verdict = story.net().inside(|| speak(&play, name, &prover, cheat))??;
        let Verdict::Refused { why, .. } = &verdict else { bail!("{name} got {verdict:?}") };
        ensure!(why.contains(reason), "{name} was refused for another reason: {why}");
        ensure!(play.state(name)? == "quarantined", "{name} is {}", play.state(name)?);
        story.mark(format!("{name}: {why}"));
    }
    Ok(())
}

/// Two answers of one TPM, to an old and to the present challenge, made into what is sent.
type Cheat = fn(old: Evidence, new: Evidence) -> Evidence;

fn replay(old: Evidence, new: Evidence) -> Evidence {
    Evidence { quote: old.quote, signature: old.signature, pcr_values: old.pcr_values, ..new }
}

/// The quote of this TPM for another connection's exporter.
fn wrong_nonce(_: Evidence, new: Evidence) -> Evidence {
    new
}

/// A log of a machine that booted well, beside the PCRs of one that did not.
fn lie(_: Evidence, new: Evidence) -> Evidence {
    let log = include_bytes!("../data/eventlog.bin");
    Evidence { event_log: Hex(log.to_vec()), ..new }
}

fn speak(play: &Play<'_>, name: &str, prover: &Prover, cheat: Cheat) -> Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ca = cairn_lab::esl::certificate(&play.site.folder().join("keys/site-ca.crt"))?;
        let trust = Trust::new(&ca, Timestamp(0), None)?;
        let hello = hello(name, prover);
        let (_, old) = challenged(&trust, &hello, prover, None).await?;
        // The second quote is for its own connection, but where the story is about the connection.
        let foreign = (name == "wrong-nonce").then_some([7; 32]);
        let (mut link, new) = challenged(&trust, &hello, prover, foreign).await?;
        Ok(link.post_json("/host/v1/evidence", &cheat(old, new), None, LIMIT).await?)
    })
}

async fn challenged(
    trust: &Trust,
    hello: &Hello,
    prover: &Prover,
    exporter: Option<[u8; 32]>,
) -> Result<(Link, Evidence)> {
    let server = SocketAddr::from((Net::SERVER, 443));
    let mut link = Link::connect(server, trust, Protocol::Http1, LIMIT).await?;
    let reply = link.post_json("/host/v1/hello", hello, None, LIMIT).await?;
    let HelloReply::Challenge(challenge) = reply else { bail!("no challenge: {reply:?}") };
    let exporter = exporter.or(link.exporter().copied()).context("no exporter")?;
    let (evidence, _) = prover.answer(&challenge, &exporter, None)?;
    Ok((link, evidence))
}

fn hello(name: &str, prover: &Prover) -> Hello {
    let smbios = Smbios { serial: format!("SN-{name}"), ..Smbios::default() };
    Hello {
        stage: Stage::Installer,
        boot_id: uuid::Uuid::new_v4(),
        boot_mac: Mac([0x52, 0x54, 0, 0xfe, 0, 1]),
        inventory: Inventory { smbios, ..Inventory::default() },
        tpm: Some(prover.claim().clone()),
    }
}

/// TPM2_PCR_Extend of PCR 4 (TPM 2.0 Part 3, 22.2) with a digest of no image of ours, as a boot would.
fn measure_something(socket: &Path) -> Result<()> {
    let mut command = vec![0x80, 2, 0, 0, 0, 65, 0, 0, 1, 0x82, 0, 0, 0, 4];
    command.extend([0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0b]);
    command.extend([0x5a; 32]);
    let mut stream = listening(socket)?;
    stream.write_all(&command)?;
    let mut answer = [0; 19];
    stream.read_exact(&mut answer)?;
    ensure!(answer[6..10] == [0; 4], "swtpm refused TPM2_PCR_Extend: {answer:?}");
    Ok(())
}

/// The socket's file is there a moment before anybody listens on it.
fn listening(socket: &Path) -> Result<UnixStream> {
    let end = Instant::now() + LIMIT;
    loop {
        match UnixStream::connect(socket) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other.context("swtpm does not listen"),
        }
    }
}

/// A TPM that answers on a socket of its own; ends on drop.
struct Swtpm(Child);

impl Swtpm {
    fn start(folder: &Path) -> Result<Self> {
        let socket = folder.join("raw.sock");
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"])
            .arg(format!("dir={}", folder.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start swtpm")?;
        let swtpm = Self(child);
        let end = Instant::now() + LIMIT;
        while !socket.exists() {
            ensure!(Instant::now() < end, "swtpm opened no socket");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(swtpm)
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        // It may have ended with its connection.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
