//! What a process's environment says; read once, so that tests have none.

use std::path::PathBuf;

use crate::secret::Secret;

/// The variables that the commands read.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `CAIRN_CONFIG`, else `~/.config/cairn/config.yaml`.
    pub(crate) config: Option<PathBuf>,
    /// `CAIRN_URL`
    pub(crate) url: Option<String>,
    /// `CAIRN_TOKEN`
    pub(crate) token: Option<Secret>,
    /// `CAIRN_CA_FILE`
    pub(crate) ca_file: Option<PathBuf>,
    /// `CAIRN_NAMESPACE`
    pub(crate) namespace: Option<String>,
    /// `VISUAL`, else `EDITOR`.
    pub(crate) editor: Option<String>,
}

impl Environment {
    /// Of this process; empty variables count as absent.
    pub fn of_process() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let home = || {
            let base = var("XDG_CONFIG_HOME").map(PathBuf::from);
            base.or_else(|| Some(PathBuf::from(var("HOME")?).join(".config")))
        };
        Self {
            config: var("CAIRN_CONFIG")
                .map(PathBuf::from)
                .or_else(|| Some(home()?.join("cairn/config.yaml"))),
            url: var("CAIRN_URL"),
            token: var("CAIRN_TOKEN").map(Secret::new),
            ca_file: var("CAIRN_CA_FILE").map(PathBuf::from),
            namespace: var("CAIRN_NAMESPACE"),
            editor: var("VISUAL").or_else(|| var("EDITOR")),
        }
    }

    /// One with nothing but a configuration file.
    pub fn with_config(path: impl Into<PathBuf>) -> Self {
        Self { config: Some(path.into()), ..Self::default() }
    }

    /// With an editor.
    #[must_use]
    pub fn with_editor(mut self, editor: impl Into<String>) -> Self {
        self.editor = Some(editor.into());
        self
    }

    /// With a server, its CA and a token.
    #[must_use]
    pub fn with_server(mut self, url: impl Into<String>, ca_file: impl Into<PathBuf>, token: &str) -> Self {
        self.url = Some(url.into());
        self.ca_file = Some(ca_file.into());
        self.token = Some(Secret::new(token));
        self
    }
}
