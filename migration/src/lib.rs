//! The schema, as migrations that run on `SQLite` and `PostgreSQL`.
//!
//! Migrations expand first and contract later, so that neighbouring versions of the server can share a database. Each
//! is SQL text with a few words that the dialects spell differently (see [`dialect`]).

pub mod dialect;
pub mod grants;
mod m20261120_000001_foundation;
mod m20261121_000002_deployments;
mod m20261122_000003_governance;
mod triggers;

pub use grants::grant_application_role;
pub use sea_orm_migration::MigratorTrait;

use sea_orm_migration::MigrationTrait;

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_foundation::Migration),
            Box::new(m20261121_000002_deployments::Migration),
            Box::new(m20261122_000003_governance::Migration),
        ]
    }
}
