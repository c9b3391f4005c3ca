//! What an answer means.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use slipway_workflows::{EngineError, WorkflowId};

use crate::client::Client;

/// The most characters of n8n's own words that are passed on.
const WORDS: usize = 1_000;
/// The most characters that are passed on of a page that was meant for a browser.
const PAGE_WORDS: usize = 200;

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// Where n8n did nothing and asks to be left alone: for how long.
    pub(crate) pause: Option<Duration>,
}

impl Answer {
    /// One that succeeded before.
    pub(crate) const fn remembered(body: Bytes) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            pause: None,
        }
    }

    /// The content of a read that succeeded.
    pub(crate) fn content<T: DeserializeOwned>(&self) -> Result<T, EngineError> {
        serde_json::from_slice(&self.body).map_err(|error| EngineError::Unavailable {
            problem: format!(
                "the answer is not what n8n's API sends ({error}): check the address; it begins with: {}",
                cut(&plain(&self.body), PAGE_WORDS)
            ),
        })
    }

    /// n8n's own words, or a summary of a page that came in their place.
    pub(crate) fn words(&self) -> String {
        if let Some(message) = self.message() {
            return cut(&message, WORDS);
        }
        let text = cut(&plain(&self.body), PAGE_WORDS);
        format!("{}: {text}", self.status)
    }

    /// The message of an error in n8n's form.
    fn message(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("message")?.as_str()?.to_owned())
    }
}

impl Client {
    /// The answer, if it says that the call succeeded. A 404 in n8n's own form is about the workflow, where there is one.
    pub(crate) fn accept(
        &self,
        answer: Answer,
        id: Option<&WorkflowId>,
    ) -> Result<Answer, EngineError> {
        let words = || self.hide(&answer.words());
        Err(match (answer.status, id) {
            (status, _) if status.is_success() => return Ok(answer),
            (StatusCode::UNAUTHORIZED, _) => EngineError::Unauthenticated,
            (StatusCode::NOT_FOUND, Some(id)) if answer.message().is_some() => {
                EngineError::NotFound { id: id.clone() }
            }
            (StatusCode::NOT_FOUND, _) => EngineError::Unavailable {
                problem: format!("there is no such API at this address ({})", words()),
            },
            (status, _) if status.is_redirection() => EngineError::Unavailable {
                problem: format!(
                    "the address leads to another one ({status}), where the key is not sent: give the other one"
                ),
            },
            (status, _) if status.is_client_error() => EngineError::Refused { message: words() },
            _ => EngineError::Failed { message: words() },
        })
    }
}

/// At most this many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first line that a reader of the page would see.
fn plain(page: &[u8]) -> String {
    // Enough to get past the head of any page.
    let page = String::from_utf8_lossy(&page[..page.len().min(64 * 1024)]);
    let page = without(&without(&without(&page, "head"), "script"), "style");
    let mut text = String::new();
    let mut in_tag = false;
    for character in page.chars() {
        match character {
            '<' => {
                in_tag = true;
                text.push('\n');
            }
            '>' if in_tag => in_tag = false,
            _ if !in_tag => text.push(character),
            _ => {}
        }
    }
    let text = text.replace("&nbsp;", " ").replace("&quot;", "\"");
    let text = text.replace("&#39;", "'").replace("&lt;", "<");
    let text = text.replace("&gt;", ">").replace("&amp;", "&");
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.unwrap_or("an empty answer").to_owned()
}

/// The page without an element that nobody sees.
fn without(page: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    let mut rest = page;
    let mut seen = String::new();
    while let Some((before, after)) = rest.split_once(&open) {
        // `<header>` is not `<head>`.
        if after.starts_with(|next: char| next.is_ascii_alphanumeric()) {
            seen.push_str(before);
            seen.push_str(&open);
            rest = after;
            continue;
        }
        seen.push_str(before);
        rest = after.split_once(&close).map_or("", |(_, after)| after);
    }
    seen + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> String {
        let answer = Answer {
            status: StatusCode::BAD_GATEWAY,
            body: Bytes::copy_from_slice(body.as_bytes()),
            pause: None,
        };
        answer.words()
    }

    #[test]
    fn a_page_becomes_its_first_line() {
        let page = "<!DOCTYPE html><html><head><title>Error</title></head><body><header></header><script>x()</script>\
                    <pre>SyntaxError: a &lt; b<br> &nbsp; at parse</pre></body></html>";
        assert_eq!(words(page), "502 Bad Gateway: SyntaxError: a < b");
        assert_eq!(words(""), "502 Bad Gateway: an empty answer");
        assert_eq!(words("upstream\nis down"), "502 Bad Gateway: upstream");
        assert_eq!(
            words("<head><title>never closed"),
            "502 Bad Gateway: an empty answer"
        );
        assert!(words(&"ü".repeat(100_000)).chars().count() < 250);
    }

    #[test]
    fn its_own_words_are_passed_on_up_to_a_limit() {
        assert_eq!(words(r#"{"message": "no"}"#), "no");
        let long = format!(r#"{{"message": "{}"}}"#, "ü".repeat(2_000));
        assert_eq!(words(&long), format!("{}…", "ü".repeat(1_000)));
        assert_eq!(words(r#"{"error": 1}"#), r#"502 Bad Gateway: {"error": 1}"#);
    }
}
