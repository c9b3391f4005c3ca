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

/// Content as the text that is looked through for languages and secrets. Where its media type says that it is text, bytes
/// that are none are left aside; else it is one where all of it is. `None` where there is none, or too much.
pub fn looked_through(media_type: &MediaType, content: &[u8]) -> Option<String> {
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    if size > MAX_LOOKED_THROUGH {
        return None;
    }
    if says_text(media_type) {
        return Some(String::from_utf8_lossy(content).into_owned());
    }
    String::from_utf8(content.to_vec()).ok()
}

fn says_text(media_type: &MediaType) -> bool {
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
    /// Its content, where Slipway keeps one that is [`looked_through`].
    pub text: Option<String>,
    /// The size of its content in bytes, where that is larger.
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
    fn small_texts_are_looked_through() {
        let most = "x".repeat(usize::try_from(MAX_LOOKED_THROUGH).expect("small"));
        let more = format!("{most}x");
        let latin: &[u8] = b"pass\xe9: x";
        for (media_type, content, text) in [
            ("text/plain; charset=utf-8", b"x".as_slice(), Some("x")),
            ("Application/JSON", most.as_bytes(), Some(most.as_str())),
            ("application/vnd.acme.prompt+json", b"x", Some("x")),
            ("text/plain", more.as_bytes(), None),
            ("text/plain", latin, Some("pass\u{fffd}: x")),
            // What it is called hides nothing.
            ("application/octet-stream", b"x", Some("x")),
            ("", b"x", Some("x")),
            ("image/png", b"x", Some("x")),
            ("image/png", latin, None),
        ] {
            let media_type: MediaType = media_type.parse().expect("a text");
            let found = looked_through(&media_type, content);
            assert_eq!(found.as_deref(), text, "{media_type}");
        }
    }
}
