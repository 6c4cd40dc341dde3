//! `cairn login`, `logout`, `whoami`, `context ...`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Context,
    args::{ContextCommand, Login},
    client::{Client, Connection, pin},
    context::FromStdin,
    contexts::{Config, Saved, no_context},
    exit::Failure,
    secret::Secret,
    show::{
        table::{self, cell},
        words::Tone,
    },
    target::text,
};

/// Longest and shortest time between two questions whether the browser is done.
const POLL: std::ops::RangeInclusive<u64> = 1..=60;
/// Until a login by browser is given up.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// `cairn login`
pub(crate) async fn login(cx: &mut Context, args: &Login) -> Result<(), Failure> {
    let url = address(&args.url);
    let ca = trust(cx, args, &url).await?;
    let mut connection = Connection { url: url.clone(), ca, server_name: None, token: None };
    let client = Client::new(connection.clone())?;
    connection.server_name = Some(client.prove().await?);
    let answer = if args.device { device(cx, &client).await? } else { password(cx, &client, args).await? };
    let token = text(&answer, "/token");
    if token.is_empty() {
        return Err(Failure::new(
            "the server's answer holds no token",
            "Use the `cairn` of the server's version.",
        ));
    }
    let user = principal(&answer);
    let mut config = load(cx)?;
    let name = args.name.clone().unwrap_or_else(|| context_name(&url, &config));
    let namespace = config.find(&name).map(|c| c.namespace.clone()).unwrap_or_default();
    config.put(Saved {
        name: name.clone(),
        url,
        ca: connection.ca,
        server_name: connection.server_name,
        namespace,
        user: user.clone(),
        expires: text(&answer, "/expires").to_owned(),
        token: Some(Secret::new(token)),
    });
    save(cx, &config)?;
    if cx.value(&json!({ "context": name, "user": user, "expires": text(&answer, "/expires") }))? {
        return Ok(());
    }
    cx.line(&format!("Logged in as {}; context {name}.", cairn_domain::fact::plain(&user, 100)))?;
    let note = text(&answer, "/note");
    if !note.is_empty() {
        cx.say(&cairn_domain::fact::plain(note, 600));
    }
    cx.line("What you may do: cairn whoami. What there is: cairn get hosts -A")
}

/// `10.0.0.1` is `https://10.0.0.1`.
fn address(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("https://{url}") }
}

/// The host; with its port when another server has that name already.
fn context_name(url: &str, config: &Config) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match config.find(host) {
        Some(other) if other.url != url => authority.to_owned(),
        _ => host.to_owned(),
    }
}

fn principal(answer: &Value) -> String {
    let named = text(answer, "/principal/name");
    if named.is_empty() { text(answer, "/principal").to_owned() } else { named.to_owned() }
}

/// The authority to pin, PEM.
async fn trust(cx: &mut Context, args: &Login, url: &str) -> Result<String, Failure> {
    if let Some(path) = &args.ca_file {
        return std::fs::read_to_string(path).map_err(|e| {
            Failure::new(format!("cannot read {}: {e}", path.display()), "Check its name and rights.")
        });
    }
    let chain = pin::chain(url).await?;
    if let Some(wanted) = &args.ca_sha256 {
        let wanted = fingerprint(wanted)?;
        let found = chain.iter().find(|c| c.digest() == wanted);
        return found.map(pin::Shown::pem).ok_or_else(|| {
            let shown = chain.last().map(|c| c.digest().to_string()).unwrap_or_default();
            Failure::new(
                format!("the server at {url} has another certificate authority: SHA-256 {shown}"),
                "Either the digest is of another site, or something between here and there pretends to be it: ask who runs it.",
            )
        });
    }
    let known = load(cx)?.contexts.into_iter().find(|c| c.url == url);
    if let Some(known) = known {
        return Ok(known.ca);
    }
    let Some(authority) = chain.last() else {
        return Err(Failure::new("the server shows no certificate", ""));
    };
    let question = format!(
        "The certificate authority of {url} is not known here.\n  SHA-256 {}\n`cairn init` printed it when the site was made. Trust it?",
        authority.digest()
    );
    cx.confirm(&question, "--ca-sha256 DIGEST, or --ca-file FILE")?;
    Ok(authority.pem())
}

/// Hexadecimal, in any case, with and without colons.
fn fingerprint(text: &str) -> Result<cairn_contract::Digest, Failure> {
    let text = text.trim().to_ascii_lowercase();
    let plain: String =
        text.trim_start_matches("sha256:").chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    plain.parse().map_err(|_| Failure::usage("--ca-sha256 is no SHA-256", "It has 64 hexadecimal digits."))
}

async fn password(cx: &mut Context, client: &Client, args: &Login) -> Result<Value, Failure> {
    let user = match &args.user {
        Some(user) => user.clone(),
        None => cx.ask("User:")?,
    };
    let from_stdin = if args.password_stdin { FromStdin::Yes } else { FromStdin::No };
    let password = match (&args.code, from_stdin) {
        (Some(_), FromStdin::No) => new_password(cx)?,
        _ => cx.password(&format!("Password of {user}"), from_stdin)?,
    };
    let mut body = json!({ "user": user, "password": password.reveal() });
    if let Some(code) = &args.code {
        body["code"] = code.as_str().into();
    }
    Ok(client.post("/api/v1/login", Some(&body)).await?)
}

/// Asked twice.
pub(crate) fn new_password(cx: &mut Context) -> Result<Secret, Failure> {
    let first = cx.password("New password", FromStdin::No)?;
    let again = cx.password("The same again", FromStdin::No)?;
    if first == again {
        Ok(first)
    } else {
        Err(Failure::new("the two passwords differ; nothing was changed", "Try again."))
    }
}

async fn device(cx: &mut Context, client: &Client) -> Result<Value, Failure> {
    let begun: Value = client.post("/api/v1/login/device", None::<&()>).await?;
    let said = |pointer| cairn_domain::fact::plain(text(&begun, pointer), 300);
    cx.say(&format!("Open {} and enter the code {}", said("/verificationUri"), said("/userCode")));
    if !said("/verificationUriComplete").is_empty() {
        cx.say(&format!("Or open {}", said("/verificationUriComplete")));
    }
    let mut interval = seconds(&begun);
    let path = format!("/api/v1/login/device/{}", crate::target::escape(text(&begun, "/handle")));
    let polling = async {
        loop {
            tokio::time::sleep(Duration::from_secs(interval)).await;
            let answer: Value = client.post(&path, None::<&()>).await?;
            if !text(&answer, "/token").is_empty() {
                return Ok(answer);
            }
            interval = seconds(&answer).max(interval);
        }
    };
    let late =
        |_| Failure::new("nobody finished the login in the browser", "Try again: cairn login URL --device");
    tokio::time::timeout(PATIENCE, polling).await.map_err(late)?
}

fn seconds(answer: &Value) -> u64 {
    answer.get("interval").and_then(Value::as_u64).unwrap_or(5).clamp(*POLL.start(), *POLL.end())
}

fn path(cx: &Context) -> Result<std::path::PathBuf, Failure> {
    let path = cx.environment.config.clone();
    path.ok_or_else(|| Failure::new("there is no place for config.yaml", "Name one: CAIRN_CONFIG=FILE"))
}

fn load(cx: &Context) -> Result<Config, Failure> {
    Ok(Config::load(&path(cx)?)?)
}

fn save(cx: &Context, config: &Config) -> Result<(), Failure> {
    Ok(config.save(&path(cx)?)?)
}

/// `cairn logout`
pub(crate) async fn logout(cx: &mut Context) -> Result<(), Failure> {
    let mut config = load(cx)?;
    let name = cx.globals.context.clone().or_else(|| config.current.clone());
    let Some(name) = name else {
        return Err(Failure::new("there is no current context", "Log in: cairn login URL"));
    };
    let saved = config.find_mut(&name).ok_or_else(|| no_context(&name))?;
    let token = saved.token.take();
    saved.expires.clear();
    let connection = Connection {
        url: saved.url.clone(),
        ca: saved.ca.clone(),
        server_name: saved.server_name.clone(),
        token,
    };
    let ended = match connection.token {
        Some(_) => Client::new(connection)?.delete("/api/v1/session").await.map(drop),
        None => Ok(()),
    };
    save(cx, &config)?;
    match ended {
        Ok(()) => cx.line(&format!("Logged out of {name}.")),
        // A session that is over already is what was wanted.
        Err(crate::CallError::Refused(problem)) if problem.status == 401 => {
            cx.line(&format!("Logged out of {name}."))
        }
        Err(error) => {
            cx.say("The token is forgotten here; the server could not be told, so that it stays valid until it expires.");
            Err(error.into())
        }
    }
}

/// `cairn whoami`
pub(crate) async fn whoami(cx: &mut Context) -> Result<(), Failure> {
    let chosen = cx.chosen()?;
    let session = cx.session()?;
    let answer: Value = session.client.get("/api/v1/whoami").await?;
    if cx.value(&answer)? {
        return Ok(());
    }
    let said = |pointer| cairn_domain::fact::plain(text(&answer, pointer), 200);
    let words = cx.words();
    let kind = said("/kind").to_ascii_lowercase();
    cx.line(&format!("{} {} at {}", kind, words.paint(&said("/name"), Tone::Good), session.client.url()))?;
    if let Some(context) = &chosen.context {
        cx.line(&format!("  {:<12} {context}", "context"))?;
    }
    if !chosen.namespace.is_empty() {
        cx.line(&format!("  {:<12} {}", "namespace", chosen.namespace))?;
    }
    let groups =
        answer.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let groups = groups.collect::<Vec<_>>().join(", ");
    if !groups.is_empty() {
        cx.line(&format!("  {:<12} {}", "groups", cairn_domain::fact::plain(&groups, 400)))?;
    }
    let bindings = answer.get("bindings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if bindings.is_empty() {
        return cx.line("  no role anywhere: ask an administrator for a role binding");
    }
    for binding in bindings {
        let line = format!("  {:<12} {} at {}", "role", text(binding, "/role"), place(binding.get("at")));
        cx.line(&cairn_domain::fact::plain(&line, 400))?;
    }
    Ok(())
}

/// A binding without a place.
const EVERYWHERE: &str = "the whole appliance";

/// Where a binding is.
fn place(at: Option<&Value>) -> String {
    match at {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Object(at)) => {
            let word = |name: &str| at.get(name).and_then(Value::as_str).unwrap_or_default();
            let all =
                [word("kind").to_ascii_lowercase(), word("name").to_owned(), word("namespace").to_owned()];
            let all: Vec<String> = all.into_iter().filter(|w| !w.is_empty()).collect();
            if all.is_empty() { EVERYWHERE.to_owned() } else { all.join(" ") }
        }
        _ => EVERYWHERE.to_owned(),
    }
}

/// `cairn context ...`
pub(crate) fn context(cx: &mut Context, command: &ContextCommand) -> Result<(), Failure> {
    let mut config = load(cx)?;
    match command {
        ContextCommand::Ls => list(cx, &config),
        ContextCommand::Use { name } => {
            let saved = config.find(name).ok_or_else(|| no_context(name))?;
            let line = format!("Now in context {name}: {}", saved.url);
            config.current = Some(name.clone());
            save(cx, &config)?;
            cx.line(&line)
        }
        ContextCommand::Rm { name } => {
            config.find(name).ok_or_else(|| no_context(name))?;
            config.contexts.retain(|c| c.name != *name);
            config.current = config.current.filter(|c| c != name);
            save(cx, &config)?;
            cx.line(&format!(
                "Forgot context {name}. To end its session too, log out first: cairn logout --context NAME"
            ))
        }
        ContextCommand::SetNamespace { namespace } => {
            let parsed: Result<cairn_domain::model::Namespace, _> = namespace.parse();
            parsed.map_err(|e| Failure::usage(e.to_string(), "Or \"\" for all"))?;
            let name = cx.globals.context.clone().or_else(|| config.current.clone());
            let Some(name) = name else {
                return Err(Failure::new("there is no current context", "Log in: cairn login URL"));
            };
            let saved = config.find_mut(&name).ok_or_else(|| no_context(&name))?;
            saved.namespace.clone_from(namespace);
            save(cx, &config)?;
            let shown = if namespace.is_empty() { "all namespaces" } else { namespace };
            cx.line(&format!("Context {name} now works in {shown}."))
        }
    }
}

fn list(cx: &mut Context, config: &Config) -> Result<(), Failure> {
    let current = |c: &Saved| config.current.as_ref() == Some(&c.name);
    let facts = |c: &Saved| {
        json!({ "name": c.name, "current": current(c), "url": c.url, "user": c.user, "namespace": c.namespace,
            "expires": c.expires, "loggedIn": c.token.is_some() })
    };
    if cx.value(&json!({ "items": config.contexts.iter().map(facts).collect::<Vec<_>>() }))? {
        return Ok(());
    }
    if config.contexts.is_empty() {
        return cx.line("No contexts yet. Make one: cairn login https://ADDRESS");
    }
    let words = cx.words();
    let row = |c: &Saved| {
        let state = match (&c.token, words.is_past(&c.expires)) {
            (None, _) => "logged out".to_owned(),
            (Some(_), true) => "expired".to_owned(),
            (Some(_), false) => words.age_of(&c.expires),
        };
        let mark = if current(c) { "*" } else { "" };
        vec![cell(mark), cell(&c.name), cell(&c.url), cell(&c.user), cell(&c.namespace), cell(state)]
    };
    let rows: Vec<_> = config.contexts.iter().map(row).collect();
    cx.line(&table::grid(&words, &["", "NAME", "URL", "USER", "NAMESPACE", "SESSION ENDS"], &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_copy_them() {
        let digest = cairn_contract::Digest::of(b"x");
        let hex = digest.to_string();
        let upper = hex.to_ascii_uppercase();
        let pairs: Vec<&str> = upper.as_bytes().chunks(2).map(|c| std::str::from_utf8(c).unwrap()).collect();
        for text in [hex.clone(), format!(" {}\n", pairs.join(":")), format!("SHA256:{hex}")] {
            assert_eq!(fingerprint(&text).unwrap(), digest, "{text}");
        }
        assert_eq!(fingerprint("ab").unwrap_err().code, 2);
    }

    #[test]
    fn an_address_names_its_context() {
        assert_eq!(address("10.0.0.1"), "https://10.0.0.1");
        assert_eq!(address("http://x/"), "http://x");
        let mut config = Config::default();
        assert_eq!(context_name("https://10.0.0.1:8443", &config), "10.0.0.1");
        assert_eq!(context_name("https://[::1]:8443", &config), "::1");
        config.put(Saved {
            name: "10.0.0.1".into(),
            url: "https://10.0.0.1".into(),
            ca: String::new(),
            server_name: None,
            namespace: String::new(),
            user: String::new(),
            expires: String::new(),
            token: None,
        });
        assert_eq!(context_name("https://10.0.0.1:8443", &config), "10.0.0.1:8443");
        assert_eq!(context_name("https://10.0.0.1", &config), "10.0.0.1");
        let at = |value: Value| place(Some(&value));
        assert_eq!((at(json!("retail.acme")), at(json!({}))), ("retail.acme".into(), EVERYWHERE.to_owned()));
        assert_eq!(
            at(json!({"kind": "Site", "name": "north", "namespace": "retail.acme"})),
            "site north retail.acme"
        );
    }
}
