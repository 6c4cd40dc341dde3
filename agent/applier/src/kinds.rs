//! Where objects of a kind are served: asked of the cluster (discovery), never assumed. Not what the kinds mean (`order`, `health`).

use std::collections::HashMap;

use serde_json::Value;

use crate::cluster::{CallError, Cluster, resources};
use crate::key::{Gvk, at, each, is_name, text};

/// Whether objects of a kind are in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// They are the cluster's.
    Cluster,
    /// Each is in a namespace.
    Namespaced,
}

/// A kind as the cluster serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Its kind.
    pub gvk: Gvk,
    /// As in paths: `deployments`.
    pub plural: String,
    /// Of its objects.
    pub scope: Scope,
}

impl Resource {
    /// Path of all its objects.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}/{}", root(&self.gvk.api_version()), self.plural)
    }

    /// Path of an object.
    #[must_use]
    pub fn one(&self, namespace: &str, name: &str) -> String {
        let root = root(&self.gvk.api_version());
        match self.scope {
            Scope::Cluster => format!("{root}/{}/{name}", self.plural),
            Scope::Namespaced => format!("{root}/namespaces/{namespace}/{}/{name}", self.plural),
        }
    }
}

/// Path of a group and version.
fn root(api_version: &str) -> String {
    if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") }
}

/// A kind that cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// Nobody serves it.
    #[error("this cluster has no kind {} in {}{hint}", gvk.kind, gvk.api_version())]
    Unknown {
        /// Which.
        gvk: Gvk,
        /// What to do.
        hint: String,
    },
    /// It could not be asked.
    #[error("the kinds of {api_version} cannot be asked for")]
    Ask {
        /// Group and version.
        api_version: String,
        /// Why.
        #[source]
        source: CallError,
    },
}

/// What was found out, by group and version. A kind that is missing is asked for anew each time.
#[derive(Debug, Default)]
pub struct Kinds {
    known: HashMap<String, Vec<Resource>>,
}

impl Kinds {
    /// Where the kind is served.
    ///
    /// # Errors
    /// See [`KindError`].
    pub async fn resolve(&mut self, cluster: &Cluster, gvk: &Gvk) -> Result<Resource, KindError> {
        let api_version = gvk.api_version();
        let known = |all: &[Resource]| all.iter().find(|r| r.gvk == *gvk).cloned();
        if let Some(found) = self.known.get(&api_version).and_then(|all| known(all)) {
            return Ok(found);
        }
        let list = ask(cluster, &root(&api_version), &api_version).await?;
        let all = list.map(|l| read(&l, gvk)).unwrap_or_default();
        let found = known(&all);
        self.known.insert(api_version, all);
        match found {
            Some(found) => Ok(found),
            None => Err(KindError::Unknown { gvk: gvk.clone(), hint: hint(cluster, gvk).await? }),
        }
    }

    /// Forgets a group and version: it answered 404.
    pub fn forget(&mut self, gvk: &Gvk) {
        self.known.remove(&gvk.api_version());
    }
}

async fn ask(cluster: &Cluster, path: &str, api_version: &str) -> Result<Option<Value>, KindError> {
    let found = cluster.find(path).await;
    found.map_err(|source| KindError::Ask { api_version: api_version.to_owned(), source })
}

fn read(list: &Value, like: &Gvk) -> Vec<Resource> {
    let resource = |r: &Value| {
        let gvk = Gvk { kind: text(r, &["kind"]).to_owned(), ..like.clone() };
        let namespaced = at(r, &["namespaced"]).and_then(Value::as_bool) == Some(true);
        let scope = if namespaced { Scope::Namespaced } else { Scope::Cluster };
        let plural = text(r, &["name"]).to_owned();
        let can = |verb| each(r, &["verbs"]).any(|v| v.as_str() == Some(verb));
        (is_name(&plural) && can("patch") && can("get")).then_some(Resource { gvk, plural, scope })
    };
    resources(list).filter_map(resource).collect()
}

/// Other versions that have the kind, or the group that is missing.
async fn hint(cluster: &Cluster, gvk: &Gvk) -> Result<String, KindError> {
    if gvk.group.is_empty() {
        return Ok(": is its name right?".into());
    }
    let path = format!("/apis/{}", gvk.group);
    let Some(group) = ask(cluster, &path, &gvk.group).await? else {
        let kind = &gvk.kind;
        return Ok(format!(
            ": it lacks the CustomResourceDefinition of {kind}.{}; deploy what brings it first, or in an earlier application",
            gvk.group
        ));
    };
    for version in each(&group, &["versions"]).take(8) {
        let other = text(version, &["groupVersion"]);
        let list = if other.is_empty() { None } else { ask(cluster, &root(other), other).await? };
        if list.is_some_and(|l| resources(&l).any(|r| text(r, &["kind"]) == gvk.kind)) {
            return Ok(format!(", but in {other}: change its apiVersion"));
        }
    }
    Ok(format!(": group {} is there, and lacks the CustomResourceDefinition of this kind", gvk.group))
}

/// What the CustomResourceDefinitions of a release themselves say of the kinds that they bring.
#[must_use]
pub fn scope_by_definition(definition: &Value, gvk: &Gvk) -> Option<Scope> {
    let same = text(definition, &["kind"]) == "CustomResourceDefinition"
        && text(definition, &["spec", "group"]) == gvk.group
        && text(definition, &["spec", "names", "kind"]) == gvk.kind;
    let cluster = text(definition, &["spec", "scope"]) == "Cluster";
    same.then_some(if cluster { Scope::Cluster } else { Scope::Namespaced })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_resources_are_read_without_subresources_and_what_cannot_be_applied() {
        let list = json!({"resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": ["get", "patch"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": ["get", "patch"]},
            {"name": "reviews", "kind": "Review", "namespaced": false, "verbs": ["create"]},
            {"name": "../x", "kind": "X", "verbs": ["get", "patch"]}, 7,
        ]});
        let all = read(&list, &Gvk::new("apps/v1", "Deployment").unwrap());
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].one("shop", "web"), "/apis/apps/v1/namespaces/shop/deployments/web");
        assert_eq!(all[0].all(), "/apis/apps/v1/deployments");
    }

    #[test]
    fn a_definition_tells_the_scope_of_its_kind() {
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"group": "a.io", "scope": "Cluster", "names": {"kind": "K"}}});
        assert_eq!(scope_by_definition(&crd, &Gvk::new("a.io/v1", "K").unwrap()), Some(Scope::Cluster));
        assert_eq!(scope_by_definition(&crd, &Gvk::new("b.io/v1", "K").unwrap()), None);
    }
}
