//! Which boot part a DHCP client gets: the answer of policy ([`BootAnswer`]) put into words that its firmware
//! understands (netboot.md B, C, F). Pure.

use std::net::Ipv4Addr;

use cairn_netproto::bootfile::{self, Name};
use cairn_netproto::dhcp::{Arch, Boot, Class, Client, Menu};
use cairn_netproto::printable;

use crate::directory::{BootAnswer, BootFiles, DiskWay};
use crate::event::NoFile;

/// A name that never has a file: firmware that fetches it learns to go on to its disk ([`DiskWay::NotFound`]).
pub(crate) const DISK: &str = "boot-from-disk";

/// By which scheme UEFI HTTP boot fetches the installer. Firmware does not say in DHCP whether it has TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`, where [`Site::https`] is set.
    Https,
}

/// How this site's boot services are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// This server, as TFTP clients and `siaddr` name it.
    pub server: Ipv4Addr,
    /// Plain HTTP without a trailing slash, such as `http://10.77.0.1`; port 80 is left out, because EDK2 does.
    pub http: String,
    /// HTTPS likewise, where it is served.
    pub https: Option<String>,
    /// For UEFI HTTP boot.
    pub firmware: Scheme,
    /// Vendor classes (prefixes) beyond `PXEClient` and `HTTPClient` that are served like PXE firmware (rule 2).
    pub vendor_classes: Vec<String>,
}

impl Site {
    /// A site that is reached by plain HTTP on port 80.
    pub fn plain(server: Ipv4Addr) -> Self {
        Self {
            server,
            http: format!("http://{server}"),
            https: None,
            firmware: Scheme::Http,
            vendor_classes: Vec::new(),
        }
    }

    /// The URI of a boot file over plain HTTP.
    pub fn http_uri(&self, name: &str) -> String {
        format!("{}/boot/{name}", self.http)
    }

    fn uri(&self, scheme: Scheme, name: &str) -> String {
        match (scheme, &self.https) {
            (Scheme::Https, Some(https)) => format!("{https}/boot/{name}"),
            (Scheme::Http | Scheme::Https, _) => self.http_uri(name),
        }
    }
}

/// The boot part for this client, or the reason why there is none. `None` for a client that asks for none.
pub(crate) fn choose(
    site: &Site,
    client: &Client,
    answer: &BootAnswer,
    on_shelf: &dyn Fn(&Name) -> bool,
) -> Option<Result<Boot, NoFile>> {
    let class = match effective_class(site, client)? {
        Ok(class) => class,
        Err(why) => return Some(Err(why)),
    };
    Some(match answer {
        BootAnswer::AddressOnly(why) => Err(NoFile::Denied(why.clone())),
        BootAnswer::LocalDisk(way) => local_disk(site, class, *way),
        BootAnswer::Installer(files) => installer(site, (class, client), files, on_shelf),
    })
}

/// The class that the client is served as; a foreign class is PXE where the configuration says so.
fn effective_class(site: &Site, client: &Client) -> Option<Result<Class, NoFile>> {
    match client.class {
        Class::Os => None,
        Class::Other => {
            let sent = client.vendor_class.as_deref().unwrap_or_default();
            let known = site.vendor_classes.iter().any(|class| sent.starts_with(class.as_bytes()));
            Some(if known { Ok(Class::PxeClient) } else { Err(NoFile::ForeignClass(printable(sent))) })
        }
        class @ (Class::PxeClient | Class::HttpClient | Class::Ipxe) => Some(Ok(class)),
    }
}

fn local_disk(site: &Site, class: Class, way: DiskWay) -> Result<Boot, NoFile> {
    match (class, way) {
        // iPXE runs already: a script tells it to leave, which is quicker than its own timeouts.
        (Class::Ipxe, _) => Ok(Boot::Ipxe { server: site.server, uri: site.http_uri(bootfile::BOOT_SCRIPT) }),
        (_, DiskWay::NoFile) => Err(NoFile::LocalDisk),
        (Class::HttpClient, DiskWay::NotFound | DiskWay::Sanboot) => {
            Ok(Boot::Http { server: site.server, uri: site.http_uri(DISK) })
        }
        (Class::PxeClient | Class::Os | Class::Other, DiskWay::NotFound | DiskWay::Sanboot) => {
            Ok(Boot::Pxe { server: site.server, file: DISK.to_owned(), menu: Menu::Skip })
        }
    }
}

fn installer(
    site: &Site,
    (class, client): (Class, &Client),
    files: &BootFiles,
    on_shelf: &dyn Fn(&Name) -> bool,
) -> Result<Boot, NoFile> {
    let present = |name: &Name| if on_shelf(name) { Ok(()) } else { Err(NoFile::Missing(name.to_string())) };
    if class == Class::Ipxe {
        let scheme = match client.ipxe {
            Some(ipxe) if ipxe.https => site.firmware,
            _ => Scheme::Http,
        };
        return Ok(Boot::Ipxe { server: site.server, uri: site.uri(scheme, bootfile::BOOT_SCRIPT) });
    }
    let supported = |arch: Arch| matches!(arch, Arch::X64Uefi | Arch::X64Http | Arch::Bios);
    match (class, client.arch(supported).ok_or(NoFile::NoArch)?) {
        (Class::HttpClient, Arch::X64Http | Arch::X64Uefi) => {
            present(&files.uki)?;
            Ok(Boot::Http { server: site.server, uri: site.uri(site.firmware, files.uki.as_str()) })
        }
        (Class::PxeClient, Arch::X64Uefi) => {
            present(&files.uki)?;
            Ok(Boot::Pxe { server: site.server, file: files.uki.to_string(), menu: menu(client) })
        }
        (Class::PxeClient, Arch::Bios) => {
            let loader = Name::new(bootfile::UNDIONLY).ok_or(NoFile::NoBiosLoader)?;
            present(&loader).map_err(|_| NoFile::NoBiosLoader)?;
            Ok(Boot::Pxe { server: site.server, file: loader.to_string(), menu: menu(client) })
        }
        (_, arch) => Err(NoFile::NoInstallerFor(arch)),
    }
}

/// A boot-server request is answered with its own item (rule 10). All others are told to skip discovery, UEFI too: EDK2
/// takes an offer with `PXEClient` and without option 43 for half of one, and asks port 4011 for the file.
fn menu(client: &Client) -> Menu {
    match client.boot_item {
        Some(item) if item.layer & 0x8000 == 0 => Menu::Item(item),
        _ => Menu::Skip,
    }
}
