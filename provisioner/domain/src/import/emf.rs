//! The form of Edge Manageability Framework: `Serial,UUID,OSProfile,Site,Secure,RemoteUser,Metadata,LVMSize,
//! CloudInitMeta,K8sEnable,K8sClusterTemplate,K8sConfig,Error - do not fill`, as its `orch-cli create host
//! --generate-csv` makes it; releases differ in columns. Lines may have fewer fields than the header.
//!
//! Nothing is dropped: what Cairn has no place for becomes an annotation `emf.cairn/...`, with a warning unless the
//! value only says "no".

use super::{
    Entry, LineError, Warning,
    header::{Column, Header},
    row::{Reader, Row, slug},
};
use crate::name;

const KEPT: [(Column, &str); 7] = [
    (Column::RemoteUser, "emf.cairn/remote-user"),
    (Column::LvmSize, "emf.cairn/lvm-size"),
    (Column::CloudInitMeta, "emf.cairn/cloud-init-meta"),
    (Column::K8sEnable, "emf.cairn/k8s-enable"),
    (Column::K8sClusterTemplate, "emf.cairn/k8s-cluster-template"),
    (Column::K8sConfig, "emf.cairn/k8s-config"),
    (Column::AmtEnable, "emf.cairn/amt-enable"),
];

pub(super) fn entry(header: &Header, row: &Row) -> (Entry, Vec<LineError>) {
    let mut reader = Reader::new(header, row);
    let mut entry = Entry {
        serial: reader.serial(),
        uuid: reader.uuid(),
        labels: reader.labels(Column::Metadata, &['&']),
        ..Entry::default()
    };
    entry.site = renamed(&mut reader, &mut entry, Column::Site, "emf.cairn/site");
    entry.image = renamed(&mut reader, &mut entry, Column::OsProfile, "emf.cairn/os-profile");
    secure(&mut reader, &mut entry);
    keep(&reader, &mut entry);
    reader.finish(entry)
}

/// A name made of what may be none here; the original is kept.
fn renamed(
    reader: &mut Reader<'_>,
    entry: &mut Entry,
    column: Column,
    annotation: &'static str,
) -> Option<String> {
    let text = reader.text(column);
    let read = |t: &str| if name::check(t).is_ok() { Some(t.to_owned()) } else { slug(t) };
    let name = reader.value(column, "a name: it has no letter or digit", read)?;
    if name != text {
        entry.annotations.insert(annotation.to_owned(), text.to_owned());
        let (column, from) = (reader.title(column), text.to_owned());
        entry.warnings.push(Warning::Renamed { column, from, to: name.clone() });
    }
    Some(name)
}

fn secure(reader: &mut Reader<'_>, entry: &mut Entry) {
    let Some(secure) = reader.value(Column::Secure, "true or false", truth) else { return };
    entry.annotations.insert("emf.cairn/secure".to_owned(), secure.to_string());
    if secure {
        entry.warnings.push(Warning::Secure);
    }
}

fn keep(reader: &Reader<'_>, entry: &mut Entry) {
    let mut columns = Vec::new();
    for (column, annotation) in KEPT {
        let text = reader.text(column);
        if text.is_empty() {
            continue;
        }
        entry.annotations.insert(annotation.to_owned(), text.to_owned());
        if truth(text) != Some(false) {
            columns.push(reader.title(column));
        }
    }
    if !columns.is_empty() {
        entry.warnings.push(Warning::Kept(columns));
    }
}

fn truth(text: &str) -> Option<bool> {
    [("true", true), ("false", false)].into_iter().find(|(t, _)| t.eq_ignore_ascii_case(text)).map(|(_, b)| b)
}
