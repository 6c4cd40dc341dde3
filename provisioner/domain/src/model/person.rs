//! Who may do what: users, roles, bindings, service tokens. Secrets are not here: the store keeps their hashes apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Reference};

/// A person. The password is set apart from this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct UserSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// May not log in, and has no sessions.
    pub disabled: bool,
    /// The OIDC issuer and subject that this user is; absent: a local user with a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcIdentity>,
    /// Groups, for bindings; of an OIDC user those of its last login.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// Who somebody is at an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcIdentity {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
}

/// What can be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Read, list and watch.
    Get,
    /// Make.
    Create,
    /// Change.
    Update,
    /// Remove.
    Delete,
    /// Let a waiting host in; let a stopped one go on.
    Accept,
    /// Install again, deauthorise, move, decommission.
    Operate,
    /// Read or set what is secret: passwords, tokens, kubeconfigs.
    Secret,
    /// Read the audit log.
    Audit,
}

/// A set of rights: what any of the rules allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleSpec {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Rules.
    pub rules: Vec<RoleRule>,
}

/// Each of `verbs` on each of `kinds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleRule {
    /// Empty: all.
    #[serde(default)]
    pub verbs: Vec<Verb>,
    /// Empty: all.
    #[serde(default)]
    pub kinds: Vec<Kind>,
}

/// Who has a role, and where: at `at` and all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleBindingSpec {
    /// A built-in role, or one of this namespace or of those above it.
    pub role: String,
    /// Who.
    pub subjects: Vec<Subject>,
    /// Region or Site of this project; absent: the whole namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Reference>,
}

/// Who can have a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// What.
    pub kind: SubjectKind,
    /// Its name.
    pub name: String,
}

/// What can have a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SubjectKind {
    /// A user, by name.
    User,
    /// All users of a group.
    Group,
}

/// A service's credential; the secret is shown once, when it is made. It can do what `role` allows in its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenSpec {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// As in a binding.
    pub role: String,
    /// Region or Site of this project; absent: the whole namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Reference>,
    /// RFC 3339; it is refused from then on. At most 400 days after it was made.
    pub expires: String,
}
