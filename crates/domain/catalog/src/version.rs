//! Versions: what exactly is deployed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ApplicationId, Attributes, Key, PrincipalId, ProjectId, Sha256, StoreError, Text, Timestamp,
    VersionId,
    text::{MediaType, Notes, Reason},
};

/// How large a version's content may be, in bytes: 3 MiB, so that an answer stays below the 4 MiB that most gRPC
/// clients accept.
pub const MAX_CONTENT: usize = 3 * 1024 * 1024;
/// How many dependencies a version may have.
pub const MAX_DEPENDENCIES: usize = 100;

/// One immutable version of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its identifier in the installation.
    pub id: VersionId,
    /// The application it is a version of.
    pub application: ApplicationId,
    /// Its name in every request; unique in its application.
    pub identifier: Key,
    /// The SHA-256 of what it is: of its content where Slipway keeps that, else as its author says.
    pub digest: Option<Sha256>,
    /// The content that Slipway keeps, in the object store under `digest`.
    pub content: Option<Content>,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// What callers want to remember about it.
    pub attributes: Attributes,
    /// What changed.
    pub notes: Notes,
    /// Who made the content, as its creator says.
    pub author: PrincipalId,
    /// Who added it, as authenticated. Four eyes looks at both.
    pub created_by: PrincipalId,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when and why it must not be deployed any more.
    pub deprecated: Option<Deprecation>,
}

/// What Slipway knows of a version's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its length, in bytes; at most [`MAX_CONTENT`].
    pub size: u64,
    /// Its media type, as the author said.
    pub media_type: MediaType,
}

/// An application that a version needs, and in which version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The application, by its key in the same project.
    pub application: Key,
    /// A semantic version requirement (`^1.2`), or an exact identifier.
    pub requirement: Text<255>,
}

/// What a new version needs: at most [`MAX_DEPENDENCIES`], each application once, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dependencies(Vec<Dependency>);

/// Dependencies that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependenciesError {
    /// Too many.
    #[error("has {given} entries; at most {MAX_DEPENDENCIES} are allowed")]
    TooMany {
        /// How many were given.
        given: usize,
    },
    /// An application is named twice.
    #[error("names `{application}` twice; name each application once")]
    Repeated {
        /// The application.
        application: Key,
    },
}

impl TryFrom<Vec<Dependency>> for Dependencies {
    type Error = DependenciesError;

    fn try_from(dependencies: Vec<Dependency>) -> Result<Self, DependenciesError> {
        if dependencies.len() > MAX_DEPENDENCIES {
            return Err(DependenciesError::TooMany {
                given: dependencies.len(),
            });
        }
        let mut seen = BTreeSet::new();
        let repeated = dependencies
            .iter()
            .find(|dependency| !seen.insert(&dependency.application));
        match repeated {
            Some(repeated) => Err(DependenciesError::Repeated {
                application: repeated.application.clone(),
            }),
            None => Ok(Self(dependencies)),
        }
    }
}

impl From<Dependencies> for Vec<Dependency> {
    fn from(dependencies: Dependencies) -> Self {
        dependencies.0
    }
}

/// A version was declared unfit for new deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: PrincipalId,
    /// Why.
    pub reason: Reason,
}

/// A version's place in lists, which run from the newest to the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// When the version was added.
    pub created_at: Timestamp,
    /// Tells versions apart that were added in the same microsecond.
    pub id: VersionId,
}

impl Version {
    /// Its place in lists.
    pub const fn place(&self) -> Place {
        Place {
            created_at: self.created_at,
            id: self.id,
        }
    }
}

/// Changes versions, inside a unit of work.
#[async_trait]
pub trait VersionRepository: Send {
    /// Adds versions and returns the identifiers of those that were added; an identifier that its application has
    /// already changes nothing.
    async fn insert(&mut self, versions: &[Version]) -> Result<Vec<VersionId>, StoreError>;

    /// One version of an application.
    async fn find(
        &mut self,
        application: ApplicationId,
        identifier: &Key,
    ) -> Result<Option<Version>, StoreError>;

    /// Those of these names that any application of the project has a version of.
    async fn existing(
        &mut self,
        project: ProjectId,
        identifiers: &BTreeSet<Key>,
    ) -> Result<BTreeSet<Key>, StoreError>;

    /// The versions with these identifiers, in no order.
    async fn with_ids(&mut self, ids: &BTreeSet<VersionId>) -> Result<Vec<Version>, StoreError>;

    /// Marks a version as deprecated. An adapter MUST answer `false`, and change nothing, where it is already.
    async fn deprecate(
        &mut self,
        version: VersionId,
        deprecation: &Deprecation,
    ) -> Result<bool, StoreError>;
}
