//! What is wrong with a setting, in words.

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::Value;
use figment::{Error, Figment};

/// Every setting with its default: where an example of a value is found.
const EXAMPLE: &str = include_str!("../../../../slipway.example.toml");

/// Says which key is meant, where it stands and what would be right. A value's text is never repeated for an unknown
/// key, which may be a secret's, misspelt, nor for an address of a database or a reference to a secret.
pub(super) fn refused(error: &Error, sources: &Figment) -> String {
    let source = error.metadata.as_ref().map_or(String::new(), |metadata| {
        match metadata
            .source
            .as_ref()
            .and_then(|source| source.file_path())
        {
            Some(path) => format!(" (in {})", path.display()),
            None => " (in the environment)".to_owned(),
        }
    });
    let Kind::UnknownField(key, known) = &error.kind else {
        return match error.path.join(".").as_str() {
            // The file is no TOML: the parser says where.
            "" => error.to_string(),
            key => wrong_value(key, &error.kind, &source, sources),
        };
    };
    let section = match error.path.as_slice() {
        // The path may or may not end with the key itself, depending on where it was found.
        [section @ .., last] if last == key => section.join("."),
        section => section.join("."),
    };
    let full = |key: &str| match section.as_str() {
        "" => key.to_owned(),
        section => format!("{section}.{key}"),
    };
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(key, known), known))
        .min()
        .filter(|(distance, _)| *distance <= key.len() / 2);
    let advice = match nearest {
        Some((_, nearest)) => format!("did you mean `{}`?", full(nearest)),
        None => format!("known here: {}", known.join(", ")),
    };
    format!("unknown key `{}`{source}; {advice}", full(key))
}

fn wrong_value(key: &str, kind: &Kind, source: &str, sources: &Figment) -> String {
    let may_be_secret = key.ends_with("url")
        || key.starts_with("engines.secrets")
        || key.starts_with("notifications.secrets")
        || matches!(
            key,
            "git.github.token" | "git.github.private_key" | "smtp.password"
        );
    let value = if may_be_secret {
        String::new()
    } else {
        shown(sources, key).map_or(String::new(), |value| format!(" = {value}"))
    };
    let example = shown(&Figment::from(Toml::string(EXAMPLE)), key)
        .map_or(String::new(), |example| {
            format!("; write a value like {example}")
        });
    format!("{key}{value}{source}: {kind}{example}")
}

/// The value of a key as TOML has it; `None` where there is none, or it is a whole section.
fn shown(sources: &Figment, key: &str) -> Option<String> {
    match sources.find_value(key).ok()? {
        Value::Dict(..) => None,
        value => serde_json::to_string(&value).ok(),
    }
}
