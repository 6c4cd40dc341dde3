//! Claim rules and firmware profiles: they match something, and their patterns are bounded.

use super::{
    Check,
    metadata::{check_label_map, check_word},
    node::existing,
    policy::check_number,
    refusal::{Problems, shown},
};
use crate::{
    glob,
    model::{ClaimRuleSpec, FirmwareProfileSpec, Kind},
};

/// Most seconds that a power-on self-test may add.
const MAX_SLOW_START: u32 = 3600;

pub(super) fn check_claim(cx: &Check<'_>, spec: &ClaimRuleSpec, problems: &mut Problems) {
    let m = &spec.r#match;
    let patterns = [
        ("spec.match.serial", m.serial.as_deref()),
        ("spec.match.uuid", m.uuid.as_deref()),
        ("spec.match.mac", m.mac.as_deref()),
        ("spec.match.ek", m.ek.as_deref()),
        ("spec.match.manufacturer", m.manufacturer.as_deref()),
        ("spec.match.product", m.product.as_deref()),
    ];
    check_patterns(&patterns, "serial, uuid, mac, ek, manufacturer, product", problems);
    if spec.site.is_empty() {
        problems.invalid("spec.site", "is missing", "name the site that the machines go to");
    } else {
        existing(cx, Kind::Site, &spec.site, "spec.site", problems);
    }
    if let Some(image) = &spec.image {
        check_word("spec.image", image, problems);
    }
    check_label_map("spec.labels", &spec.labels, problems);
}

pub(super) fn check_firmware(spec: &FirmwareProfileSpec, problems: &mut Problems) {
    let patterns = [
        ("spec.match.manufacturer", spec.r#match.manufacturer.as_deref()),
        ("spec.match.product", spec.r#match.product.as_deref()),
    ];
    check_patterns(&patterns, "manufacturer, product", problems);
    let slow = spec.quirks.slow_start_seconds;
    check_number("spec.quirks.slowStartSeconds", slow, (0, MAX_SLOW_START), problems);
}

fn check_patterns(patterns: &[(&str, Option<&str>)], fields: &str, problems: &mut Problems) {
    if patterns.iter().all(|(_, pattern)| pattern.is_none()) {
        problems.invalid("spec.match", "matches nothing", format!("give at least one of {fields}"));
    }
    for (field, pattern) in patterns {
        let Some(pattern) = pattern else { continue };
        let stars = pattern.bytes().filter(|b| *b == b'*').count();
        let wrong =
            pattern.is_empty() || pattern.len() > glob::MAX_LENGTH || pattern.chars().any(char::is_control);
        if wrong || stars > glob::MAX_STARS {
            let message = format!("{:?} cannot be a pattern", shown(pattern));
            let next =
                format!("write 1 to {} bytes with at most {} stars", glob::MAX_LENGTH, glob::MAX_STARS);
            problems.invalid(*field, message, next);
        }
    }
}
