//! Which of two versions of an application is the later one.

use std::cmp::Ordering;

use semver::Version as SemanticVersion;

use crate::{Key, Timestamp, VersionId};

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
    let (a, b) = (left.identifier, right.identifier);
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

/// The semantic version that an identifier is, a leading `v` passed over.
pub fn semantic(identifier: &Key) -> Option<SemanticVersion> {
    let identifier = identifier.as_str();
    SemanticVersion::parse(identifier.strip_prefix('v').unwrap_or(identifier)).ok()
}

fn integer(identifier: &Key) -> Option<u128> {
    let identifier = identifier.as_str();
    identifier
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| identifier.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(left: (&str, i64), right: (&str, i64)) -> Ordering {
        let key = |text: &str| text.parse::<Key>().expect("a key");
        let (a, b) = (key(left.0), key(right.0));
        let id = "0192f0c1-2345-7abc-8def-0123456789ab"
            .parse()
            .expect("an id");
        let at = |micros| Timestamp::from_micros(micros).expect("in range");
        compare(
            Ordered {
                identifier: &a,
                created_at: at(left.1),
                id,
            },
            Ordered {
                identifier: &b,
                created_at: at(right.1),
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
        assert_eq!(
            order(("010", 0), ("10", 9)),
            Ordering::Less,
            "equal: by time"
        );
        let (long, longer) = ("9".repeat(60), format!("1{}", "0".repeat(60)));
        assert_eq!(
            order((&long, 1), (&longer, 2)),
            Ordering::Less,
            "too long for a number: by time"
        );
    }

    #[test]
    fn anything_else_by_when_it_was_added() {
        assert_eq!(order(("1:2.0~rc1-1", 1), ("1:2.0-1", 2)), Ordering::Less);
        assert_eq!(order(("10", 1), ("1.0.0", 2)), Ordering::Less);
        assert_eq!(order(("1.2", 2), ("1.10", 1)), Ordering::Greater);
    }

    proptest! {
        /// Whatever identifiers are, exactly one order holds, seen from either side.
        #[test]
        fn it_is_the_same_from_both_sides(
            a in "v?[0-9]{1,3}(\\.[0-9]{1,2}\\.[0-9](-rc\\.[0-9])?)?|[a-z]{1,4}",
            b in "v?[0-9]{1,3}(\\.[0-9]{1,2}\\.[0-9](-rc\\.[0-9])?)?|[a-z]{1,4}",
            at in 0_i64..3, bt in 0_i64..3,
        ) {
            prop_assert_eq!(order((&a, at), (&b, bt)), order((&b, bt), (&a, at)).reverse());
        }
    }
}
