//! `cairn token`, `passwd`, `can`.

use cairn_contract::Timestamp;
use cairn_domain::model::{API_VERSION, Kind};
use serde_json::{Value, json};

use crate::{
    Context,
    args::{Can, Get, Passwd, TokenCommand, TokenCreate},
    context::FromStdin,
    exit::Failure,
    login,
    target::{self, Target, text, with_query},
    verbs::get,
};

/// `cairn token ...`
pub(crate) async fn token(cx: &mut Context, command: &TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(args) => create(cx, args).await,
        TokenCommand::Ls => {
            let get = Get {
                words: vec![Kind::Token.plural().to_owned()],
                all_namespaces: false,
                selector: None,
                field_selector: None,
                watch: false,
                limit: None,
            };
            get::run(cx, &get).await
        }
        TokenCommand::Revoke { name } => revoke(cx, name).await,
    }
}

async fn create(cx: &mut Context, args: &TokenCreate) -> Result<(), Failure> {
    let session = cx.session()?;
    let object = object(args, &session.namespace, (cx.now)())?;
    let answer: Value = session.client.post(&target::list_path(Kind::Token), Some(&object)).await?;
    if cx.value(&answer)? {
        return Ok(());
    }
    let secret = text(&answer, "/secret");
    if secret.is_empty() {
        return Err(Failure::new(
            "the server's answer holds no secret",
            "Use the `cairn` of the server's version.",
        ));
    }
    cx.say("This is its secret. It is not shown again:");
    cx.line(secret)?;
    cx.say("Use it: CAIRN_TOKEN=SECRET cairn ...");
    Ok(())
}

fn object(args: &TokenCreate, namespace: &str, now: Timestamp) -> Result<Value, Failure> {
    let at = Timestamp(now.0.saturating_add(args.expires.saturating_mul(1000)));
    let expires = cairn_domain::model::rfc3339(at)
        .ok_or_else(|| Failure::usage("--expires is too far away", "At most 400 days: 400d"))?;
    let mut spec = json!({ "role": args.role, "expires": expires });
    if !args.description.is_empty() {
        spec["description"] = args.description.as_str().into();
    }
    if let Some(at) = &args.at {
        let targets = target::targets(std::slice::from_ref(at))?;
        let place = |t: &Target| json!({ "kind": t.kind.name(), "name": t.name });
        spec["at"] = targets.first().map(place).unwrap_or_default();
    }
    Ok(json!({ "apiVersion": API_VERSION, "kind": Kind::Token.name(),
        "metadata": { "name": args.name, "namespace": namespace }, "spec": spec }))
}

async fn revoke(cx: &mut Context, name: &str) -> Result<(), Failure> {
    let session = cx.session()?;
    let target = Target { kind: Kind::Token, name: name.to_owned() };
    let key = target.key(&session.client, session.namespace()).await?;
    session.client.delete(&target::path(Kind::Token, &key)).await?;
    if cx.value(&json!({ "revoked": name }))? {
        return Ok(());
    }
    cx.line(&format!("Revoked token {}.", cairn_domain::fact::plain(name, 100)))
}

/// `cairn passwd`
pub(crate) async fn passwd(cx: &mut Context, args: &Passwd) -> Result<(), Failure> {
    let session = cx.session()?;
    let me: Value = session.client.get("/api/v1/whoami").await?;
    let user = args.user.clone().unwrap_or_else(|| text(&me, "/name").to_owned());
    let own = text(&me, "/kind").eq_ignore_ascii_case("user") && text(&me, "/name") == user;
    let from_stdin = if args.password_stdin { FromStdin::Yes } else { FromStdin::No };
    let old = if own { Some(cx.password("Present password", from_stdin)?) } else { None };
    let new = match from_stdin {
        FromStdin::Yes => cx.password("", from_stdin)?,
        FromStdin::No => login::new_password(cx)?,
    };
    let mut body = json!({ "new": new.reveal() });
    if let Some(old) = &old {
        body["old"] = old.reveal().into();
    }
    let path = format!("{}/password", target::path(Kind::User, &user));
    let _: Value = session.client.post(&path, Some(&body)).await?;
    if cx.value(&json!({ "user": user }))? {
        return Ok(());
    }
    cx.line(&format!(
        "The password of {} is changed; other sessions of it have ended.",
        cairn_domain::fact::plain(&user, 100)
    ))
}

/// `cairn can`: the code says it too.
pub(crate) async fn can(cx: &mut Context, args: &Can) -> Result<(), Failure> {
    let session = cx.session()?;
    let kind = target::kind(&args.kind)?;
    let path = with_query(
        "/api/v1/access/can",
        &[
            ("verb", Some(args.verb.as_str())),
            ("kind", Some(kind.name())),
            ("namespace", session.namespace()),
        ],
    );
    let answer: Value = session.client.get(&path).await?;
    let allowed = answer.get("allowed").or(answer.get("can")).unwrap_or(&answer).as_bool() == Some(true);
    if !cx.value(&answer)? {
        cx.line(if allowed { "yes" } else { "no" })?;
    }
    if allowed { Ok(()) } else { Err(Failure::silent(6)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_scoped_and_ends() {
        let args = TokenCreate {
            name: "ci".into(),
            role: "viewer".into(),
            at: Some("site/north".into()),
            expires: 86_400,
            description: String::new(),
        };
        let want = json!({"apiVersion": "cairn/v1", "kind": "Token", "metadata": {"name": "ci", "namespace": "retail.acme"},
            "spec": {"role": "viewer", "expires": "1970-01-02T00:00:00Z", "at": {"kind": "Site", "name": "north"}}});
        assert_eq!(object(&args, "retail.acme", Timestamp(0)).unwrap(), want);
        assert!(object(&TokenCreate { at: Some("north".into()), ..args }, "", Timestamp(0)).is_err());
    }
}
