//! The Git repositories of projects: on this machine, or on GitHub with a mirror on this machine.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use slipway_application::outside::Repositories;
use slipway_git::{LocalRepository, Mirrored, Patience};
use slipway_github::GitHub;
use slipway_kernel::{Sha256, Slug};
use slipway_snapshots::{GitError, GitStore};
use tokio::sync::Mutex;

use crate::config;

/// Where a project's repository lies in a folder of them.
fn place(folder: &Path, project: &Slug) -> PathBuf {
    folder.join(format!("{project}.git"))
}

/// Local bare repositories, one for each project, in one folder.
pub struct LocalRepositories {
    folder: PathBuf,
    open: Mutex<HashMap<Slug, Arc<dyn GitStore>>>,
}

impl LocalRepositories {
    /// Keeps repositories in this folder, which is made where it does not exist.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: Mutex::default(),
        }
    }
}

#[async_trait]
impl Repositories for LocalRepositories {
    async fn open(&self, project: &Slug) -> Result<Arc<dyn GitStore>, GitError> {
        // Held while a repository is made, so that it is made once.
        let mut known = self.open.lock().await;
        if let Some(store) = known.get(project) {
            return Ok(Arc::clone(store));
        }
        let path = place(&self.folder, project);
        let opened = tokio::task::spawn_blocking(move || {
            let folder = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(folder).map_err(|error| GitError::Unavailable {
                problem: format!("`{}` can't be made: {error}", folder.display()),
            })?;
            LocalRepository::open_or_create(path)
        });
        let opened = opened.await.map_err(|error| GitError::Unavailable {
            problem: error.to_string(),
        })??;
        let store: Arc<dyn GitStore> = Arc::new(opened);
        known.insert(project.clone(), Arc::clone(&store));
        Ok(store)
    }
}

/// Repositories on GitHub, one for each project, each with a mirror in one folder.
pub struct GitHubRepositories {
    rules: config::GitHub,
    folder: PathBuf,
    /// Whether commits may be made in the mirrors while GitHub can't be reached.
    may_run_ahead: bool,
    /// By project, with the digest of the secret that it was opened with.
    open: Mutex<HashMap<Slug, (Sha256, Arc<Mirrored>)>>,
}

impl GitHubRepositories {
    /// The repositories that these rules name, mirrored in this folder, which is made where it does not exist.
    pub fn new(rules: config::GitHub, folder: PathBuf, may_run_ahead: bool) -> Self {
        Self {
            rules,
            folder,
            may_run_ahead,
            open: Mutex::default(),
        }
    }

    async fn mirrored(&self, project: &Slug) -> Result<Arc<Mirrored>, GitError> {
        // Read each time, so that a secret that was rotated is taken up.
        let rules = self.rules.clone();
        let read = tokio::task::spawn_blocking(move || rules.credentials()).await;
        let read = read.map_err(|error| GitError::Unavailable {
            problem: error.to_string(),
        })?;
        let (auth, digest) = read.map_err(|error| GitError::Unauthenticated {
            message: crate::cli::explain(&error),
        })?;
        let mut known = self.open.lock().await;
        if let Some((opened_with, store)) = known.get(project)
            && *opened_with == digest
        {
            return Ok(Arc::clone(store));
        }
        let options = self.rules.options(project, auth);
        let github = GitHub::new(&options).map_err(|error| GitError::Refused {
            message: error.to_string(),
        })?;
        let store = Arc::new(Mirrored::new(
            Arc::new(github),
            place(&self.folder, project),
            self.may_run_ahead,
            Patience::default(),
        ));
        known.insert(project.clone(), (digest, Arc::clone(&store)));
        Ok(store)
    }

    /// The projects that have a mirror.
    fn projects(&self) -> io::Result<Vec<Slug>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut projects = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".git"));
            projects.extend(name.and_then(|name| name.parse::<Slug>().ok()));
        }
        Ok(projects)
    }
}

#[async_trait]
impl Repositories for GitHubRepositories {
    async fn open(&self, project: &Slug) -> Result<Arc<dyn GitStore>, GitError> {
        let store: Arc<dyn GitStore> = self.mirrored(project).await?;
        Ok(store)
    }

    async fn publish(&self) -> Result<(), GitError> {
        let projects = self.projects().map_err(|error| GitError::Unavailable {
            problem: format!("`{}` can't be read: {error}", self.folder.display()),
        })?;
        for project in projects {
            let published = async { self.mirrored(&project).await?.publish().await };
            match published.await {
                // The log has told of it where a commit met it; or another server is at it.
                Err(error @ (GitError::Unavailable { .. } | GitError::Moved { .. })) => {
                    tracing::debug!(%project, %error, "snapshots wait for GitHub");
                }
                Err(error) => {
                    tracing::warn!(%project, %error, "snapshots that wait can't be brought to GitHub");
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }
}
