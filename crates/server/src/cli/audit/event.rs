//! Audit events as JSON.

use serde::Serialize;
use serde_json::Value;
use slipway_api::audit::v1::{AuditEvent, AuditOutcome};

use crate::cli::time;

/// An event as files hold it: the fields of the contract, without those that say nothing.
#[derive(Debug, Serialize)]
pub(super) struct EventLine {
    event_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    project: String,
    #[serde(skip_serializing_if = "is_zero")]
    position: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    hash: String,
    event_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    command: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    refusal_reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    correlation_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Fact>,
    repeat_count: i64,
}

#[derive(Debug, Serialize)]
struct Principal {
    principal_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    display_name: String,
}

#[derive(Debug, Serialize)]
struct Resource {
    r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
}

#[derive(Debug, Serialize)]
struct Fact {
    r#type: String,
    id: String,
    digest: String,
}

impl TryFrom<AuditEvent> for EventLine {
    type Error = String;

    /// Fails where the event has no time, or holds text that should be JSON and is not.
    fn try_from(event: AuditEvent) -> Result<Self, String> {
        let outcome = outcome(event.outcome());
        let event_time = time_of(&event).ok_or("an event without a valid time came")?;
        Ok(Self {
            outcome,
            event_time,
            before: json(&event.before_json)?,
            after: json(&event.after_json)?,
            event_id: event.event_id,
            project: event.project,
            position: event.position,
            hash: event.hash,
            principal: event.principal.map(|principal| Principal {
                principal_id: principal.principal_id,
                display_name: principal.display_name,
            }),
            command: event.command,
            refusal_reason: event.refusal_reason,
            resource: event.resource.map(|resource| Resource {
                r#type: resource.r#type,
                name: resource.name,
            }),
            correlation_id: event.correlation_id,
            facts: event
                .facts
                .into_iter()
                .map(|fact| Fact {
                    r#type: fact.r#type,
                    id: fact.id,
                    digest: fact.digest,
                })
                .collect(),
            repeat_count: event.repeat_count,
        })
    }
}

/// The outcome in a word.
pub(super) fn outcome(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Unspecified => "unknown",
        AuditOutcome::Allowed => "allowed",
        AuditOutcome::Refused => "refused",
    }
}

/// When the event happened, in RFC 3339.
pub(super) fn time_of(event: &AuditEvent) -> Option<String> {
    event
        .event_time
        .and_then(time::from_wire)
        .map(|time| time.to_string())
}

fn json(text: &str) -> Result<Option<Value>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| format!("an event came with a state that is no JSON: {error}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_json_and_what_says_nothing_is_left_out() {
        let event = AuditEvent {
            event_id: "id".to_owned(),
            event_time: Some(prost_types::Timestamp::default()),
            command: "RecordDeployment".to_owned(),
            outcome: AuditOutcome::Allowed.into(),
            after_json: r#"{"version":"1"}"#.to_owned(),
            repeat_count: 1,
            ..AuditEvent::default()
        };
        let line = serde_json::to_string(&EventLine::try_from(event.clone()).unwrap()).unwrap();
        assert_eq!(
            line,
            r#"{"event_id":"id","event_time":"1970-01-01T00:00:00Z","command":"RecordDeployment","outcome":"allowed","after":{"version":"1"},"repeat_count":1}"#
        );
        let broken = AuditEvent {
            before_json: "{".to_owned(),
            ..event
        };
        assert!(EventLine::try_from(broken).is_err());
    }
}
