//! Tokens of kubeconfigs: each opens one cluster, for one person or service, for hours. Kept as the rows of sessions are: hashed,
//! gone with the user, forgotten when they have run out. They open nothing else of the API: the gate refuses them.

use cairn_contract::{Digest, Timestamp};
use cairn_domain::{
    access::Principal,
    audit::{Deed, Outcome},
    model::{Kind as Resource, Object, Uid},
};
use cairn_identity::{Token, TokenKind};
use cairn_store::Session;
use http::{Extensions, HeaderMap};
use serde::{Deserialize, Serialize};

use super::{
    caller::{Caller, Credential},
    credential, nobody,
    peer::{Peer, bearer},
};
use crate::{
    app::App,
    problem::{Kind, Problem},
};

/// Of one holder and one cluster at once; one more ends the oldest.
const MOST: usize = 64;

/// In the place of a session's principal.
#[derive(Debug, Serialize, Deserialize)]
struct Bound {
    cluster: Uid,
}

/// The cluster that a row is for; `None` for a login.
pub(super) fn cluster_of(row: &Session) -> Option<Uid> {
    serde_json::from_str::<Bound>(&row.principal).ok().map(|bound| bound.cluster)
}

/// Makes a token for `cluster` that ends at `until`, or with the caller's own service token; gives its text, once, and its end.
pub(crate) async fn make(
    app: &App,
    caller: &Caller,
    cluster: &Object,
    until: Timestamp,
) -> Result<(Token, Timestamp), Problem> {
    let token = Token::random(TokenKind::Cluster).map_err(|e| Problem::internal(&e))?;
    let expires = match caller.credential {
        Credential::Service { until: own, .. } => until.min(own),
        Credential::Local | Credential::Session { .. } | Credential::Cluster { .. } => until,
    };
    let bound = Bound { cluster: cluster.metadata.uid };
    let now = app.auth.now();
    let row = Session {
        sha256: Digest(*token.hash().as_bytes()),
        user: holder_of(caller),
        principal: serde_json::to_string(&bound).map_err(|e| Problem::internal(&e))?,
        created: now,
        expires,
        last_seen: now,
    };
    let deed = deed(caller, cluster, "kubeconfig.create");
    app.store.begin_session(&row, &[deed]).await.map_err(|e| Problem::internal(&e))?;
    for old in of(app, caller, cluster).await?.iter().skip(MOST) {
        end(app, old, &[]).await?;
    }
    Ok((token, expires))
}

/// Ends all tokens of the caller for `cluster`; how many.
pub(crate) async fn revoke(app: &App, caller: &Caller, cluster: &Object) -> Result<usize, Problem> {
    let rows = of(app, caller, cluster).await?;
    for row in &rows {
        end(app, row, &[deed(caller, cluster, "kubeconfig.revoke")]).await?;
    }
    app.auth.tell_ended();
    Ok(rows.len())
}

/// Who asks for something in a cluster, and the cluster that the token is for, when it is one of a kubeconfig. No cookies: what a
/// cluster sends must never run as a page of the console's.
pub(crate) async fn at_cluster(
    app: &App,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(Caller, Option<Uid>), Problem> {
    let peer = Peer::of(extensions);
    let text = bearer(headers).ok_or_else(|| nobody("No token was presented."))?;
    match Token::parse(text.expose()) {
        Ok(token) if token.kind() == TokenKind::Cluster => {
            let (caller, cluster) = presented(app, peer, &token).await?;
            Ok((caller, Some(cluster)))
        }
        Ok(_) | Err(_) => Ok((credential::bearer(app, peer, &text).await?, None)),
    }
}

async fn presented(app: &App, peer: Peer, token: &Token) -> Result<(Caller, Uid), Problem> {
    let ended = || {
        let detail = "The token of this kubeconfig has run out or was revoked.";
        Problem::new(Kind::Unauthorized, detail, "Get another: cairn cluster kubeconfig NAME")
    };
    let sha256 = Digest(*token.hash().as_bytes());
    let row = app.store.session(&sha256).await.map_err(|e| Problem::internal(&e))?;
    let row = row.filter(|row| app.auth.now() < row.expires).ok_or_else(ended)?;
    let cluster = cluster_of(&row).ok_or_else(ended)?;
    let principal = holder(app, row.user).ok_or_else(ended)?;
    let credential = Credential::Cluster { sha256, holder: row.user, until: row.expires };
    Ok((Caller::new(principal, credential, peer), cluster))
}

/// The user or service whose token it is, while that one may come in.
pub(super) fn holder(app: &App, uid: Uid) -> Option<Principal> {
    if credential::is_in_force(app, uid) {
        return app.read(|index| index.get(uid).map(|o| Principal::token(o.full_name())));
    }
    credential::holder(app, uid)
}

fn holder_of(caller: &Caller) -> Uid {
    match &caller.credential {
        Credential::Local => super::caller::NOBODY,
        Credential::Session { user, .. } => *user,
        Credential::Service { uid, .. } => *uid,
        Credential::Cluster { holder, .. } => *holder,
    }
}

/// The newest first.
async fn of(app: &App, caller: &Caller, cluster: &Object) -> Result<Vec<Session>, Problem> {
    let rows = app.store.sessions_of(holder_of(caller)).await.map_err(|e| Problem::internal(&e))?;
    Ok(rows.into_iter().filter(|row| cluster_of(row) == Some(cluster.metadata.uid)).collect())
}

async fn end(app: &App, row: &Session, deeds: &[Deed]) -> Result<(), Problem> {
    app.store.end_session(&row.sha256, app.auth.now(), deeds).await.map_err(|e| Problem::internal(&e))
}

/// What was done at a cluster, for the audit log.
pub(crate) fn deed(caller: &Caller, cluster: &Object, verb: &str) -> Deed {
    Deed {
        actor: caller.actor.clone(),
        verb: verb.to_owned(),
        kind: Some(Resource::Cluster),
        uid: Some(cluster.metadata.uid),
        namespace: cluster.metadata.namespace.clone(),
        name: cluster.metadata.name.clone(),
        outcome: Outcome::Done,
        reason: String::new(),
        before: None,
        after: None,
    }
}
