//! What a write of a User or Token resource means for passwords, sessions and secrets: goes into the same transaction.
//! Called by `resources`.

use cairn_contract::{Digest, Timestamp};
use cairn_domain::model::{Object, Spec};
use cairn_identity::{Token, TokenKind};
use cairn_store::{CredentialWrite, ServiceToken};

use crate::problem::{Kind, Problem};

/// The secret of a new service token: `expose()` it in the answer, once and never in what is kept of the answer.
pub(crate) use cairn_identity::Token as TokenSecret;

/// For each created object: the secret of a Token resource, and what keeps its hash. `None` for other kinds.
pub(crate) fn mint(
    object: &Object,
    now: Timestamp,
) -> Result<Option<(TokenSecret, CredentialWrite)>, Problem> {
    let Spec::Token(spec) = &object.spec else { return Ok(None) };
    let expires: jiff::Timestamp = spec.expires.parse().map_err(|_| {
        Problem::new(Kind::Invalid, "spec.expires is no time.", "Write it as in RFC 3339.").at("spec.expires")
    })?;
    let secret = Token::random(TokenKind::Service).map_err(|e| Problem::internal(&e))?;
    let row = ServiceToken {
        sha256: Digest(*secret.hash().as_bytes()),
        uid: object.metadata.uid,
        created: now,
        expires: Timestamp(expires.as_millisecond()),
        last_used: None,
    };
    Ok(Some((secret, CredentialWrite::SetToken(row))))
}

/// For each updated object: the sessions of a user end who is disabled or becomes another login; the password of one goes who
/// now logs in with OIDC. (What is deleted loses all by itself.)
pub(crate) fn consequences(before: &Object, after: &Object) -> Vec<CredentialWrite> {
    let (Spec::User(old), Spec::User(new)) = (&before.spec, &after.spec) else { return Vec::new() };
    let user = after.metadata.uid;
    let mut writes = Vec::new();
    if new.disabled || old.oidc != new.oidc {
        writes.push(CredentialWrite::EndSessions { user });
    }
    if new.oidc.is_some() && old.oidc.is_none() {
        writes.push(CredentialWrite::ClearPassword { user });
    }
    writes
}
