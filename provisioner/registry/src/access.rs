//! What a caller may do: said by whoever hands over the request. Not who they are.

use http::HeaderValue;

use crate::RepositoryName;

/// What somebody wants to do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read blobs, manifests, tags and referrers; see it in the catalog.
    Pull,
    /// Upload blobs, write manifests and tags.
    Push,
    /// Remove blobs, manifests and tags.
    Delete,
}

impl Action {
    /// As the scope of a Bearer challenge names it.
    fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,delete",
        }
    }
}

/// How somebody who is not known yet may say who they are (RFC 9110 11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password, or name and token.
    Basic {
        /// What it is for.
        realm: String,
    },
    /// A token of a token service.
    Bearer {
        /// The token service's URL.
        realm: String,
        /// This registry's name there.
        service: String,
    },
}

/// The rights behind one request.
///
/// A closure over repository and action is one, of somebody who is known.
pub trait Access: Send + Sync {
    /// Whether the caller may do that. Must not depend on whether the repository exists.
    fn may(&self, repository: &RepositoryName, action: Action) -> bool;

    /// Given for a caller who is not known: what is refused is then answered with 401 and this.
    fn challenge(&self) -> Option<Challenge> {
        None
    }
}

impl<F: Fn(&RepositoryName, Action) -> bool + Send + Sync> Access for F {
    fn may(&self, repository: &RepositoryName, action: Action) -> bool {
        self(repository, action)
    }
}

impl Challenge {
    /// The value of `WWW-Authenticate`; nothing when it holds what a header cannot.
    pub(crate) fn header(&self, wanted: Option<(&RepositoryName, Action)>) -> Option<HeaderValue> {
        let text = match self {
            Self::Basic { realm } => format!("Basic realm={}, charset=\"UTF-8\"", quoted(realm)),
            Self::Bearer { realm, service } => {
                let scope = wanted.map(|(name, action)| {
                    format!(",scope={}", quoted(&format!("repository:{name}:{}", action.scope())))
                });
                let scope = scope.unwrap_or_default();
                format!("Bearer realm={},service={}{scope}", quoted(realm), quoted(service))
            }
        };
        HeaderValue::try_from(text).ok()
    }
}

/// A quoted-string (RFC 9110 5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_how_and_for_what() {
        let name: RepositoryName = "a/b".parse().unwrap();
        let basic = Challenge::Basic { realm: "the \"site\"".into() };
        assert_eq!(basic.header(None).unwrap(), r#"Basic realm="the \"site\"", charset="UTF-8""#);
        let bearer = Challenge::Bearer { realm: "https://x/token".into(), service: "x".into() };
        assert_eq!(
            bearer.header(Some((&name, Action::Push))).unwrap(),
            r#"Bearer realm="https://x/token",service="x",scope="repository:a/b:pull,push""#
        );
        assert_eq!(bearer.header(None).unwrap(), r#"Bearer realm="https://x/token",service="x""#);
    }
}
