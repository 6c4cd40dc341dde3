//! The one variable part of a path, decoded.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::problem::{Kind, Problem};

/// A uid or a name, as it was asked for.
#[derive(Debug)]
pub(crate) struct Key(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(key) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| unread())?;
        Ok(Self(key))
    }
}

fn unread() -> Problem {
    Problem::new(Kind::Malformed, "The path is not UTF-8.", "Write names as they are listed.")
}
