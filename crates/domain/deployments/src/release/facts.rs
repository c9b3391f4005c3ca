//! What is known about what a draft names, when it is looked at.

use std::collections::BTreeMap;

use slipway_kernel::{
    ApplicationKind, Attributes, Key, PrincipalId, Tier, Timestamp, VersionId,
    requirements::Requirements,
    text::{MediaType, Notes, Reason},
    version_order::Ordered,
};

/// The largest content that is looked through, in bytes.
pub const MAX_LOOKED_THROUGH: u64 = 256 * 1024;

/// Whether content is text, as its media type says: it is looked through for languages and secrets, where it is not too large.
pub fn is_text(media_type: &MediaType) -> bool {
    const TEXTS: [&str; 8] = [
        "application/json",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/xml",
        "application/x-ndjson",
        "application/jsonl",
        "application/javascript",
    ];
    let essence = media_type.as_str().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || TEXTS.contains(&essence.as_str())
        || ["+json", "+xml", "+yaml"]
            .iter()
            .any(|suffix| essence.ends_with(suffix))
}

/// What is known about what a draft names, and about the environment that it is for.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How much depends on the environment.
    pub tier: Tier,
    /// What the project requires.
    pub requirements: Requirements,
    /// The applications that the draft names and the project has.
    pub applications: BTreeMap<Key, ApplicationFacts>,
    /// What is current in the environment, of the applications that the draft names and of those that their versions need.
    pub current: BTreeMap<Key, CurrentVersion>,
}

/// What is known about an application.
#[derive(Debug, Clone)]
pub struct ApplicationFacts {
    /// What kind of thing it is.
    pub kind: ApplicationKind,
    /// Whether it gets no new deployments any more.
    pub archived: bool,
    /// The versions of it that the draft wants and the catalog has.
    pub versions: BTreeMap<Key, VersionFacts>,
}

/// What is known about a version that the draft wants.
#[derive(Debug, Clone)]
pub struct VersionFacts {
    /// Its identifier in the installation.
    pub id: VersionId,
    /// When it was added to the catalog.
    pub created_at: Timestamp,
    /// The person who made it; `None` where none is known, because a service account stands for its author.
    pub author: Option<PrincipalId>,
    /// Why it must not be deployed any more.
    pub deprecated: Option<Reason>,
    /// What it needs.
    pub dependencies: Vec<Needed>,
    /// What callers remember about it.
    pub attributes: Attributes,
    /// What changed in it.
    pub notes: Notes,
    /// Its content, where Slipway keeps one that [`is_text`], is UTF-8 and no larger than [`MAX_LOOKED_THROUGH`].
    pub text: Option<String>,
    /// The size of its content in bytes, where that is text and larger.
    pub unread: Option<u64>,
}

/// An application that a version needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The application.
    pub application: Key,
    /// Which versions of it will do; see [`is_met_by`](super::is_met_by).
    pub requirement: String,
}

/// What is current of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentVersion {
    /// Its identifier in the installation.
    pub id: VersionId,
    /// Its name.
    pub identifier: Key,
    /// When it was added to the catalog.
    pub created_at: Timestamp,
}

impl CurrentVersion {
    /// Its place in the order of versions.
    pub const fn ordered(&self) -> Ordered<'_> {
        Ordered {
            identifier: &self.identifier,
            created_at: self.created_at,
            id: self.id,
        }
    }
}

impl VersionFacts {
    /// Its place in the order of versions.
    pub const fn ordered<'a>(&self, identifier: &'a Key) -> Ordered<'a> {
        Ordered {
            identifier,
            created_at: self.created_at,
            id: self.id,
        }
    }
}

impl Facts {
    /// What is known about a version; `None` where there is none.
    pub fn version(&self, application: &Key, identifier: &Key) -> Option<&VersionFacts> {
        self.applications.get(application)?.versions.get(identifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_by_their_media_types() {
        for (media_type, so) in [
            ("text/plain; charset=utf-8", true),
            ("Application/JSON", true),
            ("application/vnd.acme.prompt+json", true),
            ("application/octet-stream", false),
            ("", false),
        ] {
            let media_type: MediaType = media_type.parse().expect("a text");
            assert_eq!(is_text(&media_type), so, "{media_type}");
        }
    }
}
