//! Where in a document something stands, as people read it: `parameters.rules[0].value`.

/// The most characters of a path that are shown.
const MAX_CHARACTERS: usize = 200;

/// The path of a field below another path.
pub(crate) fn field(path: &str, name: &str) -> String {
    if is_plain(name) {
        let dot = if path.is_empty() { "" } else { "." };
        format!("{path}{dot}{name}")
    } else {
        format!("{path}[{name:?}]")
    }
}

/// The path of an item below another path.
pub(crate) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// A path short enough to be shown.
pub(crate) fn shown(path: &str) -> String {
    crate::text::cut(path, MAX_CHARACTERS)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_quoted() {
        assert_eq!(field("", "parameters"), "parameters");
        assert_eq!(
            item(&field("parameters", "rules"), 0),
            "parameters.rules[0]"
        );
        assert_eq!(
            field("parameters", "a.b \"c\""),
            "parameters[\"a.b \\\"c\\\"\"]"
        );
        assert_eq!(field("parameters", ""), "parameters[\"\"]");
    }
}
