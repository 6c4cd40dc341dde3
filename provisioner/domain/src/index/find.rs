//! Finding one resource by what a person typed: uid, full name, or bare name.

use std::sync::Arc;

use super::Index;
use crate::model::{Kind, Level, Namespace, Object, Uid, full_name};

/// Why none was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// None that can be seen.
    #[error("there is no {kind} {key}")]
    NotFound {
        /// Of this kind.
        kind: Kind,
        /// What was typed, made safe to show.
        key: String,
    },
    /// A bare name of several.
    #[error("several have the name {key}: {}", names.join(", "))]
    Several {
        /// What was typed, made safe to show.
        key: String,
        /// Full names, at most ten.
        names: Vec<String>,
    },
}

impl Index {
    /// The resource that `key` names: a uid, `NAME.NAMESPACE`, a name in `home`, or a bare name when only one is `visible`.
    pub fn find(
        &self,
        kind: Kind,
        key: &str,
        home: &Namespace,
        mut visible: impl FnMut(&Object) -> bool,
    ) -> Result<&Arc<Object>, FindError> {
        let not_found = || FindError::NotFound { kind, key: crate::fact::plain(key, 200) };
        if let Ok(uid) = key.parse::<Uid>() {
            let found = self.get(uid).filter(|o| o.kind() == kind && visible(o));
            return found.ok_or_else(not_found);
        }
        if let Some(object) = self.exactly(kind, key, home).filter(|o| visible(o)) {
            return Ok(object);
        }
        let mut found = self.of_kind(kind).filter(|o| o.metadata.name == key && visible(o));
        let Some(first) = found.next() else { return Err(not_found()) };
        let others: Vec<_> = found.take(9).collect();
        if others.is_empty() {
            return Ok(first);
        }
        let name = |o: &Arc<Object>| full_name(&o.metadata.name, &o.metadata.namespace);
        let names = std::iter::once(first).chain(others).map(name).collect();
        Err(FindError::Several { key: crate::fact::plain(key, 200), names })
    }

    fn exactly(&self, kind: Kind, key: &str, home: &Namespace) -> Option<&Arc<Object>> {
        // A user's name may hold dots: try it whole first.
        if let Some(object) =
            self.named(kind, home, key).or_else(|| self.named(kind, &Namespace::Appliance, key))
        {
            return Some(object);
        }
        let (name, rest) = key.split_once('.')?;
        let namespace: Namespace = rest.parse().ok()?;
        match kind.level() {
            Level::Appliance => None,
            Level::Organisation | Level::Project | Level::Any => self.named(kind, &namespace, name),
        }
    }
}
