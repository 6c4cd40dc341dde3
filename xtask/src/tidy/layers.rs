//! Which crate may use which: the table of ARCHITECTURE.md. Dependencies of tests are free.

use super::Finding;
use super::tree::{Member, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.members.iter().flat_map(|member| of_member(tree, member)).collect()
}

fn of_member(tree: &Tree, member: &Member) -> Vec<Finding> {
    let manifest = format!("{}/Cargo.toml", member.folder);
    let Some(layer) = member.layer.as_deref() else {
        return vec![Finding::new(&manifest, 0, "has no [package.metadata] layer")];
    };
    if !["L0", "L1", "L2", "H", "L3", "dev"].contains(&layer) {
        return vec![Finding::new(&manifest, 0, format!("names an unknown layer `{layer}`"))];
    }
    let edges = member.uses.iter().filter_map(|(name, _)| tree.members.iter().find(|m| m.name == *name));
    edges
        .filter(|to| !may_use(member, to))
        .map(|to| {
            let other = to.layer.as_deref().unwrap_or("no layer");
            Finding::new(&manifest, 0, format!("{layer} must not use {} ({other})", to.name))
        })
        .collect()
}

fn may_use(from: &Member, to: &Member) -> bool {
    let is = |layers: &[&str]| to.layer.as_deref().is_some_and(|l| layers.contains(&l));
    let named = |names: &[&str]| names.contains(&to.name.as_str());
    match (from.layer.as_deref(), from.name.as_str()) {
        (Some("dev"), _) => true,
        // Decisions about what hosts run; made of the same resources, apart from the lifecycle.
        (Some("L1"), "cairn-workload") => is(&["L0"]) || named(&["cairn-domain"]),
        (Some("L1"), _) | (Some("L2"), "cairn-store") => {
            is(&["L0"]) || from.layer.as_deref() == Some("L2") && is(&["L1"])
        }
        // Who somebody is: logic without routes and rows; only the operator's routes call it.
        (Some("L2"), "cairn-identity") => is(&["L0", "L1"]),
        (Some("L2"), "cairn-operator") => is(&["L0", "L1"]) || named(&["cairn-store", "cairn-identity"]),
        // Both ends of one wire: of fleet and of the agent.
        (Some("L2"), "cairn-tunnel") => is(&["L0"]),
        // The leaves hand facts to the driver through channels of their own types; they never see each other.
        (Some("L2"), "cairn-fleet") => is(&["L0", "L1"]) || named(&["cairn-store", "cairn-tunnel"]),
        (Some("L2"), _) => is(&["L0", "L1"]) || named(&["cairn-store"]),
        // A node's parts are units, and the runtime keeps units.
        (Some("H"), "cairn-node") => is(&["L0"]) || named(&["cairn-runtime"]),
        (Some("H"), _) => is(&["L0"]),
        // The commands print what the API answers, so they share its types.
        (Some("L3"), "cairn-cli") => is(&["L0", "L1"]) || named(&["cairn-operator"]),
        (Some("L3"), "cairn-server") => to.folder.starts_with("provisioner/") || is(&["L0"]),
        (Some("L3"), "cairn-agentd") => is(&["L0", "H"]) || named(&["cairn-tunnel"]),
        (Some("L3"), _) => is(&["L0", "H"]),
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture::{member, tree};
    use super::*;

    #[track_caller]
    fn said(members: Vec<Member>) -> Vec<String> {
        let mut tree = tree(&[]);
        tree.members = members;
        check(&tree).into_iter().map(|f| f.to_string()).collect()
    }

    #[test]
    fn the_tables_edges_are_allowed() {
        let all = vec![
            member("provisioner/contract", "L0", &["serde"]),
            member("provisioner/evidence", "L0", &[]),
            member("provisioner/domain", "L1", &["cairn-contract"]),
            member("provisioner/store", "L2", &["cairn-domain"]),
            member("provisioner/trust", "L2", &["cairn-store", "cairn-evidence"]),
            member("provisioner/identity", "L2", &["cairn-contract"]),
            member("provisioner/operator", "L2", &["cairn-store", "cairn-identity"]),
            member("agent/machine", "H", &["cairn-contract", "cairn-evidence"]),
            member("agent/agentd", "L3", &["cairn-machine"]),
            member("provisioner/server", "L3", &["cairn-trust"]),
            member("xtask", "dev", &["cairn-trust"]),
        ];
        assert_eq!(said(all), Vec::<String>::new());
    }

    #[test]
    fn leaves_do_not_see_each_other_and_hosts_do_not_see_services() {
        let all = vec![
            member("provisioner/trust", "L2", &["cairn-fleet", "cairn-identity"]),
            member("provisioner/fleet", "L2", &[]),
            member("provisioner/store", "L2", &["cairn-trust"]),
            member("provisioner/identity", "L2", &["cairn-store"]),
            member("agent/agentd", "L3", &["cairn-fleet"]),
            member("provisioner/contract", "L0", &["cairn-evidence"]),
            member("provisioner/evidence", "L0", &[]),
        ];
        assert_eq!(
            said(all),
            [
                "provisioner/trust/Cargo.toml: L2 must not use cairn-fleet (L2)",
                "provisioner/trust/Cargo.toml: L2 must not use cairn-identity (L2)",
                "provisioner/store/Cargo.toml: L2 must not use cairn-trust (L2)",
                "provisioner/identity/Cargo.toml: L2 must not use cairn-store (L2)",
                "agent/agentd/Cargo.toml: L3 must not use cairn-fleet (L2)",
                "provisioner/contract/Cargo.toml: L0 must not use cairn-evidence (L0)",
            ]
        );
    }

    #[test]
    fn a_crate_without_a_known_layer_is_said() {
        let mut bare = member("a/b", "L9", &[]);
        let unknown = said(vec![bare.clone()]);
        bare.layer = None;
        assert_eq!((unknown.len(), said(vec![bare]).len()), (1, 1));
    }
}
