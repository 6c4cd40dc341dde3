//! What a client must know: where, whom to trust, who it is.

use crate::{ClientFile, secret::Secret};

/// One server and one identity.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// `https://ADDRESS[:PORT]`
    pub(crate) url: String,
    /// The only certificate authorities that are trusted, PEM.
    pub(crate) ca: String,
    /// Name in the server's certificate; absent: the url's host, then Cairn's own name.
    pub(crate) server_name: Option<String>,
    /// Absent before login.
    pub(crate) token: Option<Secret>,
}

impl From<ClientFile> for Connection {
    fn from(file: ClientFile) -> Self {
        Self {
            url: file.url.clone(),
            ca: file.ca.clone(),
            server_name: Some(file.server_name.clone()),
            token: Some(Secret::new(file.token.clone())),
        }
    }
}
