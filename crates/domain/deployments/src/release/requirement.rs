//! Which versions a dependency accepts.

use semver::VersionReq;
use slipway_kernel::{Key, version_order::semantic};

/// Whether a version will do for a dependency.
///
/// Any will where the requirement is empty. Where the requirement is a semantic one (`^1.2`, `>=1.2, <3`; a bare `1.2.3`
/// means `^1.2.3`) and the identifier a semantic version, a leading `v` of the identifier passed over, that decides, as
/// it does for Cargo: a version before its release (`2.0.0-rc.1`) meets only requirements that name one. Else the
/// requirement is the exact identifier.
pub fn is_met_by(requirement: &str, identifier: &Key) -> bool {
    let requirement = requirement.trim();
    if requirement.is_empty() || requirement == identifier.as_str() {
        return true;
    }
    match (VersionReq::parse(requirement), semantic(identifier)) {
        (Ok(requirement), Some(version)) => requirement.matches(&version),
        // Semantic requirements say `*` for any version.
        (Ok(requirement), None) => requirement == VersionReq::STAR,
        (Err(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semantic_requirements_exact_identifiers_and_none() {
        for (requirement, identifier, met) in [
            ("", "anything", true),
            (" ", "1.0.0", true),
            ("*", "1.0.0", true),
            ("*", "build-7", true),
            ("^1.2", "1.9.3", true),
            ("^1.2", "v1.9.3", true),
            ("^1.2", "2.0.0", false),
            (">=1.2, <3", "2.9.9", true),
            (">=1.2, <3", "3.0.0", false),
            ("1.2.3", "1.3.0", true),
            ("=1.2.3", "1.3.0", false),
            ("^2", "2.0.0-rc.1", false),
            ("2.0.0-rc.1", "2.0.0-rc.1", true),
            ("v1.2", "v1.2", true),
            ("v1.2", "v1.3", false),
            ("7", "7", true),
            ("7", "8", false),
            ("^1.2", "build-7", false),
            ("build-7", "build-7", true),
            ("build-7", "build-8", false),
            ("2024-01-15", "2024-01-15", true),
        ] {
            let identifier: Key = identifier.parse().expect("a key");
            assert_eq!(
                is_met_by(requirement, &identifier),
                met,
                "{requirement:?} {identifier}"
            );
        }
    }
}
