//! `${parameter}` in texts of packages. `$${` is a `${` that stays. Strict: a name that is no parameter is an error, never left
//! as it is, so that a slip shows before it is deployed.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

/// Why a text cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    /// No such parameter.
    #[error(
        "names the parameter {0:?}, which the package does not have; declare it, or write $${{ for a ${{ that stays"
    )]
    Unknown(String),
    /// `${` without its `}`.
    #[error("has a ${{ without its }}; write $${{ for a ${{ that stays")]
    Open,
}

/// Fills in `texts`; what they hold is not looked into again.
///
/// # Errors
/// The first name that is unknown.
pub fn substitute<'t>(
    text: &'t str,
    texts: &BTreeMap<String, String>,
) -> Result<Cow<'t, str>, SubstituteError> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(kept) = before.strip_suffix('$') {
            out.push_str(kept);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let (name, behind) = after.split_once('}').ok_or(SubstituteError::Open)?;
        let value =
            texts.get(name).ok_or_else(|| SubstituteError::Unknown(name.chars().take(80).collect()))?;
        out.push_str(value);
        rest = behind;
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The same in all texts of a value; keys stay.
pub(crate) fn substitute_all(
    value: &mut Value,
    texts: &BTreeMap<String, String>,
) -> Result<(), SubstituteError> {
    match value {
        Value::String(text) => {
            if let Cow::Owned(filled) = substitute(text, texts)? {
                *text = filled;
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| substitute_all(item, texts))?,
        Value::Object(fields) => fields.values_mut().try_for_each(|field| substitute_all(field, texts))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_filled_in_strictly() {
        let texts = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b.c".to_owned(), "${a}".to_owned())]);
        for (text, expected) in [
            ("plain $ {a}", Ok("plain $ {a}")),
            ("<${a}${b.c}>", Ok("<1${a}>")),
            ("$${a} $$${a}", Ok("${a} $${a}")),
            ("${x}", Err(SubstituteError::Unknown("x".to_owned()))),
            ("${HOME:-/}", Err(SubstituteError::Unknown("HOME:-/".to_owned()))),
            ("${a", Err(SubstituteError::Open)),
        ] {
            assert_eq!(substitute(text, &texts).map(Cow::into_owned), expected.map(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_filled_in_or_refused(text in "[a${}x]{0,40}") {
            let texts = BTreeMap::from([("a".to_owned(), String::new())]);
            let _ = substitute(&text, &texts);
        }

        #[test]
        fn what_is_escaped_comes_out_as_it_was(text: String) {
            let escaped = text.replace("${", "$${");
            let out = substitute(&escaped, &BTreeMap::new()).map(Cow::into_owned);
            prop_assert_eq!(out, Ok(text));
        }
    }
}
