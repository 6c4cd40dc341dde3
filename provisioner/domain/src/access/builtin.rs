//! The roles that every appliance has. They cannot be changed, and no custom role can have one of their names.

use crate::model::{Kind, RoleRule, RoleSpec, Verb};

/// The role that may do everything.
pub const ADMIN: &str = "admin";

/// Names of the built-in roles, the most rights first.
pub const BUILTIN: [&str; 8] = [
    ADMIN,
    "org-admin",
    "project-admin",
    "site-operator",
    "host-installer",
    "app-deployer",
    "auditor",
    "viewer",
];

const NODES: [Kind; 5] = [Kind::Organisation, Kind::Project, Kind::Region, Kind::Site, Kind::Host];
/// What says how hosts are treated.
const RULES: [Kind; 4] = [Kind::Policy, Kind::OsImage, Kind::FirmwareProfile, Kind::ClaimRule];
/// What lives in a project, as in every namespace.
const IN_PROJECT: [Kind; 16] = [
    Kind::Region,
    Kind::Site,
    Kind::Host,
    Kind::Policy,
    Kind::OsImage,
    Kind::FirmwareProfile,
    Kind::ClaimRule,
    Kind::Role,
    Kind::RoleBinding,
    Kind::Token,
    Kind::Distribution,
    Kind::ClusterTemplate,
    Kind::Cluster,
    Kind::Package,
    Kind::Secret,
    Kind::Deployment,
];
/// What runs on hosts, and what that is made from.
const WORKLOADS: [Kind; 5] =
    [Kind::Distribution, Kind::ClusterTemplate, Kind::Cluster, Kind::Package, Kind::Deployment];

/// The built-in role of this name.
pub fn builtin(name: &str) -> Option<RoleSpec> {
    use Verb::{Accept, Audit, Create, Delete, Get, Operate, Secret, Update};
    let reads = || rule(&[Get], NODES.into_iter().chain(RULES).chain(WORKLOADS));
    let (description, rules) = match name {
        "admin" => ("everything, on the whole appliance", vec![rule(&[], [])]),
        "org-admin" => (
            "everything in an organisation but removing it: projects, roles, tokens, hosts",
            vec![
                rule(&[], IN_PROJECT.into_iter().chain([Kind::Project])),
                rule(&[Get, Update, Audit], [Kind::Organisation]),
            ],
        ),
        "project-admin" => (
            "everything in a project but removing it: regions, sites, hosts, policies, roles, tokens",
            vec![
                rule(&[], IN_PROJECT),
                rule(&[Get, Update, Audit], [Kind::Project]),
                rule(&[Get], [Kind::Organisation]),
            ],
        ),
        "site-operator" => (
            "runs the hosts of sites: registers, lets in, installs again, moves, removes",
            vec![
                reads(),
                rule(&[Update], [Kind::Site]),
                rule(&[Create, Update, Delete, Accept, Operate], [Kind::Host]),
                rule(&[Create, Update, Delete, Operate], [Kind::Cluster]),
            ],
        ),
        "host-installer" => (
            "brings hosts in: registers, corrects, lets in; removes and reinstalls none",
            vec![reads(), rule(&[Create, Update, Accept], [Kind::Host])],
        ),
        "app-deployer" => (
            "brings applications to hosts and clusters: packages, deployments, their secrets, access to clusters",
            vec![
                rule(&[Get], NODES.into_iter().chain(WORKLOADS)),
                rule(&[Get], [Kind::Policy, Kind::OsImage, Kind::FirmwareProfile]),
                rule(&[Create, Update, Delete, Operate], [Kind::Package, Kind::Deployment]),
                rule(&[Get, Create, Update, Delete, Secret], [Kind::Secret]),
                rule(&[Secret], [Kind::Cluster]),
            ],
        ),
        "auditor" => ("sees everything, and the audit log; changes nothing", vec![rule(&[Get, Audit], [])]),
        "viewer" => {
            ("sees the tree, its hosts, policies, clusters and deployments; changes nothing", vec![reads()])
        }
        _ => return None,
    };
    Some(RoleSpec { description: description.to_owned(), rules })
}

fn rule(verbs: &[Verb], kinds: impl IntoIterator<Item = Kind>) -> RoleRule {
    RoleRule { verbs: verbs.to_vec(), kinds: kinds.into_iter().collect() }
}
