//! The iPXE script for the machine that asks, over HTTP and TFTP.

use cairn_netproto::bootfile::{AUTOEXEC_SCRIPT, BOOT_SCRIPT, Name};
use cairn_netproto::script::{self, LocalBoot};

use crate::Parts;
use crate::directory::{BootAnswer, BootClient, BootFiles, DiskWay};
use crate::event::What;

/// A script and what is told of it.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) event: What,
}

/// How the script itself is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// Its files are named beside it: by the same scheme, host and port that reached us.
    Http,
    /// Its files are better fetched over HTTP.
    Tftp,
}

/// The script named `name` for this client; `None` when it is not the name of a script.
pub(crate) fn script(parts: &Parts, client: &BootClient, name: &str, via: Via) -> Option<Script> {
    let name = [BOOT_SCRIPT, AUTOEXEC_SCRIPT].into_iter().find(|known| *known == name)?;
    let sent = |does| What::ScriptSent { name, does };
    let (text, event) = match parts.directory.answer(client) {
        BootAnswer::Installer(files) => {
            let (text, does) = install(parts, &files, via);
            (text, sent(does))
        }
        BootAnswer::LocalDisk(way) => (script::local_disk(local(way)), What::LedToDisk),
        BootAnswer::AddressOnly(why) => (script::nothing(&why), sent("nothing to boot")),
    };
    Some(Script { text, event })
}

fn local(way: DiskWay) -> LocalBoot {
    match way {
        DiskWay::Sanboot => LocalBoot::Sanboot,
        DiskWay::NoFile | DiskWay::NotFound => LocalBoot::Exit,
    }
}

fn install(parts: &Parts, files: &BootFiles, via: Via) -> (String, &'static str) {
    let uri = |name: &Name| {
        let _present = parts.shelf.get(name.as_str())?;
        Some(match via {
            Via::Http => name.to_string(),
            Via::Tftp => parts.site.http_uri(name.as_str()),
        })
    };
    let (uki, kernel, initrd) = (uri(&files.uki), uri(&files.kernel), uri(&files.initrd));
    let bios = kernel.as_deref().zip(initrd.as_deref());
    match script::install(&script::Install { uki: uki.as_deref(), bios, cmdline: &files.cmdline }) {
        Ok(text) => (text, "start the installer"),
        Err(error) => (script::nothing(&error.to_string()), "nothing: the configured command line is unsafe"),
    }
}
