//! The key by which a project knows a workflow.

use slipway_kernel::{Key, Sha256};

/// The most characters of a key that is made of a name.
const MAX_CHARACTERS: usize = 100;
/// How many hexadecimal digits of a hash tell keys apart.
const HASH_DIGITS: usize = 8;
/// How many hashes are tried. Names need not be unique: several workflows of one project can have the same.
const MAX_TRIES: u32 = 10_000;

/// The key for a workflow of this name. It is made once, at first sight, and kept when the workflow is renamed.
///
/// ASCII letters, digits and `. _ -` stay, and every run of anything else becomes one `-`. Where nothing of the name
/// stays, or it is longer than 100 characters, or taken, a short hash of the name is added. `taken` says whether the
/// project has a key already, and MUST compare without case.
///
/// Should 10,000 such keys be taken, the answer is the last of them, which the store refuses as taken.
pub fn key_for(name: &str, taken: &dyn Fn(&str) -> bool) -> Key {
    let plain = plain(name);
    let mut key = plain.clone();
    let mut tries = 0;
    let unfit = !name.contains(stays) || plain.len() > MAX_CHARACTERS;
    while (tries == 0 && unfit) || (taken(&key) && tries < MAX_TRIES) {
        key = with_hash(&plain, &hash(name, tries));
        tries += 1;
    }
    parsed(key)
}

/// Whether a character of a name becomes one of its key.
fn stays(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut replaced = false;
    for c in name.chars() {
        if stays(c) {
            plain.push(c);
        } else if !replaced {
            plain.push('-');
        }
        replaced = !stays(c);
    }
    plain
}

fn with_hash(plain: &str, hash: &str) -> String {
    // All of it is ASCII.
    let most = plain.len().min(MAX_CHARACTERS - HASH_DIGITS - 1);
    match plain[..most].trim_end_matches('-') {
        "" => hash.to_owned(),
        start => format!("{start}-{hash}"),
    }
}

/// Another one on every try.
fn hash(name: &str, tries: u32) -> String {
    let digest = match tries {
        0 => Sha256::of_bytes(name.as_bytes()),
        _ => Sha256::of_bytes(format!("{name}\n{tries}").as_bytes()),
    };
    digest.to_string()[..HASH_DIGITS].to_owned()
}

#[expect(
    clippy::expect_used,
    reason = "it has 1 to 100 of the characters that a key may have"
)]
fn parsed(key: String) -> Key {
    key.try_into().expect("a key")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn free(name: &str) -> String {
        key_for(name, &|_| false).to_string()
    }

    #[test]
    fn a_plain_name_is_its_own_key() {
        assert_eq!(free("Backup_v1.2-eu"), "Backup_v1.2-eu");
        assert_eq!(free(&"k".repeat(100)), "k".repeat(100));
        assert_eq!(free("Sync: Jira → Slack (prod)"), "Sync-Jira-Slack-prod-");
        assert_eq!(free("a - b"), "a---b");
        assert_eq!(free("Übersicht"), "-bersicht");
    }

    #[test]
    fn a_hash_is_added_where_the_name_is_not_enough() {
        // The hash of the name, as `sha256sum` prints them.
        assert_eq!(free("日報"), "aabb91da");
        assert_eq!(free(""), "e3b0c442");
        let long = free(&"k".repeat(101));
        assert!(
            long.starts_with(&"k".repeat(91)) && long.len() == 100,
            "{long}"
        );
        assert_ne!(long, free(&"k".repeat(102)));
    }

    #[test]
    fn a_taken_key_gets_a_hash_and_the_next_one_another() {
        let mut taken = BTreeSet::new();
        for _ in 0..5 {
            let key = key_for("Backup!", &|key| taken.contains(&key.to_lowercase()));
            assert!(taken.insert(key.as_str().to_lowercase()), "{key} is taken");
        }
        assert!(taken.contains("backup-"));
        assert!(
            taken
                .iter()
                .all(|key| key == "backup-" || key.len() == "backup-".len() + 8)
        );
        let other_case = key_for("BACKUP!", &|key| taken.contains(&key.to_lowercase()));
        assert!(other_case.as_str().starts_with("BACKUP-") && other_case.as_str().len() > 7);
    }

    #[test]
    fn the_search_has_an_end() {
        assert!(key_for("Backup", &|_| true).as_str().starts_with("Backup-"));
    }

    proptest! {
        #[test]
        fn every_name_has_a_key(name in "\\PC{0,130}") {
            let key = free(&name);
            prop_assert!((1..=100).contains(&key.len()));
            prop_assert!(key.chars().all(stays));
            prop_assert_eq!(&key, &free(&name));

            let next = key_for(&name, &|taken| taken.eq_ignore_ascii_case(&key));
            prop_assert!(!next.as_str().eq_ignore_ascii_case(&key));
            prop_assert!(next.as_str().len() <= 100);
        }
    }
}
