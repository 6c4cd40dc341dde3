//! Users, roles, bindings and tokens. That nobody gives what they have not is for [`crate::access`] to say.

use cairn_contract::Timestamp;

use super::{
    Check,
    metadata::{check_line, check_word},
    policy::check_reference,
    refusal::{Problems, shown},
};
use crate::{
    access,
    model::{Kind, Namespace, Reference, RoleBindingSpec, RoleSpec, Spec, TokenSpec, UserSpec, rfc3339},
    nearest::nearest,
};

/// Most groups of a user.
const MAX_GROUPS: usize = 256;
/// Most rules of a role.
const MAX_RULES: usize = 64;
/// Most subjects of a binding.
const MAX_SUBJECTS: usize = 256;
/// A token lives at most so long.
const MAX_TOKEN_DAYS: i64 = 400;
const DAY_MS: i64 = 86_400_000;

pub(super) fn check_user(cx: &Check<'_>, spec: &UserSpec, problems: &mut Problems) {
    check_line("spec.displayName", &spec.display_name, problems);
    // Kept as it is typed: mail systems may tell upper and lower case apart.
    if !spec.email.is_empty() && !super::metadata::is_address(&spec.email.to_ascii_lowercase()) {
        let message = format!("{:?} is no e-mail address", shown(&spec.email));
        problems.invalid("spec.email", message, "write one such as anna@example.com, or leave it out");
    }
    if spec.groups.len() > MAX_GROUPS {
        let message = format!("{} groups are too many", spec.groups.len());
        problems.invalid("spec.groups", message, format!("keep to {MAX_GROUPS}"));
    }
    for (at, group) in spec.groups.iter().take(MAX_GROUPS).enumerate() {
        check_word(&format!("spec.groups[{at}]"), group, problems);
    }
    let Some(oidc) = &spec.oidc else { return };
    check_word("spec.oidc.issuer", &oidc.issuer, problems);
    check_word("spec.oidc.subject", &oidc.subject, problems);
    let mut users = cx.index.in_namespace(Kind::User, &Namespace::Appliance).filter(|o| !cx.is_own(o));
    let taken = users.find(|o| matches!(&o.spec, Spec::User(u) if u.oidc.as_ref() == Some(oidc)));
    if let Some(other) = taken {
        let message = format!("{other} is that login already");
        problems.conflict("spec.oidc", message, "one login is one user: change that one");
    }
}

pub(super) fn check_role(cx: &Check<'_>, spec: &RoleSpec, problems: &mut Problems) {
    check_line("spec.description", &spec.description, problems);
    if access::builtin(cx.name).is_some() {
        let message = format!("{} is a built-in role", cx.name);
        problems.conflict("metadata.name", message, "choose another name");
    }
    let mut above = cx.namespace.parent();
    while let Some(space) = above {
        if let Some(other) = cx.index.named(Kind::Role, &space, cx.name) {
            let message = format!("{other} means this name here already");
            problems.conflict("metadata.name", message, "choose another name");
        }
        above = space.parent();
    }
    if spec.rules.is_empty() {
        let message = "a role without rules allows nothing";
        problems.invalid(
            "spec.rules",
            message,
            "write at least one rule, such as {verbs: [get], kinds: [Host]}",
        );
    }
    if spec.rules.len() > MAX_RULES {
        let message = format!("{} rules are too many", spec.rules.len());
        problems.invalid("spec.rules", message, format!("keep to {MAX_RULES}"));
    }
}

pub(super) fn check_binding(cx: &Check<'_>, spec: &RoleBindingSpec, problems: &mut Problems) {
    check_role_name(cx, &spec.role, problems);
    check_at(cx, spec.at.as_ref(), problems);
    if spec.subjects.len() > MAX_SUBJECTS {
        let message = format!("{} subjects are too many", spec.subjects.len());
        problems.invalid("spec.subjects", message, format!("keep to {MAX_SUBJECTS}, or name a group"));
    }
    for (at, subject) in spec.subjects.iter().take(MAX_SUBJECTS).enumerate() {
        check_word(&format!("spec.subjects[{at}].name"), &subject.name, problems);
    }
}

pub(super) fn check_token(cx: &Check<'_>, spec: &mut TokenSpec, problems: &mut Problems) {
    check_line("spec.description", &spec.description, problems);
    check_role_name(cx, &spec.role, problems);
    check_at(cx, spec.at.as_ref(), problems);
    let before = cx.current.and_then(|c| match &c.spec {
        Spec::Token(t) => Some(t.expires.as_str()),
        _ => None,
    });
    // One that has expired can still get another description.
    if before == Some(spec.expires.as_str()) {
        return;
    }
    const FIELD: &str = "spec.expires";
    let made = cx.current.map_or(cx.now, |c| c.metadata.created);
    let latest = Timestamp(made.0.saturating_add(MAX_TOKEN_DAYS * DAY_MS));
    let range = format!("write a time until {}", rfc3339(latest).unwrap_or_default());
    let Ok(expires) = spec.expires.parse::<jiff::Timestamp>() else {
        let message = format!("{:?} is no time", shown(&spec.expires));
        problems.invalid(FIELD, message, "write it as in RFC 3339, such as 2027-01-31T00:00:00Z");
        return;
    };
    if expires.as_millisecond() <= cx.now.0 {
        problems.invalid(FIELD, format!("{expires} is past"), range);
    } else if expires.as_millisecond() > latest.0 {
        let message = format!("{expires} is more than {MAX_TOKEN_DAYS} days after the token was made");
        problems.invalid(FIELD, message, range);
    }
    spec.expires = expires.to_string();
}

fn check_at(cx: &Check<'_>, at: Option<&Reference>, problems: &mut Problems) {
    if let Some(at) = at {
        check_reference(cx, at, "spec.at", &[Kind::Region, Kind::Site], problems);
    }
}

fn check_role_name(cx: &Check<'_>, role: &str, problems: &mut Problems) {
    if access::role(cx.index, cx.namespace, role).is_some() {
        return;
    }
    let custom = cx.index.of_kind(Kind::Role).filter(|o| cx.namespace.is_within(&o.metadata.namespace));
    let known: Vec<&str> =
        access::BUILTIN.into_iter().chain(custom.map(|o| o.metadata.name.as_str())).collect();
    let next = match nearest(role, &known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.iter().take(16).copied().collect::<Vec<_>>().join(", ")),
    };
    problems.not_found("spec.role", format!("there is no role {}", shown(role)), next);
}
