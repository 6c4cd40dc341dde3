//! Which resources a command line means: `hosts`, `host till-7`, `host/till-7 site/main`, `-n`, and their addresses.

use cairn_domain::model::{Kind, Level};
use serde_json::Value;

use crate::{CallError, client::Client, exit::Failure};

/// One resource that a person named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    /// Bare name, full name or uid.
    pub(crate) name: String,
}

/// The kinds of one word: `hosts`, `site,hosts`.
pub(crate) fn kinds(word: &str) -> Result<Vec<Kind>, Failure> {
    word.split(',').map(kind).collect()
}

/// One kind, by name, plural or short name.
pub(crate) fn kind(word: &str) -> Result<Kind, Failure> {
    word.parse().map_err(|_| {
        let shown = cairn_domain::fact::plain(word, 60);
        let next = match nearest(word) {
            Some(kind) => format!("Did you mean {}? All kinds: cairn api-resources", kind.plural()),
            None => "Write the kind first, such as host till-7. All kinds: cairn api-resources".to_owned(),
        };
        Failure::usage(format!("there is no kind {shown}"), next)
    })
}

/// `KIND NAME...` or `KIND/NAME...`: at least one.
pub(crate) fn targets(words: &[String]) -> Result<Vec<Target>, Failure> {
    let missing = || {
        Failure::usage("the command does not say which", "Write KIND NAME or KIND/NAME, such as: host till-7")
    };
    let (first, rest) = words.split_first().ok_or_else(missing)?;
    if first.contains('/') {
        return words.iter().map(|w| slashed(w)).collect();
    }
    let kind = kind(first)?;
    if rest.is_empty() {
        return Err(missing());
    }
    Ok(rest.iter().map(|name| Target { kind, name: name.clone() }).collect())
}

/// As [`targets`], where a name alone means a host; other kinds are refused.
pub(crate) fn hosts(words: &[String]) -> Result<Vec<Target>, Failure> {
    let all = match words {
        [name] if !name.contains('/') => vec![Target { kind: Kind::Host, name: name.clone() }],
        words => targets(words)?,
    };
    match all.iter().find(|t| t.kind != Kind::Host) {
        Some(other) => Err(Failure::usage(
            format!("this is for hosts, and {} is no host", other.kind.name()),
            "Write: host NAME",
        )),
        None => Ok(all),
    }
}

fn slashed(word: &str) -> Result<Target, Failure> {
    let Some((kind_word, name)) = word.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        let shown = cairn_domain::fact::plain(word, 60);
        return Err(Failure::usage(
            format!("{shown} is not KIND/NAME"),
            "Write all as KIND/NAME, or: KIND NAME NAME",
        ));
    };
    Ok(Target { kind: kind(kind_word)?, name: name.to_owned() })
}

/// The kind whose name is nearest, when one is near.
fn nearest(word: &str) -> Option<Kind> {
    let known: Vec<&str> = Kind::ALL.iter().flat_map(|k| [k.plural(), k.name()]).collect();
    cairn_domain::nearest::nearest(word, &known)?.parse().ok()
}

/// Path of a kind's list.
pub(crate) fn list_path(kind: Kind) -> String {
    format!("/api/v1/{}", kind.plural())
}

/// Path of one resource by its key.
pub(crate) fn path(kind: Kind, key: &str) -> String {
    format!("/api/v1/{}/{}", kind.plural(), escape(key))
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
pub(crate) fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let each = text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") });
    each.collect()
}

/// A path with a query of those parameters that have a value.
pub(crate) fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let pairs = parameters.iter().filter_map(|(k, v)| Some(format!("{k}={}", escape((*v)?))));
    let query = pairs.collect::<Vec<_>>().join("&");
    match (query.is_empty(), path.contains('?')) {
        (true, _) => path.to_owned(),
        (false, true) => format!("{path}&{query}"),
        (false, false) => format!("{path}?{query}"),
    }
}

impl Target {
    /// Reads it. In a namespace, a bare name means what is there or, failing that, the only one of that name below it; of
    /// kinds that live at any level, also the only one above it.
    pub(crate) async fn get(&self, client: &Client, namespace: Option<&str>) -> Result<Value, Failure> {
        let bare = path(self.kind, &self.name);
        let Some(namespace) = self.home(namespace) else { return Ok(client.get(&bare).await?) };
        let full = path(self.kind, &format!("{}.{namespace}", self.name));
        let first = match client.get(&full).await {
            Err(CallError::Refused(problem)) if problem.status == 404 && self.roams(namespace) => problem,
            other => return Ok(other?),
        };
        let above = |found: &Value| self.kind.level() == Level::Any && is_within(namespace, text(found, IN));
        match client.get::<Value>(&bare).await {
            Ok(found) if is_within(text(&found, IN), namespace) || above(&found) => Ok(found),
            Err(CallError::Refused(problem)) if problem.status != 404 => {
                Err(CallError::Refused(problem).into())
            }
            Ok(_) | Err(_) => Err(CallError::Refused(first).into()),
        }
    }

    /// What names it in a path of the API, whatever namespace is current.
    pub(crate) async fn key(&self, client: &Client, namespace: Option<&str>) -> Result<String, Failure> {
        match self.home(namespace) {
            None => Ok(self.name.clone()),
            Some(home) if !self.roams(home) => Ok(format!("{}.{home}", self.name)),
            Some(_) => Ok(full_name(&self.get(client, namespace).await?)),
        }
    }

    /// The namespace that its bare name is of; `None` when the name says all.
    fn home<'a>(&self, namespace: Option<&'a str>) -> Option<&'a str> {
        let namespace = namespace.filter(|n| !n.is_empty() && self.is_bare())?;
        match self.kind.level() {
            Level::Organisation => namespace.rsplit('.').next(),
            Level::Appliance | Level::Project | Level::Any => Some(namespace),
        }
    }

    /// Whether it may also lie elsewhere than right in that namespace.
    fn roams(&self, namespace: &str) -> bool {
        match self.kind.level() {
            Level::Appliance | Level::Organisation => false,
            Level::Project => !namespace.contains('.'),
            Level::Any => true,
        }
    }

    /// Whether a namespace is to be added.
    fn is_bare(&self) -> bool {
        self.kind.level() != Level::Appliance
            && !self.name.contains('.')
            && uuid::Uuid::try_parse(&self.name).is_err()
    }
}

/// Where a resource says that it lives.
const IN: &str = "/metadata/namespace";

/// Whether `namespace` is `outer` or lies in it.
fn is_within(namespace: &str, outer: &str) -> bool {
    outer.is_empty()
        || namespace == outer
        || namespace.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'))
}

/// Text at a JSON pointer, or "".
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// `NAME.NAMESPACE`.
pub(crate) fn full_name(object: &Value) -> String {
    match (text(object, "/metadata/name"), text(object, "/metadata/namespace")) {
        (name, "") => name.to_owned(),
        (name, namespace) => format!("{name}.{namespace}"),
    }
}

/// `host/till-7.retail.acme`.
pub(crate) fn kind_and_name(object: &Value) -> String {
    format!("{}/{}", text(object, "/kind").to_ascii_lowercase(), full_name(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn kinds_and_names_are_read_as_kubectl_reads_them() {
        let target = |kind, name: &str| Target { kind, name: name.into() };
        assert_eq!(kinds("HOSTS,si,Policy").unwrap(), [Kind::Host, Kind::Site, Kind::Policy]);
        assert_eq!(
            targets(&words("host a b.c")).unwrap(),
            [target(Kind::Host, "a"), target(Kind::Host, "b.c")]
        );
        assert_eq!(
            targets(&words("host/a site/main")).unwrap(),
            [target(Kind::Host, "a"), target(Kind::Site, "main")]
        );
        assert_eq!(hosts(&words("till-7")).unwrap(), [target(Kind::Host, "till-7")]);
        for bad in ["", "host", "nothing x", "host/ a", "host/a b"] {
            assert_eq!(targets(&words(bad)).unwrap_err().code, 2, "{bad}");
        }
        assert!(hosts(&words("site main")).is_err());
    }

    #[test]
    fn a_kind_that_is_misspelt_is_guessed() {
        for (word, want) in [("hots", "hosts"), ("organization", "organisations"), ("polices", "policies")] {
            assert!(kind(word).unwrap_err().next.contains(&format!("Did you mean {want}?")), "{word}");
        }
        assert!(!kind("zebra").unwrap_err().next.contains("Did you mean"));
    }

    #[test]
    fn a_name_stays_one_part_of_the_path() {
        assert_eq!(path(Kind::Host, "web-1"), "/api/v1/hosts/web-1");
        assert_eq!(path(Kind::Host, "../x?y"), "/api/v1/hosts/..%2Fx%3Fy");
        assert_eq!(with_query("/a", &[("x", None), ("y", Some("a=b,c"))]), "/a?y=a%3Db%2Cc");
        assert_eq!(with_query("/a", &[("x", None)]), "/a");
    }

    #[test]
    fn a_bare_name_is_of_the_namespace_where_its_kind_lives() {
        let of = |kind, name: &str| Target { kind, name: name.into() };
        let home = |kind, name: &str| of(kind, name).home(Some("retail.acme")).map(str::to_owned);
        assert_eq!(home(Kind::Host, "a"), Some("retail.acme".to_owned()));
        assert_eq!(home(Kind::Project, "retail"), Some("acme".to_owned()));
        assert_eq!(
            (home(Kind::User, "a"), home(Kind::Host, "a.b.c"), of(Kind::Host, "a").home(Some(""))),
            (None, None, None)
        );
        assert!(of(Kind::Host, "a").roams("acme") && !of(Kind::Host, "a").roams("retail.acme"));
        assert!(of(Kind::Policy, "a").roams("retail.acme"));
    }

    #[test]
    fn a_namespace_holds_what_is_below_it() {
        assert!(is_within("retail.acme", "acme") && is_within("acme", "acme"));
        assert!(is_within("acme", "") && is_within("", ""));
        assert!(!is_within("xacme", "acme") && !is_within("acme", "retail.acme") && !is_within("", "acme"));
    }
}
