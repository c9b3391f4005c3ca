//! Drafts and facts for tests.

use slipway_kernel::{
    ApplicationKind, Attributes, Key, Requirements, RiskLevel, Tier, Timestamp, text::Notes,
};

use super::{ApplicationFacts, CurrentVersion, Draft, DraftItem, Facts, VersionFacts, Wanted};

/// A key.
pub(super) fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

/// An item that wants a version.
pub(super) fn item(application: &str, version: &str) -> DraftItem {
    DraftItem {
        application: key(application),
        wanted: Wanted::Version(key(version)),
        message: "why".parse().expect("a text"),
        declared: RiskLevel::Low,
        allow_older: false,
    }
}

/// An item that wants an application gone.
pub(super) fn removal(application: &str) -> DraftItem {
    DraftItem {
        wanted: Wanted::Removal,
        ..item(application, "x")
    }
}

/// A draft of these items.
pub(super) fn draft(items: &[DraftItem]) -> Draft {
    Draft {
        items: items.to_vec(),
    }
}

/// A version by somebody, added at this time.
pub(super) fn version(age: i64) -> VersionFacts {
    VersionFacts {
        id: "0192f0c1-2345-7abc-8def-0123456789ab"
            .parse()
            .expect("an id"),
        created_at: Timestamp::from_micros(age).expect("in range"),
        author: Some(
            "0192f0c1-2345-7abc-8def-0123456789ac"
                .parse()
                .expect("an id"),
        ),
        deprecated: None,
        dependencies: Vec::new(),
        attributes: Attributes::default(),
        notes: Notes::default(),
        text: None,
        unread: None,
    }
}

/// An application that has these versions.
pub(super) fn application(
    kind: ApplicationKind,
    versions: &[(&str, VersionFacts)],
) -> ApplicationFacts {
    ApplicationFacts {
        kind,
        archived: false,
        versions: versions
            .iter()
            .map(|(identifier, version)| (key(identifier), version.clone()))
            .collect(),
    }
}

/// What is current.
pub(super) fn current(identifier: &str, age: i64) -> CurrentVersion {
    CurrentVersion {
        id: version(age).id,
        identifier: key(identifier),
        created_at: version(age).created_at,
    }
}

/// A prompt `chat` with the versions 1.0.0 and 2.0.0, of which the first is current.
pub(super) fn facts() -> Facts {
    let versions = [("1.0.0", version(1)), ("2.0.0", version(2))];
    Facts {
        tier: Tier::Production,
        requirements: Requirements::default(),
        applications: [(key("chat"), application(ApplicationKind::Prompt, &versions))].into(),
        current: [(key("chat"), current("1.0.0", 1))].into(),
    }
}
