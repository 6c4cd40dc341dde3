//! `key=value` and `key-`: what `label` and `annotate` are told, as a merge patch.

use serde_json::{Map, Value};

use crate::exit::Failure;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pair {
    /// `key=value`
    Set(String, String),
    /// `key-`
    Remove(String),
}

impl Pair {
    /// Reads one word.
    pub(crate) fn parse(word: &str) -> Result<Self, Failure> {
        let wrong = || {
            let shown = cairn_domain::fact::plain(word, 100);
            Failure::usage(
                format!("{shown} is neither KEY=VALUE nor KEY-"),
                "Such as: cairn label host till-7 role=pos old-",
            )
        };
        let pair = match (word.split_once('='), word.strip_suffix('-')) {
            (Some((key, value)), _) => Self::Set(key.to_owned(), value.to_owned()),
            (None, Some(key)) => Self::Remove(key.to_owned()),
            (None, None) => return Err(wrong()),
        };
        if pair.key().is_empty() { Err(wrong()) } else { Ok(pair) }
    }

    fn key(&self) -> &str {
        match self {
            Self::Set(key, _) | Self::Remove(key) => key,
        }
    }

    /// Splits `KIND NAME k=v` into what names and what changes.
    pub(crate) fn split(words: &[String]) -> Result<(&[String], Vec<Self>), Failure> {
        let is_pair = |w: &String| w.contains('=') || w.ends_with('-');
        let begin = words.iter().position(is_pair).unwrap_or(words.len());
        let (names, rest) = words.split_at(begin);
        Ok((names, rest.iter().map(|w| Self::parse(w)).collect::<Result<_, _>>()?))
    }
}

/// The merge patch (RFC 7396) of `metadata.labels` or `metadata.annotations`.
pub(crate) fn patch(member: &str, pairs: &[Pair], resource_version: &str) -> Value {
    let each = pairs.iter().map(|pair| match pair {
        Pair::Set(key, value) => (key.clone(), Value::from(value.clone())),
        Pair::Remove(key) => (key.clone(), Value::Null),
    });
    let mut metadata = Map::new();
    metadata.insert(member.to_owned(), Value::Object(each.collect()));
    if !resource_version.is_empty() {
        metadata.insert("resourceVersion".into(), resource_version.into());
    }
    serde_json::json!({ "metadata": metadata })
}

/// The first key that has another value already.
pub(crate) fn taken<'a>(pairs: &'a [Pair], present: Option<&Value>) -> Option<(&'a str, String)> {
    pairs.iter().find_map(|pair| match pair {
        Pair::Set(key, value) => {
            let old = present?.get(key)?.as_str()?;
            (old != value).then(|| (key.as_str(), old.to_owned()))
        }
        Pair::Remove(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pairs_become_a_merge_patch() {
        let words: Vec<String> = ["host", "a", "role=pos", "x=", "old-"].map(str::to_owned).into();
        let (names, pairs) = Pair::split(&words).unwrap();
        assert_eq!(names, ["host", "a"]);
        let want =
            json!({"metadata": {"labels": {"role": "pos", "x": "", "old": null}, "resourceVersion": "7"}});
        assert_eq!(patch("labels", &pairs, "7"), want);
        for bad in ["=x", "-", "word"] {
            assert!(Pair::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_is_not_replaced_by_accident() {
        let pairs =
            [Pair::Set("a".into(), "1".into()), Pair::Set("b".into(), "2".into()), Pair::Remove("c".into())];
        assert_eq!(taken(&pairs, Some(&json!({"a": "1", "b": "3", "c": "4"}))), Some(("b", "3".to_owned())));
        assert_eq!(taken(&pairs, Some(&json!({"a": "1"}))), None);
        assert_eq!(taken(&pairs, None), None);
    }
}
