//! A site with a certified issuer beside it.

use cairn_contract::Timestamp;
use cairn_identity::oidc::{Begun, Callback, FinishError, Oidc, Person, Provider, Url};
use cairn_oidc_peer::{Browser, OidcPeer};

/// Nobody listens there: the browser does not follow.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/api/v1/oidc/callback";

pub(crate) struct Site {
    pub(crate) peer: OidcPeer,
    pub(crate) provider: Provider,
}

/// With `more` in the configuration.
#[track_caller]
pub(crate) fn site(more: &str) -> Site {
    let peer = OidcPeer::start().unwrap_or_else(|error| panic!("{}", chain(&error)));
    let provider = Provider::new(config(&peer, more)).unwrap();
    Site { peer, provider }
}

impl Site {
    pub(crate) fn provider_with(&self, more: &str) -> Provider {
        Provider::new(config(&self.peer, more)).unwrap()
    }

    pub(crate) async fn begin(&self) -> Begun {
        self.provider.begin(&redirect(), now()).await.unwrap()
    }

    pub(crate) async fn log_in(&self, person: &str) -> Result<Person, FinishError> {
        self.log_in_at(person, now()).await
    }

    /// With a clock of ours that stands at `at`.
    pub(crate) async fn log_in_at(&self, person: &str, at: Timestamp) -> Result<Person, FinishError> {
        let begun = self.provider.begin(&redirect(), at).await.unwrap();
        let back = Browser::default().log_in(begun.url.as_str(), person).await.unwrap();
        self.provider.finish(query(&back), begun.pending, at).await
    }
}

fn config(peer: &OidcPeer, more: &str) -> Oidc {
    let OidcPeer { issuer, client_id, client_secret, .. } = peer;
    let text = format!(
        "issuer = {issuer:?}\nclient_id = {client_id:?}\nclient_secret = {client_secret:?}\n\
         scopes = [\"profile\", \"email\", \"groups\"]\n{more}"
    );
    toml::from_str(&text).unwrap()
}

/// What a browser brings back.
pub(crate) fn query(back: &str) -> Callback {
    Callback::parse(Url::parse(back).unwrap().query().unwrap()).unwrap()
}

pub(crate) fn redirect() -> Url {
    Url::parse(REDIRECT).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the issuer is another process with the machine's clock")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

/// The error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
