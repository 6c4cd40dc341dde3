//! Tags, repositories and referrers, page by page, in the order of their bytes. Memory is that of one page.

use std::{collections::BTreeSet, io, path::Path};

use cairn_contract::Digest;

use super::{
    Layout,
    durable::{entries, read},
    manifests::{is_here, named, names_something},
};
use crate::{RepositoryName, Tag, digest::parse_hex, manifest::Descriptor};

/// What is asked for: at most `limit` that come after `last`.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) last: Option<String>,
}

/// A page's worth, and whether more follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) more: bool,
}

/// The smallest names after the last one: one more than the page holds, to know whether more follows.
struct Smallest {
    page: Page,
    names: BTreeSet<String>,
}

impl Smallest {
    fn new(page: &Page) -> Self {
        Self { page: page.clone(), names: BTreeSet::new() }
    }

    /// Whether this name would be on the page as far as it is known.
    fn wants(&self, name: &str) -> bool {
        let after = self.page.last.as_deref().is_none_or(|last| name > last);
        let full = self.names.len() > self.page.limit;
        after && !(full && self.names.last().is_some_and(|largest| name >= largest.as_str()))
    }

    fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
        if self.names.len() > self.page.limit.saturating_add(1) {
            self.names.pop_last();
        }
    }

    fn listed(self) -> Listed<String> {
        let more = self.names.len() > self.page.limit;
        Listed { items: self.names.into_iter().take(self.page.limit).collect(), more }
    }
}

/// A repository's tags; nothing when there is no such repository.
pub(crate) fn tags(
    layout: &Layout,
    name: &RepositoryName,
    page: &Page,
) -> io::Result<Option<Listed<String>>> {
    if !layout.manifests(name).is_dir() {
        return Ok(None);
    }
    let mut found = Smallest::new(page);
    for entry in entries(&layout.tags(name))? {
        let entry = entry?;
        let Some(tag) = entry.file_name().to_str().and_then(|tag| tag.parse::<Tag>().ok()) else { continue };
        if found.wants(tag.as_str()) && names_something(layout, name, &entry.path())? {
            found.add(tag.as_str());
        }
    }
    Ok(Some(found.listed()))
}

/// The repositories that hold a manifest.
pub(crate) fn repositories(layout: &Layout, page: &Page) -> io::Result<Listed<String>> {
    let mut found = Smallest::new(page);
    each_repository(layout, &mut |name| {
        let holds = |name: &RepositoryName| {
            Ok::<_, io::Error>(entries(&layout.manifests(name))?.next().transpose()?.is_some())
        };
        if found.wants(name.as_str()) && holds(&name)? {
            found.add(name.as_str());
        }
        Ok(())
    })?;
    Ok(found.listed())
}

/// Every folder whose path is a repository's name.
pub(crate) fn each_repository(
    layout: &Layout,
    each: &mut dyn FnMut(RepositoryName) -> io::Result<()>,
) -> io::Result<()> {
    // A name has at most 255 bytes, so this ends, and folders that are no names are not entered.
    fn below(
        folder: &Path,
        prefix: &str,
        each: &mut dyn FnMut(RepositoryName) -> io::Result<()>,
    ) -> io::Result<()> {
        for entry in entries(folder)? {
            let entry = entry?;
            let Some(part) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let path = if prefix.is_empty() { part } else { format!("{prefix}/{part}") };
            let Ok(name) = path.parse::<RepositoryName>() else { continue };
            each(name)?;
            below(&entry.path(), &path, each)?;
        }
        Ok(())
    }
    below(&layout.all_repositories(), "", each)
}

/// One page of what refers to `subject`, at most `bytes` of descriptors and one more.
pub(crate) fn referrers(
    layout: &Layout,
    (name, subject): (&RepositoryName, &Digest),
    page: &Page,
    (artifact_type, bytes): (Option<&str>, u64),
) -> io::Result<Listed<Descriptor>> {
    let folder = layout.referrers(name, subject);
    let mut digests = Smallest::new(&Page { limit: usize::MAX, last: page.last.clone() });
    for entry in entries(&folder)? {
        let path = entry?.path();
        if let Some(digest) = named(&path).map(|digest| digest.to_string()).filter(|d| digests.wants(d)) {
            digests.add(&digest);
        }
    }
    let mut listed = Listed { items: Vec::new(), more: false };
    let mut size: u64 = 0;
    for hex in digests.names {
        let Some(digest) = parse_hex(&hex) else { continue };
        let Some(descriptor) = descriptor(layout, (name, subject), &digest)? else { continue };
        if artifact_type.is_some_and(|wanted| descriptor.1.artifact_type.as_deref() != Some(wanted)) {
            continue;
        }
        if listed.items.len() >= page.limit || size >= bytes {
            listed.more = true;
            break;
        }
        size = size.saturating_add(descriptor.0);
        listed.items.push(descriptor.1);
    }
    Ok(listed)
}

/// With its size in bytes.
fn descriptor(
    layout: &Layout,
    (name, subject): (&RepositoryName, &Digest),
    digest: &Digest,
) -> io::Result<Option<(u64, Descriptor)>> {
    let Some(bytes) = read(&layout.referrer(name, subject, digest))? else { return Ok(None) };
    if !is_here(layout, name, digest)? {
        return Ok(None);
    }
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(serde_json::from_slice(&bytes).ok().map(|descriptor| (size, descriptor)))
}
