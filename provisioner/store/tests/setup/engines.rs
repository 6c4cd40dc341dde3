//! The same test against SQLite and against a real PostgreSQL.

use std::path::Path;

use cairn_postgres::Postgres;
use cairn_store::{Database, Store};
use tempfile::TempDir;

/// A data directory and a database, both empty at first.
#[derive(Debug)]
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) database: Database,
    pub(crate) postgres: Option<Postgres>,
}

impl Site {
    pub(crate) fn sqlite() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), database: Database::Sqlite, postgres: None }
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(Postgres::shared().unwrap_or_else(|e| panic!("{e}"))).await
    }

    pub(crate) async fn on(postgres: Postgres) -> Self {
        let database = Database::Postgres(postgres.database().await.unwrap());
        Self { dir: tempfile::tempdir().unwrap(), database, postgres: Some(postgres) }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open_with(self.dir(), self.database.clone()).await.unwrap()
    }
}

/// Each test of these runs twice, as `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($site:ident: &Site) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not each test needs all")]
            use super::*;

            $(#[$meta])*
            async fn test($site: &$crate::setup::engines::Site) $body

            #[tokio::test]
            async fn sqlite() {
                test(&$crate::setup::engines::Site::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                test(&$crate::setup::engines::Site::postgres().await).await;
            }
        }
    )*};
}
