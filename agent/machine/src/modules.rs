//! Kernel modules: a fixed list first, then whatever the present devices ask for.
//!
//! Reads the files that depmod makes (`modules.dep`, `modules.alias`); the modules themselves lie uncompressed in the
//! initramfs, which is compressed as a whole. Not udev: no rules, no hot-plug after the start. Called by PID 1.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

/// A bus driver (virtio_pci) makes new devices (virtio-net): so many generations at most.
const GENERATIONS: usize = 6;

/// Why no module could be loaded at all. A single module's failure is logged and passed over.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct ModulesError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// depmod's tables of one kernel.
#[derive(Debug, Default)]
pub struct Modules {
    root: PathBuf,
    /// Normalised name -> file and the files that it needs, nearest first.
    files: HashMap<String, (String, Vec<String>)>,
    /// Bus (`pci`, `virtio`) -> pattern and module.
    aliases: HashMap<String, Vec<(String, String)>>,
    loaded: HashSet<String>,
}

impl Modules {
    /// Reads the tables below `root`, such as `/lib/modules/6.1.0-25-cloud-amd64`.
    ///
    /// # Errors
    /// When `modules.dep` cannot be read; a missing `modules.alias` is an empty one.
    pub fn read(root: &Path) -> Result<Self, ModulesError> {
        let path = root.join("modules.dep");
        let dep = fs::read_to_string(&path).map_err(|source| ModulesError { path, source })?;
        let alias = fs::read_to_string(root.join("modules.alias")).unwrap_or_default();
        Ok(Self {
            root: root.to_path_buf(),
            files: parse_dep(&dep),
            aliases: parse_alias(&alias),
            loaded: HashSet::new(),
        })
    }

    /// The tables of the running kernel.
    ///
    /// # Errors
    /// As [`Modules::read`].
    pub fn of_running_kernel() -> Result<Self, ModulesError> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_err(|source| ModulesError { path: "/proc/sys/kernel/osrelease".into(), source })?;
        Self::read(&Path::new("/lib/modules").join(release.trim()))
    }

    /// Loads the modules named in a file, one a line, in order; `#` begins a comment. Returns how many were loaded.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn load_list(&mut self, list: &Path) -> Result<usize, ModulesError> {
        let text =
            fs::read_to_string(list).map_err(|source| ModulesError { path: list.to_path_buf(), source })?;
        let names = text.lines().map(|l| l.split('#').next().unwrap_or_default().trim());
        Ok(names.filter(|n| !n.is_empty()).map(|name| self.load(name)).sum())
    }

    /// Loads what the devices below `/sys/devices` ask for, until no new module appears. Returns how many.
    pub fn load_for_devices(&mut self) -> usize {
        let mut total = 0;
        for _ in 0..GENERATIONS {
            let wanted = self.wanted(&device_aliases(Path::new("/sys/devices")));
            let new: usize = wanted.iter().map(|name| self.load(name)).sum();
            total += new;
            if new == 0 {
                break;
            }
        }
        total
    }

    /// Modules for these device aliases that were not tried yet.
    fn wanted(&self, devices: &[String]) -> Vec<String> {
        let mut names = Vec::new();
        for device in devices {
            let Some((bus, _)) = device.split_once(':') else { continue };
            for (pattern, module) in self.aliases.get(bus).into_iter().flatten() {
                if !self.loaded.contains(module) && !names.contains(module) && matches(pattern, device) {
                    names.push(module.clone());
                }
            }
        }
        names
    }

    /// Loads a module and what it needs. Unknown names may be built in, and are passed over.
    fn load(&mut self, name: &str) -> usize {
        let name = normal(name);
        if !self.loaded.insert(name.clone()) {
            return 0;
        }
        let Some((file, needs)) = self.files.get(&name).cloned() else { return 0 };
        let mut count = 0;
        for file in needs.iter().rev().chain([&file]) {
            let key = module_name(file);
            if key != name && !self.loaded.insert(key) {
                continue;
            }
            match insert(&self.root.join(file)) {
                Ok(()) => count += 1,
                // Its device is not here (tpm_tis, efivarfs under BIOS): nothing to tell.
                Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => {}
                Err(error) => tracing::warn!(module = file, %error, "a kernel module was not loaded"),
            }
        }
        count
    }
}

fn insert(path: &Path) -> Result<(), io::Error> {
    match finit_module(File::open(path)?, c"", ModuleInitFlags::empty()) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// `kernel/net/virtio-net.ko` is the module `virtio_net`.
fn module_name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    normal(base.split(".ko").next().unwrap_or(base))
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn parse_dep(text: &str) -> HashMap<String, (String, Vec<String>)> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(file, needs)| {
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            (module_name(file), (file.to_owned(), needs))
        })
        .collect()
}

fn parse_alias(text: &str) -> HashMap<String, Vec<(String, String)>> {
    let mut aliases: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some("alias"), Some(pattern), Some(module)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if let Some((bus, _)) = pattern.split_once(':') {
            aliases.entry(bus.to_owned()).or_default().push((pattern.to_owned(), normal(module)));
        }
    }
    aliases
}

/// Every `modalias` below `root`; symbolic links are not followed.
fn device_aliases(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && entry.file_name() == "modalias" => {
                    found.extend(fs::read_to_string(entry.path()).map(|s| s.trim().to_owned()));
                }
                _ => {}
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Shell patterns as depmod uses them: `*`, `?` and `[a-f]`.
fn matches(pattern: &str, text: &str) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut i, mut j) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one byte further into the text.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = t.get(j) {
        if p.get(i) == Some(&b'*') {
            star = Some((i + 1, j));
            i += 1;
        } else if let Some(next) = one(p.get(i..).unwrap_or_default(), c) {
            (i, j) = (i + next, j + 1);
        } else if let Some((pi, tj)) = star {
            (i, j, star) = (pi, tj + 1, Some((pi, tj + 1)));
        } else {
            return false;
        }
    }
    p.get(i..).unwrap_or_default().iter().all(|c| *c == b'*')
}

/// Length of the pattern's first element, if it takes `c`.
fn one(p: &[u8], c: u8) -> Option<usize> {
    match p.first()? {
        b'?' => Some(1),
        b'[' => {
            let end = p.iter().position(|b| *b == b']')?;
            let mut set = p.get(1..end)?;
            let mut within = false;
            while let Some((&low, rest)) = set.split_first() {
                if let [b'-', high, after @ ..] = rest {
                    within |= (low..=*high).contains(&c);
                    set = after;
                } else {
                    within |= low == c;
                    set = rest;
                }
            }
            within.then_some(end + 1)
        }
        b => (*b == c).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_of_depmod_match() {
        for (pattern, text, expected) in [
            ("virtio:d00000001v*", "virtio:d00000001v00001AF4", true),
            ("virtio:d00000002v*", "virtio:d00000001v00001AF4", false),
            ("pci:v00001AF4d*sv*sd*bc*sc*i*", "pci:v00001AF4d00001041sv1sd2bc02sc00i00", true),
            ("pci:v*d*sv*sd*bc01sc08i02*", "pci:v00001B36d00000010sv1sd2bc01sc08i02", true),
            ("usb:v05ACp02[0-3]?d*", "usb:v05ACp021Fd00", true),
            ("usb:v05ACp02[0-3]?d*", "usb:v05ACp024Fd00", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*", "", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_device_names_its_module_and_what_that_needs() {
        let modules = Modules {
            files: parse_dep("kernel/net/virtio-net.ko: kernel/net/net_failover.ko kernel/net/failover.ko\n"),
            aliases: parse_alias("# x\nalias virtio:d00000001v* virtio-net\nalias fs-ext4 ext4\n"),
            ..Modules::default()
        };
        assert_eq!(modules.wanted(&["virtio:d00000001v00001AF4".into()]), ["virtio_net"]);
        assert_eq!(modules.files["virtio_net"].1[0], "kernel/net/net_failover.ko");
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a*?\\[\\]-]{0,20}", text in "[a\\[]{0,20}") {
            let _ = matches(&pattern, &text);
        }
    }
}
