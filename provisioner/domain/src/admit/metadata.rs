//! Names, namespaces, labels, annotations, settings and versions: what is alike for all kinds.

use super::{
    Check, Refusal, RefusalKind,
    refusal::{Problems, no_space, shown, some_of},
};
use crate::{
    index::Index,
    model::{Kind, Level, ManifestMetadata, Namespace, Object, Settings, full_name},
    name,
    selector::{MAX_LABELS, check_key, check_labels, check_value},
};

/// Most annotations.
const MAX_ANNOTATIONS: usize = 64;
/// Most bytes of all annotations together.
const MAX_ANNOTATIONS_BYTES: usize = 64 << 10;
/// Most settings of one node.
const MAX_SETTINGS: usize = 64;
/// Most bytes of one setting's value.
const MAX_SETTING_BYTES: usize = 4 << 10;
/// Most bytes of a setting's key, and of a line for people.
const MAX_LINE: usize = 253;

/// Where a new resource goes: what the manifest says, else the request, else the organisation or project `default`. A request
/// that names a project while the kind lives in an organisation means that project's; kinds of the appliance need none.
///
/// # Errors
/// One [`Refusal`]: a place where the kind cannot be, two that contradict each other, or one that does not exist.
pub fn namespace_of(
    index: &Index,
    kind: Kind,
    sent: Option<&Namespace>,
    request: Option<&Namespace>,
) -> Result<Namespace, Refusal> {
    let refusal = |kind, message: String, next: String| Refusal {
        field: "metadata.namespace".to_owned(),
        message,
        next,
        kind,
    };
    let namespace = match (sent, request) {
        (Some(sent), Some(request)) if sent != request && kind.level() != Level::Appliance => {
            let message = format!("the manifest says {:?} and the request {:?}", text(sent), text(request));
            return Err(refusal(
                RefusalKind::Invalid,
                message,
                "let both say the same, or leave one out".to_owned(),
            ));
        }
        (Some(sent), _) => sent.clone(),
        (None, Some(request)) => fitting(kind, request),
        (None, None) => default_of(kind),
    };
    if !fits(kind, &namespace) {
        let message = format!("a {kind} lives in {}, not in {}", level(kind.level()), described(&namespace));
        return Err(refusal(RefusalKind::Invalid, message, advice(kind.level()).to_owned()));
    }
    if namespace != Namespace::Appliance && index.node_of(&namespace).is_none() {
        let message = no_space(&namespace);
        return Err(refusal(RefusalKind::NotFound, message, "make it first, or name another".to_owned()));
    }
    Ok(namespace)
}

fn text(namespace: &Namespace) -> String {
    namespace.to_string()
}

/// As a request means it.
fn fitting(kind: Kind, request: &Namespace) -> Namespace {
    match (kind.level(), request) {
        (Level::Appliance, _) => Namespace::Appliance,
        (Level::Organisation, Namespace::Project { organisation, .. }) => {
            Namespace::Organisation(organisation.clone())
        }
        (Level::Organisation | Level::Project, Namespace::Appliance) => default_of(kind),
        (Level::Organisation | Level::Project | Level::Any, same) => same.clone(),
    }
}

fn default_of(kind: Kind) -> Namespace {
    match kind.level() {
        Level::Appliance | Level::Any => Namespace::Appliance,
        Level::Organisation => Namespace::Organisation("default".to_owned()),
        Level::Project => Namespace::project("default", "default"),
    }
}

fn fits(kind: Kind, namespace: &Namespace) -> bool {
    match (kind.level(), namespace) {
        (Level::Any, _)
        | (Level::Appliance, Namespace::Appliance)
        | (Level::Organisation, Namespace::Organisation(_))
        | (Level::Project, Namespace::Project { .. }) => true,
        (Level::Appliance | Level::Organisation | Level::Project, _) => false,
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Appliance => "the appliance",
        Level::Organisation => "an organisation",
        Level::Project => "a project",
        Level::Any => "any namespace",
    }
}

fn advice(level: Level) -> &'static str {
    match level {
        Level::Appliance => "leave metadata.namespace out",
        Level::Organisation => "name an organisation, such as acme",
        Level::Project | Level::Any => "name a project, such as retail.acme",
    }
}

/// For people.
pub(super) fn described(namespace: &Namespace) -> String {
    match namespace {
        Namespace::Appliance => "the appliance".to_owned(),
        Namespace::Organisation(_) => format!("organisation {namespace}"),
        Namespace::Project { .. } => format!("project {namespace}"),
    }
}

/// What can be said of it without the others.
pub(super) fn check(sent: &ManifestMetadata, kind: Kind, problems: &mut Problems) {
    if !is_name(kind, &sent.name) {
        let message = format!("{:?} cannot be the name of a {kind}", shown(&sent.name));
        let mut next =
            "write 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit".to_owned();
        if kind == Kind::User {
            next.push_str("; or an e-mail address in lower case");
        }
        problems.invalid("metadata.name", message, next);
    }
    check_label_map("metadata.labels", &sent.labels, problems);
    let bytes: usize = sent.annotations.iter().map(|(k, v)| k.len().saturating_add(v.len())).sum();
    if sent.annotations.len() > MAX_ANNOTATIONS || bytes > MAX_ANNOTATIONS_BYTES {
        let message =
            format!("{} annotations of {bytes} bytes together are too many", sent.annotations.len());
        let next = format!("keep to {MAX_ANNOTATIONS} annotations and {MAX_ANNOTATIONS_BYTES} bytes");
        problems.invalid("metadata.annotations", message, next);
        return;
    }
    for key in sent.annotations.keys() {
        if let Err(error) = check_key(key) {
            let message = format!("annotation key {:?}: {error}", shown(key));
            problems.invalid(
                "metadata.annotations",
                message,
                "keys of annotations are spelled as those of labels",
            );
        }
    }
}

/// Labels of anything, all that is wrong with them.
pub(super) fn check_label_map(
    field: &str,
    labels: &std::collections::BTreeMap<String, String>,
    problems: &mut Problems,
) {
    const NEXT: &str = "write labels as in Kubernetes: example.com/tier=web";
    let before = problems.count();
    for (key, value) in labels.iter().take(MAX_LABELS) {
        if let Err(error) = check_key(key) {
            problems.invalid(field, format!("label key {:?}: {error}", shown(key)), NEXT);
        }
        if let Err(error) = check_value(value) {
            let message = format!("value {:?} of label {:?}: {error}", shown(value), shown(key));
            problems.invalid(field, message, NEXT);
        }
    }
    // Number and size together.
    if problems.count() == before
        && let Err(error) = check_labels(labels)
    {
        problems.invalid(field, error.to_string(), "move what no selector needs to annotations or settings");
    }
}

/// What a node gives to those below.
pub(super) fn check_settings(settings: &Settings, problems: &mut Problems) {
    if settings.len() > MAX_SETTINGS {
        let message = format!("{} settings are too many", settings.len());
        problems.invalid("spec.settings", message, format!("keep to {MAX_SETTINGS}"));
        return;
    }
    for (key, value) in settings {
        let is_key = (1..=MAX_LINE).contains(&key.len()) && !key.chars().any(char::is_control);
        if !is_key {
            let message = format!("{:?} cannot be the key of a setting", shown(key));
            problems.invalid("spec.settings", message, format!("write 1 to {MAX_LINE} bytes in one line"));
        }
        if value.len() > MAX_SETTING_BYTES {
            let message = format!("setting {:?} has {} bytes", shown(key), value.len());
            problems.invalid("spec.settings", message, format!("keep to {MAX_SETTING_BYTES} bytes each"));
        }
    }
}

/// A line for people: may be empty.
pub(super) fn check_line(field: &str, line: &str, problems: &mut Problems) {
    if line.len() > MAX_LINE || line.chars().any(char::is_control) {
        problems.invalid(
            field,
            "is too long or has control characters",
            format!("write one line of at most {MAX_LINE} bytes"),
        );
    }
}

/// A word that others compare: not empty, no control characters.
pub(super) fn check_word(field: &str, word: &str, problems: &mut Problems) {
    if word.trim().is_empty() {
        problems.invalid(field, "is empty", "write a name, or leave the field out");
    } else {
        check_line(field, word, problems);
    }
}

fn is_name(kind: Kind, text: &str) -> bool {
    name::check(text).is_ok() || (kind == Kind::User && is_address(text))
}

/// An e-mail address, loosely: what mail systems allow beyond this is not used for names.
pub(super) fn is_address(text: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && !p.starts_with('.')
            && !p.ends_with('.')
            && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_+".contains(&b))
    };
    text.len() <= MAX_LINE && text.split_once('@').is_some_and(|(user, host)| part(user) && part(host))
}

/// Versions that a new resource cannot have yet.
pub(super) fn check_new(sent: &ManifestMetadata, problems: &mut Problems) {
    const NEXT: &str = "leave it out to make a new one";
    if sent.uid.is_some() {
        problems.conflict("metadata.uid", "there is no resource of this uid and name", NEXT);
    }
    if sent.resource_version.as_deref().is_some_and(|v| !v.is_empty() && v != "0") {
        problems.conflict("metadata.resourceVersion", "the resource is gone since it was read", NEXT);
    }
}

/// Versions that were read must be those of now.
pub(super) fn check_current(sent: &ManifestMetadata, current: &Object, problems: &mut Problems) {
    let metadata = &current.metadata;
    if sent.uid.is_some_and(|uid| uid != metadata.uid) {
        let message = format!("{current} has another uid now: {}", metadata.uid);
        problems.conflict("metadata.uid", message, "it was made anew since it was read: read it again");
    }
    let Some(version) = sent.resource_version.as_deref().filter(|v| !v.is_empty()) else { return };
    match version.parse::<i64>() {
        Ok(version) if version == metadata.resource_version => {}
        Ok(version) => {
            let now = metadata.resource_version;
            let message = format!("{current} is at {now} now, not at {version}: somebody changed it");
            problems.conflict(
                "metadata.resourceVersion",
                message,
                "read it again, and repeat your change on that",
            );
        }
        Err(_) => problems.invalid(
            "metadata.resourceVersion",
            format!("{:?} is no resource version", shown(version)),
            "send what was read, or leave it out",
        ),
    }
}

/// Names stay, except that a host may get another one and go to another project of its organisation.
pub(super) fn check_moved(
    index: &Index,
    current: &Object,
    namespace: &Namespace,
    name: &str,
    problems: &mut Problems,
) {
    let (old, kind) = (&current.metadata, current.kind());
    let (renamed, moved) = (old.name != name, old.namespace != *namespace);
    if kind != Kind::Host {
        if renamed {
            let message = format!("{current} cannot be renamed to {:?}", shown(name));
            problems.invalid("metadata.name", message, other_name(kind));
        }
        if moved {
            let message = format!("{current} cannot go to {}", described(namespace));
            problems.invalid("metadata.namespace", message, "make it there, then delete it here");
        }
        return;
    }
    if renamed || moved {
        check_unnamed(index, current, problems);
    }
    if moved {
        check_move(index, current, namespace, problems);
    }
}

fn other_name(kind: Kind) -> &'static str {
    if kind.is_node() {
        "use spec.displayName for people; or make another one, move what lies in it, and delete this one"
    } else {
        "make another one, then delete this one"
    }
}

fn check_move(index: &Index, current: &Object, namespace: &Namespace, problems: &mut Problems) {
    const FIELD: &str = "metadata.namespace";
    if !fits(Kind::Host, namespace) {
        let message = format!("a Host lives in a project, not in {}", described(namespace));
        problems.invalid(FIELD, message, advice(Level::Project));
    } else if namespace.parent() != current.metadata.namespace.parent() {
        let message = format!("{current} cannot go to another organisation");
        problems.invalid(FIELD, message, "decommission it here, then register it there");
    } else if index.node_of(namespace).is_none() {
        let message = no_space(namespace);
        problems.not_found(FIELD, message, "make it first, or name another");
    }
}

/// Whoever names a host by its name would name nothing, or one day another host.
fn check_unnamed(index: &Index, current: &Object, problems: &mut Problems) {
    let names = super::delete::named_by(index, current);
    if !names.is_empty() {
        let message = format!("{current} is named by {}", some_of(&names));
        problems.conflict("metadata.name", message, "change those first, or let them use a selector");
    }
}

/// One name, one resource.
pub(super) fn check_unique(cx: &Check<'_>, kind: Kind, problems: &mut Problems) {
    let Some(found) = cx.index.named(kind, cx.namespace, cx.name) else { return };
    if !cx.is_own(found) {
        let message = format!("there is a {kind} {} already", full_name(cx.name, cx.namespace));
        problems.conflict("metadata.name", message, "choose another name, or change that one");
    }
}
