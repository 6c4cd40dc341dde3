//! Which thing a request path names. Slashes may be doubled; nothing is decoded, so what is not plain is not found.

use cairn_contract::Digest;
use cairn_netproto::bootfile::Name;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/boot/<name>`
    Named(Name),
    /// `/artifacts/sha256/<64 hexadecimal digits>`
    Artifact(Digest),
    /// Nothing.
    Unknown,
}

/// Reads a path as firmware writes it.
pub(super) fn route(path: &str) -> Route {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let found = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("boot"), Some(name), None, None) => Name::new(name).map(Route::Named),
        (Some("artifacts"), Some("sha256"), Some(digest), None) => digest.parse().ok().map(Route::Artifact),
        _ => None,
    };
    found.unwrap_or(Route::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubled_slashes_are_tolerated_and_other_paths_are_nothing() {
        let name = Route::Named(Name::new("installer.efi").unwrap());
        for path in ["/boot/installer.efi", "//boot//installer.efi", "/boot//installer.efi"] {
            assert_eq!(route(path), name, "{path}");
        }
        let hex = "ab".repeat(32);
        assert_eq!(route(&format!("/artifacts/sha256/{hex}")), Route::Artifact(hex.parse().unwrap()));
        for path in [
            "/",
            "",
            "/boot",
            "/boot/",
            "/boot/../etc/passwd",
            "/boot/a/b",
            "/boot/%2e%2e",
            "/artifacts/sha256/xyz",
        ] {
            assert_eq!(route(path), Route::Unknown, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_names_more_than_one_plain_file(path in ".*") {
            if let Route::Named(name) = route(&path) {
                prop_assert!(!name.as_str().contains(['/', '\\', '%']) && !name.as_str().starts_with('.'));
            }
        }
    }
}
