//! The few words of a kubeconfig that say where an API server is, whom to believe and who to be. Files that it names are read.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::ApiServerError;

/// Larger files are no kubeconfig.
const MOST: u64 = 1 << 20;

/// What of it counts. PEM; no Debug, for the key's sake.
pub(super) struct Kubeconfig {
    pub(super) server: String,
    pub(super) server_name: Option<String>,
    pub(super) authority: Vec<u8>,
    pub(super) certificate: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default, rename = "current-context")]
    current: String,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    tls_server_name: Option<String>,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    user: String,
}

/// Reads a file that may be missing yet.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ApiServerError> {
    let failed = |source| ApiServerError::File { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The current context; the first of each where none is named.
pub(super) fn parse(bytes: &[u8]) -> Result<Kubeconfig, ApiServerError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ApiServerError::Kubeconfig("it is not UTF-8"))?;
    let file: File = serde_saphyr::from_str(text).map_err(|e| ApiServerError::Yaml(Box::new(e)))?;
    let missing = |what| ApiServerError::Kubeconfig(what);
    let context = file.contexts.iter().find(|c| c.name == file.current).or(file.contexts.first());
    let context = &context.ok_or(missing("it has no context"))?.context;
    let cluster = file.clusters.into_iter().find(|c| c.name == context.cluster);
    let cluster = cluster.ok_or(missing("its context names no cluster"))?.cluster;
    let user = file.users.into_iter().find(|u| u.name == context.user);
    let user = user.ok_or(missing("its context names no user"))?.user;
    let of = |data: Option<String>, path: Option<String>, what| match (data, path) {
        (Some(data), _) => STANDARD.decode(data.trim()).map_err(|_| missing("its data is not base64")),
        (None, Some(path)) => read(Path::new(&path)),
        (None, None) => Err(missing(what)),
    };
    Ok(Kubeconfig {
        authority: of(cluster.certificate_authority_data, cluster.certificate_authority, "it has no CA")?,
        certificate: of(
            user.client_certificate_data,
            user.client_certificate,
            "it has no client certificate",
        )?,
        key: Zeroizing::new(of(user.client_key_data, user.client_key, "it has no client key")?),
        server: cluster.server,
        server_name: cluster.tls_server_name,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "apiVersion: v1\nkind: Config\ncurrent-context: b\nclusters:\n- name: one\n  cluster:\n    \
        server: https://10.0.0.1:6443\n    certificate-authority-data: Y2E=\n- name: two\n  cluster:\n    \
        server: https://127.0.0.1:7000\n    tls-server-name: kubernetes\n    certificate-authority-data: Y2I=\nusers:\n- \
        name: u\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\ncontexts:\n- name: a\n  \
        context: {cluster: one, user: u}\n- name: b\n  context: {cluster: two, user: u}\n";

    #[test]
    fn the_current_context_counts() {
        let read = parse(TEXT.as_bytes()).unwrap();
        assert_eq!(read.server, "https://127.0.0.1:7000");
        assert_eq!(read.server_name.as_deref(), Some("kubernetes"));
        assert_eq!((read.authority.as_slice(), read.certificate.as_slice()), (&b"cb"[..], &b"cert"[..]));
        assert_eq!(*read.key, b"key");
        let gone = TEXT.replace("current-context: b\n", "");
        assert_eq!(parse(gone.as_bytes()).unwrap().server, "https://10.0.0.1:6443");
    }

    #[test]
    fn what_lacks_a_part_says_which() {
        let without_key = TEXT.replace("    client-key-data: a2V5\n", "");
        assert!(parse(without_key.as_bytes()).err().unwrap().to_string().contains("no client key"));
        assert!(parse(b"{}").err().unwrap().to_string().contains("no context"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, cut in 0..TEXT.len()) {
            let _ = parse(&bytes);
            let _ = parse(&TEXT.as_bytes()[..cut]);
        }
    }
}
