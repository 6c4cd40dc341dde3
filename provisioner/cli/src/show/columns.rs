//! Which columns a list of each kind has.

use cairn_domain::model::Kind;
use serde_json::Value;

use super::words::{Tone, Words, tone};
use crate::target::text;

/// One value of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// One column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) head: &'static str,
    width: Width,
    value: fn(&Value, &Words) -> Cell,
}

/// When a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Always,
    Wide,
    /// When the list spans namespaces.
    Spanning,
}

/// What of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) wide: bool,
    pub(crate) spanning: bool,
}

pub(super) const fn column(head: &'static str, value: fn(&Value, &Words) -> Cell) -> Column {
    Column { head, width: Width::Always, value }
}

pub(super) const fn wide(head: &'static str, value: fn(&Value, &Words) -> Cell) -> Column {
    Column { head, width: Width::Wide, value }
}

impl Column {
    pub(crate) fn cell(&self, object: &Value, words: &Words) -> Cell {
        (self.value)(object, words)
    }
}

/// The columns of a kind.
pub(crate) fn of(kind: Kind, extent: Extent) -> Vec<Column> {
    let namespace = Column {
        head: "NAMESPACE",
        width: Width::Spanning,
        value: |o, _| plain(text(o, "/metadata/namespace")),
    };
    let ends =
        [column("AGE", age), wide("LABELS", labels), wide("UID", |o, _| plain(text(o, "/metadata/uid")))];
    let all = [namespace, column("NAME", |o, _| plain(text(o, "/metadata/name")))].into_iter();
    let all = all.chain(middle(kind)).chain(ends.into_iter().filter(|c| keeps(kind, c)));
    let shown = |c: &Column| match c.width {
        Width::Always => true,
        Width::Wide => extent.wide,
        Width::Spanning => extent.spanning,
    };
    all.filter(shown).collect()
}

/// A host's SINCE says more than its age.
fn keeps(kind: Kind, column: &Column) -> bool {
    kind != Kind::Host || column.head != "AGE"
}

fn middle(kind: Kind) -> Vec<Column> {
    if kind.is_node() { of_node(kind) } else { of_other(kind) }
}

fn of_node(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Organisation | Kind::Project => {
            vec![column("DISPLAY NAME", |o, _| plain(text(o, "/spec/displayName")))]
        }
        Kind::Region => vec![
            column("PARENT", |o, _| plain(text(o, "/spec/parent"))),
            column("DISPLAY NAME", |o, _| plain(text(o, "/spec/displayName"))),
        ],
        Kind::Site => vec![
            column("REGION", |o, _| plain(text(o, "/spec/region"))),
            column("TIME ZONE", |o, _| plain(or(text(o, "/spec/timezone"), "UTC"))),
            wide("DISPLAY NAME", |o, _| plain(text(o, "/spec/displayName"))),
        ],
        Kind::Host => HOST.to_vec(),
        _ => Vec::new(),
    }
}

fn of_other(kind: Kind) -> Vec<Column> {
    match kind {
        Kind::Policy => vec![
            column("BOUND TO", |o, _| plain(&bound(o))),
            column("PRIORITY", |o, _| plain(&number(o, "/spec/priority"))),
            column("ENFORCED", |o, _| yes(o, "/spec/enforced")),
            column("SECTIONS", |o, _| plain(&sections(o))),
        ],
        Kind::OsImage => vec![
            column("VERSION", |o, _| plain(&number(o, "/spec/version"))),
            column("OS", |o, _| plain(text(o, "/spec/osVersion"))),
            column("SIZE", |o, w| {
                plain(
                    &o.pointer("/spec/size").and_then(Value::as_u64).map_or_else(String::new, |n| w.bytes(n)),
                )
            }),
            column("EXPIRES", expiry),
            wide("SHA-256", |o, _| plain(text(o, "/spec/sha256"))),
        ],
        Kind::FirmwareProfile => vec![
            column("MANUFACTURER", |o, _| plain(text(o, "/spec/match/manufacturer"))),
            column("PRODUCT", |o, _| plain(text(o, "/spec/match/product"))),
        ],
        Kind::ClaimRule => vec![
            column("SITE", |o, _| plain(text(o, "/spec/site"))),
            column("MATCH", |o, _| plain(&pairs(o.pointer("/spec/match")))),
            column("ACCEPT", |o, _| yes(o, "/spec/accept")),
            column("PRIORITY", |o, _| plain(&number(o, "/spec/priority"))),
        ],
        Kind::User => vec![
            column("DISPLAY NAME", |o, _| plain(text(o, "/spec/displayName"))),
            column("E-MAIL", |o, _| plain(text(o, "/spec/email"))),
            column("LOGIN", |o, _| login(o)),
            wide("GROUPS", |o, _| plain(&list(o.pointer("/spec/groups")))),
        ],
        Kind::Role => vec![
            column("RULES", |o, _| {
                plain(&o.pointer("/spec/rules").and_then(Value::as_array).map_or(0, Vec::len).to_string())
            }),
            column("DESCRIPTION", |o, _| plain(text(o, "/spec/description"))),
        ],
        Kind::RoleBinding => vec![
            column("ROLE", |o, _| plain(text(o, "/spec/role"))),
            column("AT", |o, _| plain(&at(o, "/spec/at"))),
            column("SUBJECTS", |o, _| plain(&subjects(o))),
        ],
        Kind::Token => vec![
            column("ROLE", |o, _| plain(text(o, "/spec/role"))),
            column("AT", |o, _| plain(&at(o, "/spec/at"))),
            column("EXPIRES", expiry),
            column("DESCRIPTION", |o, _| plain(text(o, "/spec/description"))),
        ],
        other => super::workloads::columns(other),
    }
}

const HOST: &[Column] = &[
    column("SITE", |o, _| plain(or(text(o, "/spec/site"), text(o, "/status/site")))),
    column("PHASE", |o, _| {
        let phase = text(o, "/status/phase");
        Cell { text: phase.to_owned(), tone: tone(phase) }
    }),
    column("SINCE", |o, w| plain(&w.age_of(text(o, "/status/since")))),
    column("IMAGE", |o, _| plain(&image(o))),
    wide("SERIAL", |o, _| plain(text(o, "/status/serial"))),
    wide("MACS", |o, _| plain(&list(o.pointer("/status/macs")))),
    wide("TPM", |o, _| plain(&tpm(o))),
    column("WHY", |o, _| plain(text(o, "/status/why"))),
];

pub(super) fn plain(text: &str) -> Cell {
    Cell { text: text.to_owned(), tone: Tone::Plain }
}

fn or<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}

fn age(object: &Value, words: &Words) -> Cell {
    plain(&words.age_of(text(object, "/metadata/creationTimestamp")))
}

fn labels(object: &Value, _: &Words) -> Cell {
    plain(&pairs(object.pointer("/metadata/labels")))
}

fn expiry(object: &Value, words: &Words) -> Cell {
    let at = text(object, "/spec/expires");
    let tone = if words.is_past(at) { Tone::Bad } else { Tone::Plain };
    Cell { text: words.age_of(at), tone }
}

/// What the disk holds, else what is meant for it.
pub(crate) fn image(host: &Value) -> String {
    match text(host, "/status/installed/image") {
        "" => or(text(host, "/spec/image"), "by policy").to_owned(),
        image => format!("{image} {}", number(host, "/status/installed/version")),
    }
}

/// Vendor and whether it proved itself.
pub(crate) fn tpm(host: &Value) -> String {
    if host.pointer("/status/tpm").is_none_or(Value::is_null) {
        return "not seen".to_owned();
    }
    let proven = if text(host, "/status/tpm/ek").is_empty() { "not proven" } else { "proven" };
    let said = [text(host, "/status/tpm/manufacturer"), text(host, "/status/tpm/class"), proven];
    said.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ")
}

fn number(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_i64).map_or_else(String::new, |n| n.to_string())
}

fn yes(object: &Value, pointer: &str) -> Cell {
    match object.pointer(pointer).and_then(Value::as_bool) {
        Some(true) => plain("yes"),
        _ => Cell { text: "no".into(), tone: Tone::Faint },
    }
}

fn login(object: &Value) -> Cell {
    if object.pointer("/spec/disabled").and_then(Value::as_bool) == Some(true) {
        return Cell { text: "disabled".into(), tone: Tone::Warn };
    }
    plain(if object.pointer("/spec/oidc").is_some_and(Value::is_object) { "OIDC" } else { "password" })
}

/// `k=v,k=v`
pub(crate) fn pairs(map: Option<&Value>) -> String {
    let each = map.and_then(Value::as_object).into_iter().flatten();
    let mut all: Vec<String> = each
        .map(|(k, v)| format!("{k}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect();
    all.sort();
    all.join(",")
}

fn list(items: Option<&Value>) -> String {
    let each = items.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    each.collect::<Vec<_>>().join(",")
}

fn at(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        Some(Value::Object(at)) => {
            let word = |name: &str| at.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}/{}", word("kind").to_ascii_lowercase(), word("name"))
        }
        _ => "namespace".to_owned(),
    }
}

fn bound(policy: &Value) -> String {
    match policy.pointer("/spec/selector").filter(|s| !s.is_null()) {
        Some(selector) => format!("hosts with {}", selector_text(selector)),
        None => at(policy, "/spec/target"),
    }
}

/// As `-l` takes it: `role=till,size in (small,tiny),!old`.
pub(super) fn selector_text(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let mut parts: Vec<String> = Vec::new();
    parts.extend(Some(pairs(selector.get("matchLabels"))).filter(|p| !p.is_empty()));
    for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let (key, values) = (text(expression, "/key"), list(expression.get("values")));
        parts.push(match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            other => format!("{key} {other} {values}"),
        });
    }
    parts.join(",")
}

fn sections(policy: &Value) -> String {
    let names = ["boot", "image", "attestation", "update", "telemetry", "maintenance"];
    let spec = policy.get("spec");
    let there = names.into_iter().filter(|n| spec.and_then(|s| s.get(n)).is_some_and(|v| !v.is_null()));
    there.collect::<Vec<_>>().join(",")
}

fn subjects(binding: &Value) -> String {
    let each = binding.pointer("/spec/subjects").and_then(Value::as_array).into_iter().flatten();
    let word = |s: &Value| format!("{}/{}", text(s, "/kind").to_ascii_lowercase(), text(s, "/name"));
    each.map(word).collect::<Vec<_>>().join(",")
}

/// What to say when there are none.
pub(crate) fn none(kind: Kind) -> &'static str {
    match kind {
        Kind::Organisation => "No organisations that you may see. Who are you? cairn whoami",
        Kind::Project => {
            "No projects here. Make one: cairn apply -f FILE (kind: Project, metadata.namespace: ORGANISATION)"
        }
        Kind::Region => "No regions here. Make one: cairn apply -f FILE (fields: cairn explain region)",
        Kind::Site => "No sites here. Make one: cairn apply -f FILE (fields: cairn explain site)",
        Kind::Host => "No hosts yet. Register one: cairn host register NAME --serial SERIAL",
        Kind::Policy => {
            "No policies here: the defaults of cairn.toml apply. Make one: cairn apply -f FILE (fields: cairn explain policy)"
        }
        Kind::OsImage => "No images yet. Add one: cairn image add FILE.cairn",
        Kind::FirmwareProfile => {
            "No firmware profiles. Most machines need none; fields: cairn explain firmwareprofile"
        }
        Kind::ClaimRule => {
            "No claim rules: a machine that nobody registered waits as pending. Fields: cairn explain claimrule"
        }
        Kind::User => {
            "No users that you may see. The first one is made by: cairn login URL --code CODE --user NAME"
        }
        Kind::Role => {
            "No roles of your own here. Built in: admin, org-admin, project-admin, site-operator, host-installer, app-deployer, auditor, viewer (cairn explain role)"
        }
        Kind::RoleBinding => "No role bindings here. Fields: cairn explain rolebinding",
        Kind::Token => "No tokens here that you may see. Make one: cairn token create NAME --role ROLE",
        Kind::Distribution => {
            "No distributions. Import one: cairn distribution import FOLDER (fields: cairn explain distribution)"
        }
        Kind::ClusterTemplate => {
            "No cluster templates. Make one: cairn apply -f FILE (fields: cairn explain clustertemplate)"
        }
        Kind::Cluster => "No clusters here. Make one: cairn cluster create NAME --hosts HOST,...",
        Kind::Package => {
            "No packages here. Make one: cairn package push FILE (fields: cairn explain package)"
        }
        Kind::Secret => "No secrets here that you may see. Make one: cairn secret set NAME KEY=VALUE",
        Kind::Deployment => {
            "No deployments here. Make one: cairn deploy NAME --package PACKAGE --selector LABEL=VALUE"
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_shown_as_it_is_typed() {
        let policy = json!({"spec": {"selector": {"matchLabels": {"role": "till"}, "matchExpressions": [
            {"key": "size", "operator": "In", "values": ["small", "tiny"]}, {"key": "old", "operator": "DoesNotExist"},
            {"key": "a", "operator": "NotIn", "values": ["b"]}, {"key": "c", "operator": "Exists"}]}}});
        assert_eq!(bound(&policy), "hosts with role=till,size in (small,tiny),!old,a notin (b),c");
        assert_eq!(bound(&json!({"spec": {"target": {"kind": "Region", "name": "eu"}}})), "region/eu");
        assert_eq!(bound(&json!({"spec": {}})), "namespace");
    }

    #[test]
    fn all_roles_that_are_built_in_are_told() {
        assert!(cairn_domain::access::BUILTIN.iter().all(|role| none(Kind::Role).contains(role)));
    }
}
