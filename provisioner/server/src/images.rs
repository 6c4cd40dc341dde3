//! The registry for people and programs: the operator side says who may what, the registry answers.

use axum::body::Body;
use cairn_domain::model::Verb;
use cairn_fleet::desk::namespace_of;
use cairn_operator::{ImageCaller, Images};
use cairn_registry::{Access, Action, Challenge, Registry, RepositoryName};
use futures_util::future::BoxFuture;
use http::{Request, Response};

/// Adapter.
pub(crate) struct Repositories(pub(crate) Registry);

impl Images for Repositories {
    fn handle(&self, caller: ImageCaller, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move { self.0.handle(&Rights(caller), request).await.map(Body::new) })
    }
}

struct Rights(ImageCaller);

impl Access for Rights {
    fn may(&self, repository: &RepositoryName, action: Action) -> bool {
        let Some(namespace) = namespace_of(repository.as_str()) else { return false };
        match action {
            Action::Pull => self.0.may(&namespace, Verb::Get),
            // A tag that is written again is a change.
            Action::Push => self.0.may(&namespace, Verb::Create),
            Action::Delete => self.0.may(&namespace, Verb::Delete),
        }
    }

    fn challenge(&self) -> Option<Challenge> {
        (!self.0.is_known()).then(|| Challenge::Basic { realm: "cairn".to_owned() })
    }
}
