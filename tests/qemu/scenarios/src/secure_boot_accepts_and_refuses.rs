//! With the site's keys in the firmware, the site's installer starts and nothing else does.

use anyhow::{Context, Result, ensure};
use cairn_lab::vars::SecureBootKeys;
use cairn_lab::{Firmware, Stage, esl};

use crate::play::Play;
use crate::story::Story;
use crate::tampered_installer::first;

pub(crate) fn tell(story: &Story) -> Result<()> {
    let play = Play::open(story)?;
    let key = |name: &str| esl::certificate(&play.site.folder().join(format!("keys/{name}.crt")));
    let keys = SecureBootKeys { pk: key("pk")?, kek: key("kek")?, db: vec![key("db")?] };
    let firmware = || Firmware::UefiSecureBoot(Box::new(keys.clone()));
    let slow = Stage::new("installer with Secure Boot", 45.0);

    play.register("edge-1")?;
    let guest = play.guest("edge-1")?.firmware(firmware()).start(story.net())?;
    play.wait_note("edge-1", ("attest.proven", "Secure Boot on"), slow, &guest)?;
    guest.power_cut();

    let installers = play.site.json(&["installer", "ls"])?;
    let digest = first(&installers)?["sha256"].as_str().context("an installer without a digest")?.to_owned();
    let blob = play.site.folder().join("blobs/sha256").join(&digest[..2]).join(&digest);
    let mut uki = std::fs::read(&blob)?;
    let middle = uki.len() / 2;
    uki[middle] ^= 1;
    std::fs::write(&blob, uki)?;
    story.mark("one byte of the installer is altered");
    // Known by its address: a machine that starts nothing never tells its serial number.
    let machine = play.guest("edge-2")?.firmware(firmware());
    play.site.call(&["host", "register", "edge-2", "--mac", &machine.mac])?;
    let guest = machine.start(story.net())?;
    play.wait_note("edge-2", ("file.sent", "installer.efi"), slow, &guest)?;
    guest.wait_for("Access Denied|Security Violation", slow)?;
    story.mark("the firmware refused it");
    let claimed = play.timeline("edge-2")?.iter().any(|l| l.code == "attest.claimed");
    ensure!(!claimed, "an altered installer ran");
    Ok(())
}
