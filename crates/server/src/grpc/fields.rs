//! Parsing of messages: every fault is collected, so that a caller learns of all of them at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use prost_types::FieldMask;
use slipway_kernel::text::TextError;
use slipway_kernel::{Attributes, PageSize, Text, Timestamp};

use super::refusal::Refusal;

/// How long a caller's own request id may be, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// The faults of one message.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What the message stands in, with a dot at the end: `report.`; empty for the request itself.
    prefix: String,
    violations: Vec<(String, String)>,
}

impl Fields {
    /// Fields of a message inside the request.
    pub(super) fn within(prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}."),
            violations: Vec::new(),
        }
    }

    /// Takes over the faults of a message inside this one.
    pub(super) fn absorb(&mut self, inner: Self) {
        self.violations.extend(inner.violations);
    }

    /// Notes a fault.
    pub(super) fn refuse(&mut self, field: &str, what: impl Display) {
        self.violations
            .push((format!("{}{field}", self.prefix), what.to_string()));
    }

    /// A value that must be there.
    pub(super) fn required<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        if text.is_empty() {
            self.refuse(field, "is required");
            return None;
        }
        text.parse().map_err(|error| self.refuse(field, error)).ok()
    }

    /// A value that may be left out.
    pub(super) fn optional<T: FromStr<Err: Display>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        if text.is_empty() {
            None
        } else {
            self.required(field, text)
        }
    }

    /// Free text.
    pub(super) fn text<const MAX: usize>(&mut self, field: &str, text: String) -> Text<MAX> {
        text.try_into()
            .map_err(|error: TextError| self.refuse(field, error))
            .unwrap_or_default()
    }

    /// Free text that must say something.
    pub(super) fn required_text<const MAX: usize>(
        &mut self,
        field: &str,
        text: String,
    ) -> Text<MAX> {
        if text.trim().is_empty() {
            self.refuse(field, "is required");
        }
        self.text(field, text)
    }

    /// Free text that may be left out.
    pub(super) fn optional_text<const MAX: usize>(
        &mut self,
        field: &str,
        text: String,
    ) -> Option<Text<MAX>> {
        (!text.is_empty()).then(|| self.text(field, text))
    }

    /// A moment that may be left out.
    pub(super) fn time(
        &mut self,
        field: &str,
        time: Option<prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let time = time?;
        Timestamp::from_seconds_and_nanos(time.seconds, time.nanos)
            .map_err(|error| self.refuse(field, error))
            .ok()
    }

    /// A value of an enum, whose number must be known; `None` where it was left out.
    pub(super) fn choice<E: TryFrom<i32>, T>(
        &mut self,
        field: &str,
        number: i32,
        turn: impl FnOnce(E) -> Option<T>,
    ) -> Option<T> {
        if let Ok(value) = E::try_from(number) {
            turn(value)
        } else {
            self.refuse(field, format_args!("has the unknown value {number}"));
            None
        }
    }

    /// A value of an enum that must be there.
    pub(super) fn required_choice<E: TryFrom<i32>, T>(
        &mut self,
        field: &str,
        number: i32,
        turn: impl FnOnce(E) -> Option<T>,
    ) -> Option<T> {
        if number == 0 {
            self.refuse(field, "is required");
            return None;
        }
        self.choice(field, number, turn)
    }

    /// Attributes.
    pub(super) fn attributes(&mut self, field: &str, map: BTreeMap<String, String>) -> Attributes {
        map.try_into()
            .map_err(|error| self.refuse(field, &error))
            .unwrap_or_default()
    }

    /// A page's size.
    pub(super) fn page_size(&mut self, size: i32) -> PageSize {
        PageSize::from_request(size)
            .map_err(|error| self.refuse("page_size", error))
            .unwrap_or(PageSize::DEFAULT)
    }

    /// The caller's own id of a change.
    pub(super) fn request_id(&mut self, id: &str) {
        let printable = id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if id.len() > MAX_REQUEST_ID || !printable {
            self.refuse("request_id", "must be 1 to 128 printable ASCII characters");
        }
    }

    /// Which of these fields an update changes: at least one, and none that the message does not have.
    pub(super) fn mask(&mut self, mask: Option<FieldMask>, known: &[&str]) -> Vec<String> {
        let paths = mask.unwrap_or_default().paths;
        if paths.is_empty() {
            self.refuse(
                "update_mask",
                format_args!("is required; name at least one of {}", known.join(", ")),
            );
        }
        for path in &paths {
            if !known.contains(&path.as_str()) {
                let path: String = path.chars().take(64).collect();
                self.refuse(
                    "update_mask",
                    format_args!("names `{path}`; it may name {}", known.join(", ")),
                );
            }
        }
        paths
    }

    /// What the fields make, or all that is wrong with them.
    pub(super) fn finish<T>(self, make: impl FnOnce() -> Option<T>) -> Result<T, Refusal> {
        match make() {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(Refusal::fields(self.violations)),
        }
    }
}
