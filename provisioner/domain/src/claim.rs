//! Where a proven machine goes that nobody registered: claim rules (`ClaimRule` of a project).

use std::{cmp::Reverse, sync::Arc};

use crate::{
    fact::Claim,
    glob,
    index::Index,
    model::{ClaimMatch, ClaimRuleSpec, Kind, Labels, Namespace, Object, Spec, Uid},
};

/// What the rule that fits says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Full name of the rule.
    pub rule: String,
    /// The project.
    pub project: Namespace,
    /// Name of the site in it.
    pub site: String,
    /// That site.
    pub at: Uid,
    /// Image of the host; `None`: by policy.
    pub image: Option<String>,
    /// Labels of the host.
    pub labels: Labels,
    /// Whether it is let in at once.
    pub accept: bool,
}

/// The first rule that fits: by priority, then by namespace and name. A rule whose site is gone fits nothing.
pub fn place(index: &Index, claim: &Claim) -> Option<Placement> {
    let mut rules: Vec<(&Arc<Object>, &ClaimRuleSpec)> =
        index.of_kind(Kind::ClaimRule).filter_map(|o| Some((o, spec_of(o)?))).collect();
    rules.sort_by_key(|(_, spec)| Reverse(spec.priority));
    let (object, spec, at) =
        rules.into_iter().filter(|(_, spec)| fits(&spec.r#match, claim)).find_map(|(object, spec)| {
            let site = index.named(Kind::Site, &object.metadata.namespace, &spec.site)?;
            Some((object, spec, site.metadata.uid))
        })?;
    Some(Placement {
        rule: object.full_name(),
        project: object.metadata.namespace.clone(),
        site: spec.site.clone(),
        at,
        image: spec.image.clone(),
        labels: spec.labels.clone(),
        accept: spec.accept,
    })
}

fn spec_of(object: &Object) -> Option<&ClaimRuleSpec> {
    match &object.spec {
        Spec::ClaimRule(spec) => Some(spec),
        _ => None,
    }
}

/// All that is given matches, and something is given.
fn fits(rule: &ClaimMatch, claim: &Claim) -> bool {
    let smbios = &claim.inventory.smbios;
    let part = |pattern: &Option<String>, value: &str| pattern.as_deref().map(|p| glob::matches(p, value));
    let macs = claim.inventory.nics.iter().map(|n| n.mac).chain([claim.boot_mac]);
    let mac = rule.mac.as_deref().map(|p| macs.into_iter().any(|m| glob::matches(p, &m.to_string())));
    let answers = [
        part(&rule.serial, &smbios.serial),
        part(&rule.uuid, &smbios.uuid),
        part(&rule.ek, &claim.ek.to_string()),
        part(&rule.manufacturer, &smbios.vendor),
        part(&rule.product, &smbios.product),
        mac,
    ];
    answers.contains(&Some(true)) && !answers.contains(&Some(false))
}
