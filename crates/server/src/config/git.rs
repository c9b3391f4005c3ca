//! `[git]`: where snapshots are kept.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use slipway_github::{Auth, Options, SecretString};
use slipway_kernel::{Sha256, Slug};

use super::State;
use crate::secret::{SecretError, SecretReference};

/// What stands for the project in the name of a repository.
const PROJECT: &str = "{project}";
/// The most characters of a repository's name, and of a project's.
const MAX_REPOSITORY: usize = 100;
const MAX_PROJECT: usize = 63;
/// For how long an operation waits where GitHub limits our requests.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The `[git]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Git {
    /// Where snapshots are committed. Default: `local`.
    pub store: GitStoreKind,
    /// The directory of the local repositories, and of the mirrors of those on GitHub. Default: `git` in the state
    /// directory.
    pub directory: Option<PathBuf>,
    /// Says that every server of a cluster sees the same directory, as on a network file system. Default: false.
    pub shared: bool,
    /// The repositories on GitHub.
    pub github: Option<GitHub>,
}

/// The setting `store`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitStoreKind {
    /// Bare repositories in the directory.
    #[default]
    Local,
    /// Repositories on GitHub, mirrored in the directory.
    GitHub,
}

/// `[git.github]`: a repository for each project, which must exist, and who we are there: a token, or an App.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHub {
    /// Where the API is: `https://HOST/api/v3` of an Enterprise Server. Default: GitHub's own.
    #[serde(default = "public")]
    pub base_url: String,
    /// The user or organization that owns the repositories.
    pub owner: String,
    /// A repository's name, in which `{project}` stands for the project's slug. Default: `slipway-{project}`.
    #[serde(default = "by_project")]
    pub repository: String,
    /// A token that may read and write the repositories' contents.
    pub token: Option<SecretReference>,
    /// The id of a GitHub App that may do so.
    pub app_id: Option<u64>,
    /// The id of the App's installation for the owner.
    pub installation_id: Option<u64>,
    /// One of the App's private keys.
    pub private_key: Option<SecretReference>,
    /// How long one request may take. Default: 10 s.
    #[serde(default = "ten_seconds", with = "humantime_serde")]
    pub timeout: Duration,
}

fn public() -> String {
    Options::PUBLIC.to_owned()
}

fn by_project() -> String {
    format!("slipway-{PROJECT}")
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl Git {
    pub(super) fn directory_or_default(&self, state: &State) -> PathBuf {
        self.directory
            .clone()
            .unwrap_or_else(|| state.dir.join("git"))
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        match (self.store, &self.github) {
            (GitStoreKind::GitHub, None) => problems.push(
                "git.store = \"github\" needs a section [git.github] with owner, and token or app_id, installation_id and \
                 private_key"
                    .to_owned(),
            ),
            (GitStoreKind::Local, Some(_)) => problems.push(
                "git.github is set, and git.store = \"local\" does not use it; set git.store = \"github\", or remove it"
                    .to_owned(),
            ),
            (GitStoreKind::GitHub, Some(github)) => github.check(problems),
            (GitStoreKind::Local, None) => {}
        }
    }

    pub(super) fn check_shared(&self, problems: &mut Vec<String>) {
        if self.store == GitStoreKind::Local && !self.shared {
            problems.push(
                "cluster = true needs snapshots that every server sees; set git.store = \"github\", or put git.directory \
                 on a shared file system and set git.shared = true"
                    .to_owned(),
            );
        }
    }
}

impl GitHub {
    /// Who we are, read now, and a digest that changes with it.
    pub fn credentials(&self) -> Result<(Auth, Sha256), SecretError> {
        let reference = self.token.as_ref().or(self.private_key.as_ref());
        let secret = reference.ok_or(SecretError::NotAReference)?.resolve()?;
        let digest = Sha256::of_bytes(secret.expose().as_bytes());
        let secret = SecretString::from(secret.expose());
        let auth = match (self.app_id, self.installation_id) {
            (Some(app_id), Some(installation_id)) => Auth::App {
                app_id,
                installation_id,
                private_key_pem: secret,
            },
            _ => Auth::Token(secret),
        };
        Ok((auth, digest))
    }

    /// What opens a project's repository.
    pub fn options(&self, project: &Slug, auth: Auth) -> Options {
        Options {
            base_url: self.base_url.clone(),
            owner: self.owner.clone(),
            repository: self.repository.replace(PROJECT, project.as_str()),
            auth,
            timeout: self.timeout,
            max_wait: MAX_WAIT,
        }
    }

    fn check(&self, problems: &mut Vec<String>) {
        if self.repository.matches(PROJECT).count() != 1 {
            problems.push(format!(
                "git.github.repository = \"{}\" must have {PROJECT} once: each project has a repository of its own",
                self.repository
            ));
        }
        let longest = self.repository.len() + MAX_PROJECT;
        if longest > MAX_REPOSITORY + PROJECT.len() {
            problems.push(format!(
                "git.github.repository = \"{}\" is too long: with a project of {MAX_PROJECT} characters it is more than the \
                 {MAX_REPOSITORY} that GitHub allows",
                self.repository
            ));
        }
        let app = [
            self.app_id.is_some(),
            self.installation_id.is_some(),
            self.private_key.is_some(),
        ];
        if !matches!(
            (self.token.is_some(), app),
            (true, [false, false, false]) | (false, [true, true, true])
        ) {
            problems.push(
                "[git.github] needs either token, or app_id, installation_id and private_key: a GitHub token, or a GitHub \
                 App"
                    .to_owned(),
            );
        }
        super::limits::check_duration(
            "git.github.timeout",
            self.timeout,
            Duration::from_millis(100)..=Duration::from_mins(1),
            problems,
        );
        let checked = slipway_github::check_place(
            &self.base_url,
            &self.owner,
            &self.repository.replace(PROJECT, "a"),
        );
        if let Err(error) = checked {
            problems.push(format!("[git.github]: {error}"));
        }
    }
}
