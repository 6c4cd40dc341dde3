//! Chooses the connection of one command.

use std::path::Path;

use super::{Config, ConfigError, Environment};
use crate::{
    ClientFile, Globals,
    client::Connection,
    exit::{Failure, chain},
    secret::Secret,
};

/// What a command runs against.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) connection: Connection,
    /// "" for none.
    pub(crate) namespace: String,
    /// Name of the context, when it is one.
    pub(crate) context: Option<String>,
}

/// Decides by flags, environment and files.
pub(crate) fn choose(globals: &Globals, environment: &Environment) -> Result<Chosen, Failure> {
    let mut chosen = first(globals, environment)?;
    if let Some(token) = &environment.token {
        chosen.connection.token = Some(token.clone());
    }
    let said = globals.namespace.as_ref().or(environment.namespace.as_ref());
    if let Some(namespace) = said {
        chosen.namespace.clone_from(namespace);
    }
    Ok(chosen)
}

fn first(globals: &Globals, environment: &Environment) -> Result<Chosen, Failure> {
    let config = || environment.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load);
    if let Some(name) = &globals.context {
        return named(&config()?, name);
    }
    if globals.data.is_said() {
        return of_folder(&globals.data);
    }
    if let Some(url) = &environment.url {
        return of_environment(url, environment.ca_file.as_deref());
    }
    let config = config()?;
    match config.current.as_deref() {
        Some(name) => named(&config, name),
        None => of_folder(&globals.data),
    }
}

fn named(config: &Config, name: &str) -> Result<Chosen, Failure> {
    let saved = config.find(name).ok_or_else(|| no_context(name))?;
    let connection = Connection {
        url: saved.url.clone(),
        ca: saved.ca.clone(),
        server_name: saved.server_name.clone(),
        token: saved.token.clone(),
    };
    Ok(Chosen { connection, namespace: saved.namespace.clone(), context: Some(saved.name.clone()) })
}

pub(crate) fn no_context(name: &str) -> Failure {
    let shown = cairn_domain::fact::plain(name, 100);
    Failure {
        code: 3,
        ..Failure::new(format!("there is no context {shown}"), "See which there are: cairn context ls")
    }
}

fn of_folder(data: &Path) -> Result<Chosen, Failure> {
    let connection = Connection::from(ClientFile::load(data)?);
    Ok(Chosen { connection, namespace: String::new(), context: None })
}

fn of_environment(url: &str, ca_file: Option<&Path>) -> Result<Chosen, Failure> {
    let path = ca_file.ok_or_else(|| {
        Failure::usage(
            "CAIRN_URL is set and CAIRN_CA_FILE is not",
            "Name the file with the site's CA (PEM), or log in instead: cairn login URL",
        )
    })?;
    let ca = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(
            format!("cannot read {} (CAIRN_CA_FILE): {e}", path.display()),
            "Check its name and rights.",
        )
    })?;
    let connection = Connection { url: url.to_owned(), ca, server_name: None, token: None::<Secret> };
    Ok(Chosen { connection, namespace: String::new(), context: None })
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let next = match &error {
            ConfigError::Io { .. } => "Check its rights, or name another file: CAIRN_CONFIG.".to_owned(),
            ConfigError::Content { .. } => {
                "Mend it, or move it away and log in again: cairn login URL".to_owned()
            }
            ConfigError::Open { path, .. } => format!("Close it: chmod 600 {}", path.display()),
        };
        Self::new(chain(&error), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contexts::Saved;

    struct Desk {
        dir: tempfile::TempDir,
        environment: Environment,
        globals: Globals,
    }

    fn desk() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::with_config(dir.path().join("config.yaml"));
        let mut config = Config::default();
        for name in ["one", "two"] {
            config.put(Saved {
                name: name.into(),
                url: format!("https://{name}"),
                ca: "PEM".into(),
                server_name: None,
                namespace: format!("{name}.acme"),
                user: String::new(),
                expires: String::new(),
                token: Some(Secret::new(name)),
            });
        }
        config.save(environment.config.as_deref().unwrap()).unwrap();
        let file = ClientFile {
            url: "https://folder".into(),
            ca: "PEM".into(),
            server_name: "x".into(),
            token: "folder".into(),
        };
        file.save(dir.path()).unwrap();
        Desk { dir, environment, globals: Globals::default() }
    }

    impl Desk {
        #[track_caller]
        fn says(&self, url: &str, token: &str, namespace: &str) {
            let chosen = choose(&self.globals, &self.environment).unwrap();
            let said = chosen.connection.token.as_ref().map_or("", |t| t.reveal());
            assert_eq!(
                (chosen.connection.url.as_str(), said, chosen.namespace.as_str()),
                (url, token, namespace)
            );
        }
    }

    #[test]
    fn the_nearest_word_counts() {
        let mut desk = desk();
        desk.says("https://two", "two", "two.acme");
        desk.environment.namespace = Some("env".into());
        desk.says("https://two", "two", "env");
        desk.globals.namespace = Some("flag".into());
        desk.says("https://two", "two", "flag");
        std::fs::write(desk.dir.path().join("ca.pem"), "PEM").unwrap();
        desk.environment.url = Some("https://env".into());
        assert_eq!(choose(&desk.globals, &desk.environment).unwrap_err().code, 2);
        desk.environment.ca_file = Some(desk.dir.path().join("ca.pem"));
        desk.says("https://env", "", "flag");
        desk.environment.token = Some(Secret::new("t"));
        desk.says("https://env", "t", "flag");
        desk.environment.token = None;
        desk.globals.data = desk.dir.path().to_str().unwrap().parse().unwrap();
        desk.says("https://folder", "folder", "flag");
        desk.globals.context = Some("one".into());
        desk.says("https://one", "one", "flag");
        desk.globals.context = Some("three".into());
        assert_eq!(choose(&desk.globals, &desk.environment).unwrap_err().code, 3);
    }
}
