//! From which repositories a host pulls: those of its project, of what is above, and of the appliance.

use cairn_contract::HostId;
use cairn_domain::model::Namespace;

use super::{Desk, DeskError};

/// Repositories of the appliance begin with it.
const APPLIANCE: &str = "library";

/// Which repositories one may read that lives in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulls(Vec<String>);

impl Pulls {
    /// For what lives there.
    pub fn of(namespace: &Namespace) -> Self {
        let mut tops = vec![APPLIANCE.to_owned()];
        match namespace {
            Namespace::Appliance => {}
            Namespace::Organisation(organisation) => tops.push(organisation.clone()),
            Namespace::Project { organisation, .. } => {
                tops.extend([organisation.clone(), namespace.to_string()]);
            }
        }
        Self(tops)
    }

    /// Whether a repository is among them.
    pub fn may(&self, repository: &str) -> bool {
        let top = repository.split('/').next().unwrap_or_default();
        repository.contains('/') && self.0.iter().any(|allowed| allowed == top)
    }
}

/// The namespace that a repository's first part names: `library` is the appliance, `acme` an organisation, `retail.acme` a project.
pub fn namespace_of(repository: &str) -> Option<Namespace> {
    let (top, rest) = repository.split_once('/')?;
    if rest.is_empty() {
        return None;
    }
    if top == APPLIANCE { Some(Namespace::Appliance) } else { top.parse().ok() }
}

impl Desk {
    /// For a running host.
    pub fn may_pull(&self, host: HostId) -> Result<Pulls, DeskError> {
        self.admit(host)?;
        let index = self.catalog.index();
        let namespace = index.get(host.into()).map(|object| object.metadata.namespace.clone());
        namespace.map(|namespace| Pulls::of(&namespace)).ok_or(super::REMOVED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_pulls_from_its_project_and_above_and_from_no_other_tenant() {
        let pulls = Pulls::of(&"retail.acme".parse().unwrap());
        for (repository, may) in [
            ("retail.acme/hello", true),
            ("acme/deep/hello", true),
            ("library/nginx", true),
            ("other.acme/hello", false),
            ("globex/hello", false),
            ("retail.acme", false),
            ("retail.acme.x/hello", false),
        ] {
            assert_eq!(pulls.may(repository), may, "{repository}");
        }
    }

    #[test]
    fn a_repository_names_its_namespace() {
        let name = |text| namespace_of(text).map(|n| n.to_string());
        assert_eq!(name("retail.acme/hello").as_deref(), Some("retail.acme"));
        assert_eq!(name("acme/hello").as_deref(), Some("acme"));
        assert_eq!(namespace_of("library/hello"), Some(Namespace::Appliance));
        assert_eq!(name("a.b.c/hello"), None);
        assert_eq!(name("hello"), None);
    }
}
