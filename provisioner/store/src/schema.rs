//! The schema's versions, built into the program. A published file never changes: the next version is a new file.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Number of the newest version.
pub(crate) fn newest() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// All versions, oldest first.
pub(crate) fn migrator() -> Migrator {
    let files = [
        (1, "site", include_str!("../migrations/0001_site.sql")),
        (2, "control plane", include_str!("../migrations/0002_control_plane.sql")),
        (3, "workloads", include_str!("../migrations/0003_workloads.sql")),
    ];
    let migrations = files.into_iter().map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
