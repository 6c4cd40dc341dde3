//! What stories about workloads share: hosts with the edge image, an image of their own in the registry, and questions to what
//! runs there.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use cairn_lab::{
    Disk, Guest, Net, NetBoot, Running, Stage,
    oci::{self, Entry},
};

use crate::play::Play;
use crate::story::Story;

/// Room for the edge image twice, images of containers and the files of Kubernetes.
const DISK: u64 = 8 << 30;
/// From an order to a workload that answers, emulated.
pub(crate) const WORKLOAD: Stage = Stage::new("workload", 120.0);
/// For one answer of a workload.
const PATIENCE: Duration = Duration::from_secs(3);
const BUSYBOX: &str = "/bin/busybox";
/// What the web server of the stories answers with.
pub(crate) const GREETING: &str = "hello from cairn\n";

/// A site that gives the edge image to all hosts.
pub(crate) fn open(story: &Story) -> Result<Play<'_>> {
    let play = Play::with(story, &["installer-lab", "os-edge"])?;
    Ok(play)
}

/// A host that shall run things: memory and disk for them. It is registered with these labels.
pub(crate) fn register(play: &Play<'_>, name: &str, labels: &str) -> Result<Guest> {
    let serial = format!("SN-{name}");
    play.site.call(&["host", "register", name, "--serial", &serial, "--image", "edge", "--label", labels])?;
    let story = play.story;
    let disk = Disk::create(&story.folder().join(format!("{name}.raw")), DISK)?;
    let mut guest = story.guest(name).netboot(NetBoot::Http).tpm(story.tpm(name)?).disk(disk);
    guest.memory = 3072;
    Ok(guest)
}

/// Waits until it runs.
pub(crate) fn running(play: &Play<'_>, name: &str, guest: &Running) -> Result<()> {
    play.wait_state(name, "first boot|running", Stage::new("installation", 120.0), guest)?;
    play.wait_state(name, "running", Stage::new("edge image's first boot", 120.0), guest)?;
    Ok(())
}

/// Puts an image with busybox and a page into the site's registry, as `default.default/hello:1`.
pub(crate) fn push_hello(play: &Play<'_>) -> Result<()> {
    let busybox = fs::read(BUSYBOX).context("the package busybox-static is needed")?;
    let files = [
        Entry { path: "bin/busybox", mode: 0o755, content: &busybox },
        Entry { path: "www/index.html", mode: 0o644, content: GREETING.as_bytes() },
    ];
    let archive = play.story.folder().join("hello.tar");
    let command = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"];
    oci::archive(&archive, "1", &files, &command)?;
    push(play, &archive, "default.default/hello:1")
}

/// Copies an image of an archive into the site's registry, by the real skopeo.
pub(crate) fn push(play: &Play<'_>, archive: &Path, reference: &str) -> Result<()> {
    let made = play.site.json(&["token", "create", "pusher", "--role", "admin"])?;
    let token = made["secret"].as_str().with_context(|| format!("no secret in {made}"))?;
    let mut skopeo = play.story.net().command("skopeo");
    skopeo.args(["copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", &format!("token:{token}")]);
    skopeo.arg(format!("oci-archive:{}", archive.display()));
    let output = skopeo.arg(format!("docker://{}/{reference}", Net::SERVER)).output()?;
    ensure!(output.status.success(), "skopeo: {}", String::from_utf8_lossy(&output.stderr));
    play.site.call(&["token", "revoke", "pusher"])?;
    play.story.mark(format!("{reference} lies in the registry"));
    Ok(())
}

/// Applies resources given as text.
pub(crate) fn apply(play: &Play<'_>, name: &str, text: &str) -> Result<()> {
    let path = play.story.folder().join(name);
    fs::write(&path, text)?;
    play.site.call(&["apply", "-f", &path.to_string_lossy()])?;
    Ok(())
}

/// Waits until the host's address answers a GET of `/` on this port with the greeting.
pub(crate) fn answers(play: &Play<'_>, name: &str, port: u16, guest: &Running) -> Result<()> {
    let address = address(play, name)?;
    play.wait(WORKLOAD, guest, name, || Ok((get(play, &address, port)? == GREETING).then_some(())))?;
    play.story.mark(format!("{name} answers on port {port}"));
    Ok(())
}

/// Waits until nothing answers there any more.
pub(crate) fn silent(play: &Play<'_>, name: &str, port: u16, guest: &Running) -> Result<()> {
    let address = address(play, name)?;
    play.wait(WORKLOAD, guest, name, || Ok(get(play, &address, port)?.is_empty().then_some(())))?;
    play.story.mark(format!("nothing answers on port {port} of {name}"));
    Ok(())
}

/// The address by which the lab's network knows its interface.
pub(crate) fn address(play: &Play<'_>, name: &str) -> Result<String> {
    let mac = play.story.guest(name).mac;
    let output = play.story.net().command("ip").args(["-4", "neighbour"]).output()?;
    let known = String::from_utf8_lossy(&output.stdout).into_owned();
    // The installer and the installed system may have had different ones: the newest is the last reachable.
    let line = known.lines().rfind(|l| l.contains(&mac) && !l.contains("FAILED"));
    let address = line.and_then(|l| l.split(' ').next());
    Ok(address.with_context(|| format!("no address of {name} ({mac}): {known}"))?.to_owned())
}

/// The body that the address answers with; empty while it does not.
fn get(play: &Play<'_>, address: &str, port: u16) -> Result<String> {
    let to: SocketAddr = format!("{address}:{port}").parse()?;
    let answer = play.story.net().inside(|| ask(to))?;
    let answer = answer.unwrap_or_default();
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// An HTTP/1.0 GET of `/`.
fn ask(to: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    Ok(answer)
}
