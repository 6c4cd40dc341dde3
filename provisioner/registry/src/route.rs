//! The paths below `/v2/` (distribution-spec, "Endpoints"). A repository's name has slashes itself, so paths are read
//! from their end.

use cairn_contract::Digest;
use http::StatusCode;

use crate::{
    NameError, Reference, RepositoryName,
    name::ReferenceError,
    parse_digest,
    query::decoded,
    refusal::{Code, Refusal},
};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// Something in a repository.
    Within(RepositoryName, Place),
}

/// What is in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Blob(Digest),
    Uploads,
    Upload(String),
    Manifest(Reference),
    Tags,
    Referrers(Digest),
}

impl Route {
    /// Reads a path; what is none of these is absent.
    pub(crate) fn of(path: &str) -> Result<Self, Refusal> {
        let path = path.strip_prefix("/v2").ok_or_else(nowhere)?;
        let path = decoded(path).ok_or_else(nowhere)?;
        match path.strip_prefix('/') {
            None if path.is_empty() => Ok(Self::Base),
            None => Err(nowhere()),
            Some("") => Ok(Self::Base),
            Some("_catalog") => Ok(Self::Catalog),
            Some(rest) => within(rest),
        }
    }
}

fn within(rest: &str) -> Result<Route, Refusal> {
    let segments: Vec<&str> = rest.split('/').collect();
    let (name, place) = match segments.as_slice() {
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => (name, Place::Uploads),
        [name @ .., "blobs", "uploads", id] => (name, Place::Upload((*id).to_owned())),
        [name @ .., "tags", "list"] => (name, Place::Tags),
        [name @ .., "blobs", digest] => (name, Place::Blob(parse_digest(digest)?)),
        [name @ .., "manifests", reference] => (name, Place::Manifest(reference_of(reference)?)),
        [name @ .., "referrers", digest] => (name, Place::Referrers(parse_digest(digest)?)),
        _ => return Err(nowhere()),
    };
    if name.is_empty() {
        return Err(NameError::Repository.into());
    }
    Ok(Route::Within(name.join("/").parse::<RepositoryName>()?, place))
}

/// A tag that cannot exist does not.
fn reference_of(text: &str) -> Result<Reference, Refusal> {
    Reference::parse(text).map_err(|error| match error {
        ReferenceError::Tag(error) => Refusal::absent(Code::ManifestUnknown, error.to_string()),
        ReferenceError::Digest(error) => error.into(),
    })
}

fn nowhere() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::Unsupported, "the registry has nothing at this path")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(path: &str) -> Option<(String, Place)> {
        match Route::of(path) {
            Ok(Route::Within(name, place)) => Some((name.to_string(), place)),
            _ => None,
        }
    }

    #[test]
    fn paths_are_read_from_their_end() {
        let digest = Digest::of(b"x");
        assert_eq!(Route::of("/v2/").unwrap(), Route::Base);
        assert_eq!(Route::of("/v2").unwrap(), Route::Base);
        assert_eq!(Route::of("/v2/_catalog").unwrap(), Route::Catalog);
        let at = |name: &str, place| Some((name.to_owned(), place));
        assert_eq!(place("/v2/a/b/tags/list"), at("a/b", Place::Tags));
        assert_eq!(place("/v2/tags/list/tags/list"), at("tags/list", Place::Tags));
        assert_eq!(place("/v2/a/blobs/uploads/"), at("a", Place::Uploads));
        assert_eq!(place("/v2/a/blobs/uploads"), at("a", Place::Uploads));
        assert_eq!(place("/v2/a/blobs/uploads/1f"), at("a", Place::Upload("1f".into())));
        assert_eq!(place(&format!("/v2/a/blobs/sha256%3A{digest}")), at("a", Place::Blob(digest)));
        assert_eq!(place(&format!("/v2/a/b/referrers/sha256:{digest}")), at("a/b", Place::Referrers(digest)));
        let tag = Reference::Tag("v1".parse().unwrap());
        assert_eq!(place("/v2/a/manifests/v1"), at("a", Place::Manifest(tag)));
    }

    #[test]
    fn nothing_leads_out_of_a_repository() {
        for bad in [
            "/v2/../x/tags/list",
            "/v2/a/%2e%2e/tags/list",
            "/v2/a/_blobs/tags/list",
            "/v2//tags/list",
            "/v2/tags/list",
            "/v2/a/blobs/sha256:..%2f..",
            "/v2/a/manifests/..",
            "/v2x/",
            "/v3/",
            "/v2/a",
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "/v2/[a-z/_%0-9:.]{0,60}|\\PC{0,40}") {
            let _ = Route::of(&path);
        }
    }
}
