//! The short forms: `cairn host ...`, `cairn machine ...`, `cairn image ...`, `cairn installer ...`.

use std::path::PathBuf;

use cairn_contract::{Digest, Mac, inventory::Transport};
use cairn_domain::model::{DiskFields, HostFields};
use clap::{Args, Subcommand};

use crate::complete;

/// The words of `State::word`.
const STATES: [&str; 13] = [
    "pending",
    "registered",
    "booting",
    "attesting",
    "installing",
    "first boot",
    "running",
    "silent",
    "quarantined",
    "failed",
    "retiring",
    "wiping",
    "retired",
];

/// `cairn host ...`
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Expect a machine; at least one of serial, UUID, MAC and EK says which
    Register(Box<Register>),
    /// List hosts
    Ls {
        /// Only those in this state, such as running or "first boot"
        #[arg(long, value_parser = STATES)]
        state: Option<String>,
    },
    /// Show one host: state, reason, parts, phases
    Show {
        /// Name or id
        #[arg(add = complete::hosts())]
        name: String,
    },
    /// What happened to a host, step by step
    Timeline {
        /// Name or id
        #[arg(add = complete::hosts())]
        name: String,
        /// Go on as things happen, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
    },
    /// Let a pending host in
    Accept {
        /// Name or id
        #[arg(add = complete::hosts())]
        name: String,
        /// Give it this name
        #[arg(long = "as", value_name = "NEWNAME")]
        rename: Option<String>,
        /// Put it there: SITE of its project, or SITE.PROJECT.ORGANISATION
        #[arg(long, add = complete::sites())]
        site: Option<String>,
        /// Name of the OS image [default: by policy]
        #[arg(long)]
        image: Option<String>,
        /// KEY=VALUE; may be given more than once
        #[arg(long = "label", value_name = "KEY=VALUE")]
        labels: Vec<String>,
    },
    /// Let a quarantined or failed host try again
    Retry {
        /// Name or id
        #[arg(add = complete::hosts())]
        name: String,
    },
    /// Install a host again at its next network boot; erases its disk
    Reinstall {
        /// Name or id
        #[arg(add = complete::hosts())]
        name: String,
        /// Outside of its maintenance windows too
        #[arg(long)]
        force: bool,
    },
    /// Forget a host; its certificate is void at once
    Rm {
        /// Name or id
        #[arg(add = complete::hosts())]
        name: String,
    },
}

/// `cairn machine ...`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum MachineCommand {
    /// List them; one that proves its TPM becomes a pending host
    Ls,
}

/// `cairn image ...`
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Add a bundle: an OS image or an installer, its content tells
    Add {
        /// A .cairn file
        file: PathBuf,
    },
    /// List OS images
    Ls,
}

/// `cairn installer ...`
#[derive(Debug, Subcommand)]
pub enum InstallerCommand {
    /// The same as `image add`
    Add {
        /// A .cairn file
        file: PathBuf,
    },
    /// List installers
    Ls,
    /// Accept an installer no longer as what a machine booted
    Retire {
        /// Flavour, such as metal
        name: String,
        /// Version, as installer ls shows it
        version: String,
    },
}

/// What is known of a machine before it is seen.
#[derive(Debug, Clone, Args)]
#[command(
    group(clap::ArgGroup::new("identity").required(true).multiple(true).args(["serial", "uuid", "mac", "ek"])),
    after_help = "Examples:\n  cairn host register till-7 --serial SN4711 --site north --label role=pos\n  \
        cairn host register gw-1 --mac 52:54:00:12:34:56 --image debian -n retail.acme\n\n\
        Many at once: cairn import hosts -f hosts.csv, or cairn apply -f hosts.yaml"
)]
pub struct Register {
    /// Host name: a-z, 0-9 and -
    pub name: String,
    /// Serial number (SMBIOS)
    #[arg(long)]
    pub serial: Option<String>,
    /// UUID (SMBIOS)
    #[arg(long)]
    pub uuid: Option<uuid::Uuid>,
    /// Network address; may be given more than once
    #[arg(long, num_args = 1.., value_name = "MAC")]
    pub mac: Vec<Mac>,
    /// SHA-256 of the TPM's EK (its public key, SPKI)
    #[arg(long, value_name = "SHA256")]
    pub ek: Option<Digest>,
    /// Site of the project [default: its only one, or main]
    #[arg(long)]
    pub site: Option<String>,
    /// Name of the OS image [default: by policy]
    #[arg(long)]
    pub image: Option<String>,
    /// KEY=VALUE; may be given more than once
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// Smallest disk that may be erased, such as 20G (10^9) or 20Gi (2^30)
    #[arg(long, value_parser = crate::show::size::parse, value_name = "SIZE")]
    pub disk_min: Option<u64>,
    /// Largest disk that may be erased
    #[arg(long, value_parser = crate::show::size::parse, value_name = "SIZE")]
    pub disk_max: Option<u64>,
    /// Serial number of the one disk that may be erased
    #[arg(long, value_name = "SERIAL")]
    pub disk_serial: Option<String>,
    /// How that disk is attached: nvme, virtio, sata, mmc, usb; may be given more than once
    #[arg(long, value_parser = transport, value_name = "KIND")]
    pub disk_transport: Vec<Transport>,
}

impl Register {
    /// The API's words.
    pub(crate) fn spec(&self) -> HostFields {
        HostFields {
            site: self.site.clone(),
            serial: self.serial.clone(),
            uuid: self.uuid.map(|u| u.to_string()),
            macs: self.mac.clone(),
            ek: self.ek,
            image: self.image.clone(),
            disk: DiskFields {
                min_size: self.disk_min,
                max_size: self.disk_max,
                transports: self.disk_transport.clone(),
                serial: self.disk_serial.clone(),
            },
            ..HostFields::default()
        }
    }
}

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "nvme" => Ok(Transport::Nvme),
        "virtio" => Ok(Transport::Virtio),
        "sata" | "sas" | "scsi" => Ok(Transport::Sata),
        "mmc" => Ok(Transport::Mmc),
        "usb" => Ok(Transport::Usb),
        _ => Err("one of nvme, virtio, sata, mmc, usb".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    fn register(line: &str) -> Result<HostFields, String> {
        match Cli::try_parse_from(line.split_whitespace()).map_err(|e| e.to_string())?.command {
            Command::Host(HostCommand::Register(r)) => Ok(r.spec()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_registration_takes_all_that_the_api_takes() {
        let ek = Digest::of(b"ek");
        let spec = register(&format!(
            "cairn host register web-1 --serial S1 --uuid 4C4C4544-0051-3510-8052-B4C04F4A4E31 --mac 525400123456 --mac \
             52-54-00-12-34-57 --ek {ek} --image debian --site north --disk-min 20G --disk-serial D1 --disk-transport nvme"
        ));
        let want = HostFields {
            site: Some("north".into()),
            serial: Some("S1".into()),
            uuid: Some("4c4c4544-0051-3510-8052-b4c04f4a4e31".into()),
            macs: vec![Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]), Mac([0x52, 0x54, 0, 0x12, 0x34, 0x57])],
            ek: Some(ek),
            image: Some("debian".into()),
            disk: DiskFields {
                min_size: Some(20_000_000_000),
                max_size: None,
                transports: vec![Transport::Nvme],
                serial: Some("D1".into()),
            },
            ..HostFields::default()
        };
        assert_eq!(spec, Ok(want));
    }

    #[test]
    fn several_addresses_may_follow_one_flag() {
        let spec = register("cairn host register a --mac 525400123456 525400123457 --image x").unwrap();
        assert_eq!(spec.macs.len(), 2);
    }

    #[test]
    fn a_machine_that_nothing_identifies_is_refused() {
        let error = register("cairn host register web-1 --image debian").unwrap_err();
        assert!(error.contains("--serial"), "{error}");
        for bad in [
            "--mac 52:54",
            "--ek 00",
            "--uuid x",
            "--serial s --disk-min 20X",
            "--serial s --disk-transport floppy",
        ] {
            assert!(register(&format!("cairn host register web-1 {bad}")).is_err(), "{bad}");
        }
    }
}
