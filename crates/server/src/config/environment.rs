//! Variables that look like settings and are none.

use figment::Figment;
use figment::error::Kind;

use super::Config;

/// What variables of the command line begin with, and a setting's too, but with one more underscore.
const PREFIX: &str = "SLIPWAY_";

/// A problem for each variable of the environment that would be a setting if its underscores were doubled, except those
/// that the configuration `refers_to`: `SLIPWAY_SERVER_LISTEN` would silently leave the default in place.
pub(super) fn misnamed(refers_to: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| !refers_to.contains(&name.as_str()))
        .collect();
    names.sort_unstable();
    names.iter().filter_map(|name| problem(name)).collect()
}

fn problem(name: &str) -> Option<String> {
    let rest = name
        .strip_prefix(PREFIX)
        .filter(|rest| !rest.starts_with('_'))?;
    let key = setting(&rest.to_ascii_lowercase())?;
    let right = key.replace('.', "__").to_ascii_uppercase();
    Some(format!(
        "the variable {name} sets nothing: write SLIPWAY__{right} for {key}, with two underscores before each part"
    ))
}

/// The setting whose key is these words, joined by dots at some places: at most two, since sections nest so deep.
fn setting(words: &str) -> Option<String> {
    let joined = |key: &str| {
        let places = key.match_indices('_').map(|(place, _)| place);
        places
            .map(|place| format!("{}.{}", &key[..place], &key[place + 1..]))
            .collect::<Vec<_>>()
    };
    let once = joined(words);
    let twice: Vec<_> = once.iter().flat_map(|key| joined(key)).collect();
    std::iter::once(words.to_owned())
        .chain(once)
        .chain(twice)
        .find(|key| is_setting(key))
}

fn is_setting(key: &str) -> bool {
    if key.split('.').any(str::is_empty) {
        return false;
    }
    // What is wrong with an empty list says whether there is such a setting. Lists take one, and so do sections, but
    // none of them a truth value.
    let nothing: [u8; 0] = [];
    let refused = Figment::from((key, nothing)).extract::<Config>().err();
    let refused = refused.or_else(|| Figment::from((key, true)).extract::<Config>().err());
    let Some(error) = refused else {
        return false;
    };
    match &error.kind {
        Kind::UnknownField(..) => false,
        // A section is none.
        Kind::InvalidType(_, expected) => !expected.starts_with("struct"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_known_by_its_single_underscores() {
        for (name, right) in [
            ("SLIPWAY_SERVER_LISTEN", "SLIPWAY__SERVER__LISTEN "),
            ("SLIPWAY_DATABASE_URL", "SLIPWAY__DATABASE__URL "),
            (
                "SLIPWAY_DATABASE_MAX_CONNECTIONS",
                "SLIPWAY__DATABASE__MAX_CONNECTIONS ",
            ),
            ("SLIPWAY_STATE_DIR", "SLIPWAY__STATE__DIR "),
            ("SLIPWAY_CLUSTER", "SLIPWAY__CLUSTER "),
            ("SLIPWAY_ENGINES_HOSTS", "SLIPWAY__ENGINES__HOSTS "),
            (
                "SLIPWAY_ENGINES_DIRECTORIES",
                "SLIPWAY__ENGINES__DIRECTORIES ",
            ),
            (
                "SLIPWAY_SERVER_TLS_KEY_FILE",
                "SLIPWAY__SERVER__TLS__KEY_FILE ",
            ),
        ] {
            let told = problem(name);
            assert!(
                told.as_ref().is_some_and(|told| told.contains(right)),
                "{name}: {told:?}"
            );
        }
    }

    #[test]
    fn other_variables_are_left_alone() {
        for name in [
            "SLIPWAY_CONFIG",
            "SLIPWAY_SERVER",
            "SLIPWAY_TOKEN",
            "SLIPWAY_TOKEN_FILE",
            "SLIPWAY_CA_CERTIFICATE",
            "SLIPWAY_TEST_POSTGRES_URL",
            "SLIPWAY_DATABASE",
            "SLIPWAY__SERVER__LISTEN",
            "SLIPWAY_",
            "SLIPWAY_SERVER_",
            "SLIPWAY_ENGINES",
            "SLIPWAY_ENGINES_HOST",
            "PATH",
        ] {
            assert_eq!(problem(name), None, "{name}");
        }
    }
}
