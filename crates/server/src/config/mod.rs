//! The configuration: one TOML file and the environment above it, one file of code per section.
//!
//! Without any of it the server runs on embedded defaults. A value in the environment wins over the file:
//! `SLIPWAY__DATABASE__URL` is `url` in `[database]`. An unknown key is an error, because a misspelt limit that is
//! silently ignored is no limit.

mod database;
mod engines;
mod environment;
mod executor;
mod explain;
mod git;
mod limits;
mod log;
mod notifications;
mod objects;
mod oidc;
mod server;
mod smtp;
mod state;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;

pub use database::{Database, DatabaseKind, DatabaseUrl, ResolvedUrl};
pub use engines::{AllowedHost, Engines, SecretPattern};
pub use executor::Executor;
pub use git::{Git, GitHub, GitStoreKind};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use notifications::{Notifications, Place};
pub use objects::Objects;
pub use oidc::{Oidc, OidcGrant};
pub use server::{Reflection, ReflectionAccess, Server, Tls};
pub use smtp::{Smtp, SmtpEncryption, SmtpError};
pub use state::State;

/// The file that is read, where it exists, when none is named.
pub const DEFAULT_FILE: &str = "slipway.toml";

/// Everything an operator can choose. Relative paths are taken from the working directory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether several servers share the database and the stores. Refuses parts that they can't share.
    pub cluster: bool,
    /// Where the server listens, and how.
    pub server: Server,
    /// What one caller, one connection and one process may use.
    pub limits: Limits,
    /// Where facts are kept.
    pub database: Database,
    /// Where contents are kept.
    pub objects: Objects,
    /// Where snapshots are kept.
    pub git: Git,
    /// Which workflow engines projects may name.
    pub engines: Engines,
    /// The identity providers whose tokens are taken.
    pub oidc: Vec<Oidc>,
    /// How deployments are carried out.
    pub executor: Executor,
    /// Whom webhooks may tell, and how patiently.
    pub notifications: Notifications,
    /// Where mails are handed in.
    pub smtp: Option<Smtp>,
    /// What is logged, and in which form.
    pub log: Log,
    /// Where the embedded parts keep their files.
    pub state: State,
}

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file was named that can't be read.
    #[error("the configuration file `{path}` can't be read; name another with `--config`")]
    File {
        /// The file's path.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// One or more values are refused. All of them are listed.
    #[error("the configuration is refused:\n  - {}", .0.join("\n  - "))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads `file`, or `slipway.toml` in the working directory where there is one, then the environment, and checks
    /// every section and what they say together.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut sources = Figment::new();
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(_) => sources = sources.merge(Toml::file_exact(path)),
            Err(absent) if file.is_none() && absent.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                let path = path.to_owned();
                return Err(ConfigError::File { path, source });
            }
        }
        sources = sources.merge(Env::prefixed("SLIPWAY__").split("__"));

        let config: Self = sources.extract().map_err(|errors| {
            let told = errors
                .into_iter()
                .map(|error| explain::refused(&error, &sources));
            ConfigError::Invalid(told.collect())
        })?;
        config.check()?;
        Ok(config)
    }

    /// Where the database is, by its own setting or in the state directory, with any reference resolved.
    pub fn database_url(&self) -> Result<ResolvedUrl, crate::secret::SecretError> {
        self.database.resolve_url(&self.state)
    }

    /// The directory of contents, by its own setting or in the state directory.
    pub fn objects_directory(&self) -> PathBuf {
        self.objects.directory_or_default(&self.state)
    }

    /// The directory of Git repositories, by its own setting or in the state directory.
    pub fn git_directory(&self) -> PathBuf {
        self.git.directory_or_default(&self.state)
    }

    /// The directories within which workflows may lie, by their own setting or in the state directory.
    pub fn engine_directories(&self) -> Vec<PathBuf> {
        self.engines.directories_or_default(&self.state)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut problems = environment::misnamed(&self.database.variables());
        self.server.check(&mut problems);
        self.limits.check(&mut problems);
        self.database.check(&self.state, &mut problems);
        self.git.check(&mut problems);
        self.engines.check(&mut problems);
        oidc::check(&self.oidc, &mut problems);
        self.executor.check(&mut problems);
        self.notifications.check(&mut problems);
        if let Some(smtp) = &self.smtp {
            smtp.check(&mut problems);
        }
        self.log.check(&mut problems);
        if self.cluster {
            self.database.check_shared(&self.state, &mut problems);
            self.objects.check_shared(&mut problems);
            self.git.check_shared(&mut problems);
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }
}

#[cfg(test)]
mod tests;
