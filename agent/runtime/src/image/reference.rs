//! `[registry/]name[:tag][@sha256:…]`, by the grammar of the distribution specification.

use std::fmt;
use std::str::FromStr;

use cairn_contract::Digest;

/// Why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no image reference: [registry/]name[:tag] or [registry/]name@sha256:<64 hex digits>")]
pub struct ReferenceError(String);

/// Which image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// `host[:port]`; absent: the appliance's own.
    pub registry: Option<String>,
    /// `shop/web`.
    pub repository: String,
    /// Absent with a digest, or `latest`.
    pub tag: Option<String>,
    /// Exactly these bytes.
    pub digest: Option<Digest>,
}

impl Reference {
    /// What stands in the path of a request for the manifest: the digest if there is one.
    #[must_use]
    pub fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = self.registry.as_deref().unwrap_or("cairn.local");
        write!(f, "{registry}/{}", self.repository)?;
        match (&self.tag, &self.digest) {
            (_, Some(digest)) => write!(f, "@sha256:{digest}"),
            (tag, None) => write!(f, ":{}", tag.as_deref().unwrap_or("latest")),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).ok_or_else(|| ReferenceError(text.chars().take(300).collect()))
    }
}

fn parse(text: &str) -> Option<Reference> {
    if text.len() > 400 {
        return None;
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.strip_prefix("sha256:")?.parse().ok()?)),
        None => (text, None),
    };
    // The first part is a registry if it could be no repository.
    let (registry, rest) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    };
    let (repository, tag) = match rest.rsplit_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (rest, None),
    };
    let good = registry.is_none_or(is_registry) && is_repository(repository) && tag.is_none_or(is_tag);
    good.then(|| Reference {
        registry: registry.map(str::to_owned),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

fn is_registry(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    begins && !text.contains("..") && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
}

fn is_repository(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let component = |part: &str| {
        part.starts_with(legal)
            && part.ends_with(legal)
            && part.chars().all(|c| legal(c) || "._-".contains(c))
    };
    text.len() <= 255 && !text.contains("..") && text.split('/').all(component)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || ".-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_the_specification_says() {
        let hex = "ab".repeat(32);
        for (text, shown) in [
            ("web", "cairn.local/web:latest"),
            ("shop/web:1.2", "cairn.local/shop/web:1.2"),
            ("10.0.0.1:8443/shop/web:1.2", "10.0.0.1:8443/shop/web:1.2"),
            ("localhost/web", "localhost/web:latest"),
            (&format!("web:1@sha256:{hex}"), &format!("cairn.local/web@sha256:{hex}")),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), *shown);
        }
        for bad in
            ["", "Web", "../x", "a//b", "a/../b", "a:b:c", "a@sha256:12", "a:-x", "a b", "x/", "a@md5:0"]
        {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
