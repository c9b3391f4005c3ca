//! Versions: what exactly is deployed.

use std::{cmp::Ordering, collections::BTreeSet};

use async_trait::async_trait;
use semver::Version as SemanticVersion;
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

/// What the order of two versions of an application is decided by.
#[derive(Debug, Clone, Copy)]
pub struct Ordered<'a> {
    /// The version's name.
    pub identifier: &'a Key,
    /// When it was added.
    pub created_at: Timestamp,
    /// Its identifier in the installation.
    pub id: VersionId,
}

/// Which of two versions of the same application is the later one: by semantic version (a leading `v` is passed over)
/// where both are, by number where both are integers, else by when they were added to the catalog.
pub fn compare(left: Ordered<'_>, right: Ordered<'_>) -> Ordering {
    let (a, b) = (left.identifier.as_str(), right.identifier.as_str());
    if let (Some(a), Some(b)) = (semantic(a), semantic(b)) {
        let order = a.cmp_precedence(&b);
        if order.is_ne() {
            return order;
        }
    } else if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        let order = a.cmp(&b);
        if order.is_ne() {
            return order;
        }
    }
    (left.created_at, left.id).cmp(&(right.created_at, right.id))
}

fn semantic(identifier: &str) -> Option<SemanticVersion> {
    SemanticVersion::parse(identifier.strip_prefix('v').unwrap_or(identifier)).ok()
}

fn integer(identifier: &str) -> Option<u128> {
    identifier
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| identifier.parse().ok())?
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

#[cfg(test)]
mod tests {
    use super::*;

    fn order(left: (&str, i64), right: (&str, i64)) -> Ordering {
        let ordered = |identifier: &Key, micros| {
            let created_at = Timestamp::from_micros(micros).expect("in range");
            (identifier.clone(), created_at)
        };
        let (a, a_at) = ordered(&left.0.parse().expect("a key"), left.1);
        let (b, b_at) = ordered(&right.0.parse().expect("a key"), right.1);
        let id = "0192f0c1-2345-7abc-8def-0123456789ab"
            .parse()
            .expect("an id");
        compare(
            Ordered {
                identifier: &a,
                created_at: a_at,
                id,
            },
            Ordered {
                identifier: &b,
                created_at: b_at,
                id,
            },
        )
    }

    #[test]
    fn semantic_versions_by_precedence() {
        assert_eq!(order(("1.10.0", 0), ("1.9.0", 9)), Ordering::Greater);
        assert_eq!(order(("v2.0.0-rc.1", 9), ("2.0.0", 0)), Ordering::Less);
        assert_eq!(
            order(("1.0.0+b", 0), ("1.0.0+a", 9)),
            Ordering::Less,
            "equal precedence: by time"
        );
    }

    #[test]
    fn integers_by_number() {
        assert_eq!(order(("10", 0), ("9", 9)), Ordering::Greater);
    }

    #[test]
    fn anything_else_by_when_it_was_added() {
        assert_eq!(order(("1:2.0~rc1-1", 1), ("1:2.0-1", 2)), Ordering::Less);
        assert_eq!(order(("10", 1), ("1.0.0", 2)), Ordering::Less);
    }
}
