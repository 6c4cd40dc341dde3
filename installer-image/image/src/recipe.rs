//! Recipes as data: what goes into a bundle. The files lie in `recipes/` and are part of this program.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::BuildError;

const INSTALLERS: [(&str, &str); 2] = [
    ("lab", include_str!("../recipes/installer-lab.toml")),
    ("metal", include_str!("../recipes/installer-metal.toml")),
];
const SYSTEMS: [(&str, &str); 3] = [
    ("tiny", include_str!("../recipes/os-tiny.toml")),
    ("debian", include_str!("../recipes/os-debian.toml")),
    ("edge", include_str!("../recipes/os-edge.toml")),
];

/// What every boot has: a kernel, its modules and its command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Boot {
    /// The flavour or image name.
    pub name: String,
    /// `ID` of os-release(5).
    pub id: String,
    /// `NAME` of os-release(5).
    pub title: String,
    /// The Debian package that depends on the kernel to use.
    pub kernel: String,
    /// The kernel's command line; the provisioner may add to it.
    pub cmdline: String,
    /// Modules of the initramfs.
    #[serde(default)]
    pub modules: ModuleSet,
}

/// Modules to take, always with those they depend on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleSet {
    /// Loaded at start, in this order.
    pub load: Vec<String>,
    /// Present, loaded when a device or a program asks.
    pub names: Vec<String>,
    /// Every module below these folders, as seen from the kernel's module folder.
    pub dirs: Vec<String>,
    /// Beginnings of paths to leave out of `dirs`.
    pub except: Vec<String>,
}

/// An installer flavour.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Installer {
    /// Kernel and modules.
    #[serde(flatten)]
    pub boot: Boot,
    /// Firmware for the modules.
    #[serde(default)]
    pub firmware: Firmware,
}

/// Where firmware files come from. Only files that a module of the set declares are taken.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Firmware {
    /// Debian packages, of `main` and `non-free-firmware`.
    pub packages: Vec<String>,
}

/// An operating system image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Os {
    /// Kernel and modules.
    #[serde(flatten)]
    pub boot: Boot,
    /// The system's version, for people.
    pub os_version: String,
    /// Size of the EFI system partition: two UKIs and the host's files.
    pub esp_mib: u32,
    /// Size of each root partition.
    pub root_mib: u32,
    /// A root file system from Debian packages; without it the agent is alone.
    pub debian: Option<Debian>,
}

/// A root file system from Debian packages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debian {
    /// Packages besides the essential ones, without what they recommend.
    pub packages: Vec<String>,
    /// Files and folders to remove.
    pub remove: Vec<String>,
    /// systemd units to start.
    pub enable: Vec<Enable>,
    /// systemd units that never start.
    pub mask: Vec<String>,
    /// Empty folders to add.
    pub directories: Vec<String>,
    /// Modules besides those of the initramfs.
    pub modules: ModuleSet,
    /// Text files to add.
    pub files: Vec<TextFile>,
}

/// A unit and the `.wants` folder that starts it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enable {
    /// The unit.
    pub unit: String,
    /// The folder below `etc/systemd/system`.
    pub of: String,
}

/// A file with its text; a first empty line is not part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    /// Path without a leading slash.
    pub path: String,
    /// Contents.
    pub text: String,
}

/// The installer of a flavour.
///
/// # Errors
/// When there is none, or it is not understood.
pub fn installer(flavour: &str) -> Result<Installer, BuildError> {
    named("installer", &INSTALLERS, flavour)
}

/// The operating system of a name.
///
/// # Errors
/// When there is none, or it is not understood.
pub fn os(name: &str) -> Result<Os, BuildError> {
    named("os", &SYSTEMS, name)
}

fn named<T: DeserializeOwned>(kind: &'static str, all: &[(&str, &str)], name: &str) -> Result<T, BuildError> {
    let wrong = |source| BuildError::Recipe { name: format!("{kind}-{name}"), source };
    table(kind, all, name)?.try_into().map_err(wrong)
}

/// A recipe's text, upon that of its `base` where it names one.
fn table(kind: &'static str, all: &[(&str, &str)], name: &str) -> Result<Table, BuildError> {
    let found = all.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| BuildError::NoRecipe { kind, name: name.to_owned() })?;
    let wrong = |source| BuildError::Recipe { name: format!("{kind}-{name}"), source };
    let mut own: Table = toml::from_str(text).map_err(wrong)?;
    match own.remove("base") {
        Some(Value::String(base)) if base != name => {
            let mut whole = table(kind, all, &base)?;
            lay_over(&mut whole, own);
            Ok(whole)
        }
        Some(_) | None => Ok(own),
    }
}

/// Tables are joined, lists are lengthened, everything else is replaced.
fn lay_over(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => lay_over(under, over),
            (Some(Value::Array(under)), Value::Array(over)) => under.extend(over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

impl Boot {
    /// The text of os-release(5) for the UKI.
    #[must_use]
    pub fn os_release(&self, version: &str) -> String {
        format!("ID={}\nNAME=\"{}\"\nVERSION_ID={version}\n", self.id, self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_understood_and_named_as_its_file() {
        for (name, _) in INSTALLERS {
            assert_eq!(installer(name).unwrap().boot.name, name);
        }
        for (name, _) in SYSTEMS {
            assert_eq!(os(name).unwrap().boot.name, name);
        }
    }

    #[test]
    fn a_recipe_has_all_of_its_base_and_its_own() {
        let (base, edge) = (os("debian").unwrap(), os("edge").unwrap());
        assert_eq!((edge.boot.kernel, edge.boot.id.as_str()), (base.boot.kernel, "cairn-edge"));
        let (base, edge) = (base.debian.unwrap(), edge.debian.unwrap());
        assert!(
            edge.packages.starts_with(&base.packages) && edge.packages.contains(&"containerd".to_owned())
        );
        assert!(edge.files.len() > base.files.len() && edge.mask.len() == base.mask.len() + 1);
    }

    #[test]
    fn an_os_is_not_an_installer() {
        assert!(installer("tiny").is_err());
        assert!(os("lab").is_err());
    }

    #[test]
    fn paths_of_recipes_stay_in_the_tree() {
        let debian = os("edge").unwrap().debian.unwrap();
        let files = debian.files.iter().map(|f| &f.path);
        for path in debian.remove.iter().chain(&debian.directories).chain(files) {
            assert!(!path.starts_with('/') && !path.contains(".."), "{path}");
        }
    }
}
