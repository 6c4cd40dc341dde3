//! A host without Kubernetes runs a virtual machine of a package: its disk comes from the registry, it prints on its serial
//! console, which is read through the tunnel; halted by a new version of the package, it is off.

use anyhow::{Context as _, Result, ensure};
use cairn_lab::oci::{self, Entry};

use crate::{edge, story::Story};

/// What the disk prints.
const WORDS: &[u8] = b"a machine in a machine\r\n";

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = edge::open(story)?;
    let archive = story.folder().join("speaker.tar");
    let files = [Entry { path: "disk/speaker.img", mode: 0o644, content: &speaker()? }];
    oci::archive(&archive, "1", &files, &[])?;
    edge::push(&play, &archive, "default.default/speaker:1")?;
    edge::apply(&play, "speaker.yaml", &package("1.0.0", "Always"))?;
    edge::apply(&play, "deployment.yaml", DEPLOYMENT)?;
    let machine = edge::register(&play, "edge-1", "role=vm")?;
    let guest = machine.start(story.net())?;
    edge::running(&play, "edge-1", &guest)?;
    let said = || play.site.call(&["logs", "edge-1", "speaker/vm", "--tail", "20"]);
    let words = String::from_utf8_lossy(WORDS.trim_ascii()).into_owned();
    play.wait(edge::WORKLOAD, &guest, "edge-1", || {
        Ok(said().ok().filter(|text| text.contains(&words)).map(|_| ()))
    })?;
    story.mark("the virtual machine's serial console was read");

    edge::apply(&play, "speaker-2.yaml", &package("1.0.1", "Halted"))?;
    play.wait(edge::WORKLOAD, &guest, "edge-1", || {
        let targets = play.site.json(&["deployment", "status", "speaker"])?;
        Ok(targets.to_string().to_lowercase().contains("halted").then_some(()))
    })?;
    story.mark("it is halted");
    Ok(())
}

const DEPLOYMENT: &str = "
apiVersion: cairn/v1
kind: Deployment
metadata: {name: speaker}
spec:
  package: speaker
  targets: {kind: host, names: [edge-1]}
";

fn package(version: &str, run: &str) -> String {
    let name = version.replace('.', "-");
    format!(
        "
apiVersion: cairn/v1
kind: Package
metadata: {{name: speaker-{name}}}
spec:
  package: speaker
  version: {version}
  applications:
    - name: vm
      source:
        vm:
          cpus: 1
          memoryBytes: 67108864
          disks: [{{name: boot, source: {{image: '${{cairn.registry}}/default.default/speaker:1'}}}}]
          run: {run}
"
    )
}

/// A disk of 1 MiB whose boot sector prints on the first serial port, for ever: a line, a pause, again.
fn speaker() -> Result<Vec<u8>> {
    // xor ax,ax; mov ds,ax; start: mov si,text; next: lodsb; test al,al; jz pause; mov dx,0x3f8; out dx,al; jmp next;
    // pause: xor cx,cx; mov bx,64; turn: loop $; dec bx; jnz turn; jmp start; text:
    let mut code = vec![
        0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x00, 0x00, 0xac, 0x84, 0xc0, 0x74, 0x06, 0xba, 0xf8, 0x03, 0xee, 0xeb,
        0xf5, 0x31, 0xc9, 0xbb, 0x40, 0x00, 0xe2, 0xfe, 0x4b, 0x75, 0xfb, 0xeb, 0xe6,
    ];
    let text = u16::try_from(0x7c00 + code.len()).context("a long program")?.to_le_bytes();
    code.splice(5..7, text);
    code.extend_from_slice(WORDS);
    code.push(0);
    ensure!(code.len() <= 510, "a long boot sector");
    code.resize(510, 0);
    code.extend_from_slice(&[0x55, 0xaa]);
    code.resize(1 << 20, 0);
    Ok(code)
}
