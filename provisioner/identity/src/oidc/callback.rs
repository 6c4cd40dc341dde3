//! What a browser brings back from the issuer: the query of the redirect address. Foreign bytes.

use openidconnect::url::form_urlencoded;

use super::tokens::shortened;
use crate::secret::Secret;

const LONGEST_QUERY: usize = 8192;
const MOST_FIELDS: usize = 32;

/// A callback's query, read but not believed.
#[derive(Debug, Clone)]
pub struct Callback {
    pub(super) state: Secret,
    pub(super) answer: Answer,
    /// Who says so (RFC 9207).
    pub(super) issuer: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Code(Secret),
    Refused { code: String, description: Option<String> },
}

/// Why a query is no callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Too much.
    #[error("the answer of the login is too long")]
    Long,
    /// A field is there twice.
    #[error("the answer of the login has a field twice")]
    Twice,
    /// A field is missing.
    #[error("the answer of the login has no {0}")]
    Missing(&'static str),
}

impl Callback {
    /// Reads the query of the redirect address, without the `?`.
    ///
    /// # Errors
    /// When it is too long, has a field twice, or has neither code nor error.
    pub fn parse(query: &str) -> Result<Self, CallbackError> {
        if query.len() > LONGEST_QUERY {
            return Err(CallbackError::Long);
        }
        let fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).take(MOST_FIELDS + 1).collect();
        if fields.len() > MOST_FIELDS {
            return Err(CallbackError::Long);
        }
        let get = |name: &str| {
            let mut values = fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_ref());
            let first = values.next();
            if values.next().is_some() { Err(CallbackError::Twice) } else { Ok(first) }
        };
        let state = get("state")?.ok_or(CallbackError::Missing("state"))?;
        let answer = match (get("code")?, get("error")?) {
            (_, Some(error)) => Answer::Refused {
                code: shortened(error),
                description: get("error_description")?.map(shortened),
            },
            (Some(code), None) => Answer::Code(Secret::from(code)),
            (None, None) => return Err(CallbackError::Missing("code")),
        };
        Ok(Self { state: Secret::from(state), answer, issuer: get("iss")?.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(query: &str) -> Option<CallbackError> {
        Callback::parse(query).err()
    }

    #[test]
    fn a_code_or_an_error_is_read() {
        let callback =
            Callback::parse("code=a%2Fb&state=s+1&iss=https%3A%2F%2Fa.test&session_state=x").unwrap();
        assert!(matches!(&callback.answer, Answer::Code(code) if code.expose() == "a/b"));
        assert_eq!((callback.state.expose(), callback.issuer.as_deref()), ("s 1", Some("https://a.test")));
        let refused =
            Callback::parse("error=access_denied&error_description=no%0Away&state=s&code=x").unwrap();
        assert!(matches!(refused.answer, Answer::Refused { code, description }
            if code == "access_denied" && description.as_deref() == Some("noway")));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        assert_eq!(said("code=a"), Some(CallbackError::Missing("state")));
        assert_eq!(said("state=a"), Some(CallbackError::Missing("code")));
        assert_eq!(said("state=a&code=b&code=c"), Some(CallbackError::Twice));
        assert_eq!(said("state=a&code=b&state=a"), Some(CallbackError::Twice));
        assert_eq!(said(&"a=b&".repeat(33)), Some(CallbackError::Long));
        assert_eq!(said(&"a".repeat(9000)), Some(CallbackError::Long));
        assert_eq!(said(""), Some(CallbackError::Missing("state")));
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query: String, tail in "(state|code|iss|error|[&=%a-f0-9])*") {
            let _ = (Callback::parse(&query), Callback::parse(&tail));
        }
    }
}
