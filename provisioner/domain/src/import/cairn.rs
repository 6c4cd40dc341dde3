//! Cairn's own form: `name,serial,uuid,mac,ek,site,image,labels,project`. Columns in any order; several addresses with
//! spaces or `;` between them, labels as `key=value;key=value`.

use super::{
    Entry, LineError,
    header::{Column, Header},
    row::{Reader, Row},
};
use crate::name;
use cairn_contract::Mac;

/// Most addresses of one host.
const MAX_MACS: usize = 32;

pub(super) fn entry(header: &Header, row: &Row) -> (Entry, Vec<LineError>) {
    let mut reader = Reader::new(header, row);
    let entry = Entry {
        // A missing name is made up where all names are known.
        name: reader.name(Column::Name).unwrap_or_default(),
        serial: reader.serial(),
        uuid: reader.uuid(),
        macs: macs(&mut reader),
        ek: reader.parsed(Column::Ek, "a SHA-256 digest: 64 hexadecimal digits"),
        site: reader.name(Column::Site),
        image: reader.name(Column::Image),
        labels: reader.labels(Column::Labels, &[';', '\n', '\r']),
        project: project(&mut reader),
        ..Entry::default()
    };
    reader.finish(entry)
}

fn macs(reader: &mut Reader<'_>) -> Vec<Mac> {
    let between = |c: char| c == ';' || c.is_whitespace();
    let mut out = Vec::new();
    for text in reader.text(Column::Mac).split(between).filter(|t| !t.is_empty()) {
        match text.parse::<Mac>() {
            Ok(mac) if is_of_one(mac) && !out.contains(&mac) => out.push(mac),
            Ok(mac) if out.contains(&mac) => {}
            _ => {
                reader.refuse(Column::Mac, text, "the address of a network card, such as 52:54:00:12:34:56");
                break;
            }
        }
    }
    if out.len() > MAX_MACS {
        reader.refuse(Column::Mac, "the list", "short enough: at most 32 addresses");
    }
    out
}

/// Not of a group, not all zeros.
fn is_of_one(mac: Mac) -> bool {
    mac.0[0] & 1 == 0 && mac.0 != [0; 6]
}

fn project(reader: &mut Reader<'_>) -> Option<String> {
    let read = |t: &str| {
        let parts: Vec<&str> = t.split('.').collect();
        (parts.len() <= 2 && parts.iter().all(|p| name::check(p).is_ok())).then(|| t.to_owned())
    };
    reader.value(Column::Project, "a project, such as retail or retail.acme", read)
}
