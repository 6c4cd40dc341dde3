//! iPXE scripts. Text that a client sent goes through [`escape`] and can neither start a command nor name a setting
//! (netboot.md rule 18); what the site configures is checked and refused instead, because altering it would mislead.

/// The user class that our scripts set, so that a later DHCP exchange knows its own chain (rule 15).
pub const USER_CLASS: &str = "cairn";

/// What the installer needs under iPXE. URIs are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install<'a> {
    /// UKI for UEFI; without it UEFI is told so.
    pub uki: Option<&'a str>,
    /// Kernel and initramfs for BIOS; without them BIOS is told so.
    pub bios: Option<(&'a str, &'a str)>,
    /// Kernel command line for BIOS; the UKI has its own inside.
    pub cmdline: &'a str,
}

/// How iPXE hands over to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalBoot {
    /// `exit`: the firmware goes on with its boot order.
    #[default]
    Exit,
    /// `sanboot` of the first BIOS drive, for firmware that stops after `exit`.
    Sanboot,
}

/// A configured text cannot stand in a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It holds a control or non-ASCII character, a setting (`${`), or a command separator.
    #[error("{what} {text:?} cannot stand in an iPXE script")]
    Unsafe {
        /// Which text.
        what: &'static str,
        /// The text.
        text: String,
    },
}

/// The script that starts the installer.
///
/// Images that were fetched before are freed first: iPXE hands each to the kernel as an initrd, which breaks a UKI.
///
/// # Errors
/// [`ScriptError`] when a URI or the command line would be read as something else.
pub fn install(files: &Install<'_>) -> Result<String, ScriptError> {
    let mut out = format!("#!ipxe\nset user-class {USER_CLASS}\nimgfree\n");
    out.push_str("iseq ${platform} efi && goto uefi || goto bios\n");
    out.push_str(":uefi\n");
    match files.uki {
        Some(uki) => {
            out.push_str(&format!("kernel {} || goto failed\nboot || goto failed\n", word("URI", uki)?))
        }
        None => out.push_str("echo Cairn: no installer for UEFI is configured\n"),
    }
    out.push_str("goto failed\n:bios\n");
    match files.bios {
        Some((kernel, initrd)) => {
            let cmdline = line("command line", files.cmdline)?;
            out.push_str(&format!("kernel {} {cmdline} || goto failed\n", word("URI", kernel)?));
            out.push_str(&format!("initrd {} || goto failed\nboot || goto failed\n", word("URI", initrd)?));
        }
        None => out.push_str("echo Cairn: no installer for BIOS is configured\n"),
    }
    out.push_str("goto failed\n");
    out.push_str(
        ":failed\necho Cairn: the installer did not start, trying again in 10 seconds\nsleep 10\nreboot\n",
    );
    Ok(out)
}

/// The script that leaves the boot to the disk: never an error that stops it (rule 40).
pub fn local_disk(how: LocalBoot) -> String {
    match how {
        LocalBoot::Exit => "#!ipxe\nexit 0\n".to_owned(),
        LocalBoot::Sanboot => "#!ipxe\nsanboot --no-describe --drive 0x80 || exit 0\n".to_owned(),
    }
}

/// The script for a host that gets nothing: says why on the host's own screen, then lets the firmware go on.
pub fn nothing(reason: &str) -> String {
    format!("#!ipxe\necho Cairn: {}\nsleep 5\nexit 0\n", escape(reason))
}

/// Foreign text as harmless words for `echo`: letters, digits and a few marks stay, the rest becomes `_`.
pub fn escape(text: &str) -> String {
    let keep = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | ',' | ':' | '/' | '-' | '+' | '@' | '(' | ')')
    };
    text.chars().take(200).map(|c| if keep(c) { c } else { '_' }).collect()
}

/// A single word: a URI.
fn word<'a>(what: &'static str, text: &'a str) -> Result<&'a str, ScriptError> {
    if text.is_empty() || text.contains(' ') {
        return Err(ScriptError::Unsafe { what, text: text.to_owned() });
    }
    line(what, text)
}

/// A run of words on one line.
fn line<'a>(what: &'static str, text: &'a str) -> Result<&'a str, ScriptError> {
    let printable = text.bytes().all(|b| matches!(b, 0x20..=0x7e));
    let separator = text.split(' ').any(|w| matches!(w, "||" | "&&" | ";"));
    if !printable || separator || text.contains("${") {
        return Err(ScriptError::Unsafe { what, text: text.to_owned() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Install<'_> = Install {
        uki: Some("http://10.77.0.1/boot/installer.efi"),
        bios: Some(("http://10.77.0.1/boot/vmlinuz", "http://10.77.0.1/boot/initrd")),
        cmdline: "console=ttyS0 quiet",
    };

    #[test]
    fn the_install_script_frees_images_first_and_serves_both_firmwares() {
        let script = install(&FILES).unwrap();
        let at = |needle: &str| script.find(needle).unwrap_or_else(|| panic!("{needle} is not in\n{script}"));
        assert!(script.starts_with("#!ipxe\n"));
        assert!(at("imgfree") < at("kernel http://10.77.0.1/boot/installer.efi || goto failed"));
        at("kernel http://10.77.0.1/boot/vmlinuz console=ttyS0 quiet || goto failed");
        at("initrd http://10.77.0.1/boot/initrd || goto failed");
        at("set user-class cairn");
    }

    #[test]
    fn configured_text_that_would_be_a_command_is_refused() {
        for bad in ["a\nshell", "a || shell", "quiet ${net0/mac}", "caf\u{e9}", "a && b"] {
            assert!(install(&Install { cmdline: bad, ..FILES }).is_err(), "{bad:?}");
        }
        assert!(install(&Install { uki: Some("http://x/ shell"), ..FILES }).is_err());
        assert!(install(&Install { uki: Some(""), ..FILES }).is_err());
    }

    #[test]
    fn a_hostile_reason_stays_one_echo_line() {
        let script = nothing("serial ABC\nshell || ${net0/mac} && reboot; `x`");
        let lines: Vec<&str> = script.lines().collect();
        assert_eq!(lines.len(), 4, "{script}");
        assert_eq!(lines[1], "echo Cairn: serial ABC_shell __ __net0/mac_ __ reboot_ _x_");
        assert_eq!(lines[3], "exit 0");
    }

    #[test]
    fn leaving_to_the_disk_never_fails() {
        assert!(local_disk(LocalBoot::Exit).ends_with("exit 0\n"));
        assert!(local_disk(LocalBoot::Sanboot).ends_with("|| exit 0\n"));
    }
}
