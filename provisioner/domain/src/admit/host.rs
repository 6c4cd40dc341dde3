//! A host as an operator describes it: in normal spelling, with a site, and with something to recognise it by. That nobody
//! else has its serial number or addresses is for the driver to say.

use uuid::Uuid;

use super::{
    Check,
    metadata::{check_word, described},
    node::existing,
    refusal::{Problems, shown, some_of},
};
use crate::model::{HostFields, Kind, Spec};

/// Most addresses of one host.
const MAX_MACS: usize = 32;
/// Most bytes of a serial number (SMBIOS strings are at most 64 in practice).
const MAX_SERIAL: usize = 128;
/// The site of hosts that name none.
const MAIN: &str = "main";

pub(super) fn check(cx: &Check<'_>, spec: &mut HostFields, problems: &mut Problems) {
    normalise(spec);
    check_site(cx, spec, problems);
    check_keys(spec, problems);
    let proven = cx.current.and_then(|c| c.host.as_ref()).and_then(|h| h.ek);
    let nameless = spec.serial.is_none() && spec.uuid.is_none() && spec.macs.is_empty() && spec.ek.is_none();
    if proven.is_none() && nameless {
        let message = "nothing tells this host from others";
        problems.invalid("spec", message, "give at least one of serial, uuid, macs, ek");
    }
    if let (Some(ek), Some(proven)) = (spec.ek, proven)
        && ek != proven
    {
        let message = format!("another TPM has proven itself as this host: {proven}");
        let next = "leave ek out; or remove the host and register it again for the new TPM";
        problems.conflict("spec.ek", message, next);
    }
    if let Some(image) = &spec.image {
        check_word("spec.image", image, problems);
    }
    if let (Some(min), Some(max)) = (spec.disk.min_size, spec.disk.max_size)
        && min > max
    {
        let message = format!("no disk has at least {min} and at most {max} bytes");
        problems.invalid("spec.disk", message, "let minSize be the smaller");
    }
    if let Some(serial) = &spec.disk.serial {
        check_word("spec.disk.serial", serial, problems);
    }
}

/// As the driver spells it, so that the same description is no change.
fn normalise(spec: &mut HostFields) {
    let trimmed =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    spec.serial = trimmed(&spec.serial);
    spec.uuid = trimmed(&spec.uuid).map(|text| Uuid::try_parse(&text).map_or(text, |u| u.to_string()));
    spec.macs.sort_unstable();
    spec.macs.dedup();
}

fn check_keys(spec: &HostFields, problems: &mut Problems) {
    if let Some(serial) = &spec.serial
        && (serial.len() > MAX_SERIAL || serial.chars().any(char::is_control))
    {
        let message = format!("{:?} cannot be a serial number", shown(serial));
        problems.invalid(
            "spec.serial",
            message,
            format!("write it as on its label, at most {MAX_SERIAL} bytes"),
        );
    }
    if let Some(uuid) = &spec.uuid
        && !Uuid::try_parse(uuid).is_ok_and(|u| !u.is_nil() && !u.is_max())
    {
        let message = format!("{:?} is no UUID of a machine", shown(uuid));
        problems.invalid("spec.uuid", message, "write it as dmidecode -s system-uuid prints it");
    }
    if spec.macs.len() > MAX_MACS {
        let message = format!("{} addresses are too many for one host", spec.macs.len());
        problems.invalid("spec.macs", message, format!("keep to {MAX_MACS}: those that it boots from"));
    }
    // The group bit: nobody's own address (IEEE 802 §8.2).
    for mac in spec.macs.iter().filter(|m| m.0[0] & 1 == 1 || m.0 == [0; 6]) {
        problems.invalid("spec.macs", format!("{mac} is no address of one machine"), "leave it out");
    }
}

/// A host lies in a site. Where none is named it stays where it is; a new one goes to `main`, or to the only one.
fn check_site(cx: &Check<'_>, spec: &mut HostFields, problems: &mut Problems) {
    const FIELD: &str = "spec.site";
    if let Some(site) = spec.site.as_deref() {
        existing(cx, Kind::Site, site, FIELD, problems);
        return;
    }
    if let Some(current) = cx.current.filter(|c| c.metadata.namespace == *cx.namespace)
        && let Spec::Host(fields) = &current.spec
    {
        spec.site.clone_from(&fields.site);
        return;
    }
    let sites: Vec<String> =
        cx.index.in_namespace(Kind::Site, cx.namespace).map(|o| o.metadata.name.clone()).collect();
    let place = described(cx.namespace);
    match sites.as_slice() {
        [] => problems.not_found(FIELD, format!("{place} has no site yet"), "make a site first"),
        [only] => spec.site = Some(only.clone()),
        several if several.iter().any(|s| s == MAIN) => spec.site = Some(MAIN.to_owned()),
        several => {
            let message = format!("{place} has {} sites and none is named {MAIN}", several.len());
            problems.invalid(FIELD, message, format!("name one: {}", some_of(several)));
        }
    }
}
