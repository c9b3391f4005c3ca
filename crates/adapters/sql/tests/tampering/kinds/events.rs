//! What is done to events.

use slipway_audit::BreakKind::{EventChanged, EventMisplaced, EventMissing, Unreadable};

use super::{Kind, kind};

/// Of events.
pub(crate) const EVENTS: &[Kind] = &[
    kind(
        "an event's principal is another",
        &["UPDATE audit_event SET principal_id = {user} WHERE id = {recorded}"],
        EventChanged,
    ),
    kind(
        "an event's time is another",
        &["UPDATE audit_event SET at = at - 1 WHERE id = {recorded}"],
        EventChanged,
    ),
    kind(
        "an event's command is another",
        &["UPDATE audit_event SET command = 'CreateVersion' WHERE id = {recorded}"],
        EventChanged,
    ),
    kind(
        "a refusal was allowed",
        &["UPDATE audit_event SET outcome = 'ALLOWED', refusal_reason = NULL WHERE id = {refused}"],
        EventChanged,
    ),
    kind(
        "a refusal's reason is another",
        &["UPDATE audit_event SET refusal_reason = 'VERSION_NOT_FOUND' WHERE id = {refused}"],
        EventChanged,
    ),
    kind(
        "a refusal happened once",
        &["UPDATE audit_event SET repeat_count = 1 WHERE id = {refused}"],
        EventChanged,
    ),
    kind(
        "an event's resource is of another sort",
        &["UPDATE audit_event SET resource_kind = 'version' WHERE id = {updated}"],
        EventChanged,
    ),
    kind(
        "an event's resource is another",
        &["UPDATE audit_event SET resource_name = 'staging' WHERE id = {updated}"],
        EventChanged,
    ),
    kind(
        "what was before is something else",
        &["UPDATE audit_event SET before_json = '{}' WHERE id = {updated}"],
        EventChanged,
    ),
    kind(
        "what was before is gone",
        &["UPDATE audit_event SET before_json = NULL WHERE id = {updated}"],
        EventChanged,
    ),
    kind(
        "what came after is something else",
        &["UPDATE audit_event SET after_json = before_json WHERE id = {updated}"],
        EventChanged,
    ),
    kind(
        "an event's correlation id is another",
        &["UPDATE audit_event SET correlation_id = '' WHERE id = {recorded}"],
        EventChanged,
    ),
    kind(
        "an event vouches for nothing",
        &["UPDATE audit_event SET facts = '[]' WHERE id = {recorded}"],
        EventChanged,
    ),
    kind(
        "an event vouches for another's record",
        &[
            "UPDATE audit_event SET facts = (SELECT facts FROM audit_event x WHERE x.chain_id = {other_project} \
            AND x.facts <> '[]' LIMIT 1) WHERE id = {recorded}",
        ],
        EventChanged,
    ),
    kind(
        "an event's id is another",
        &["UPDATE audit_event SET id = {new} WHERE id = {recorded}"],
        EventMissing,
    ),
    kind(
        "an event is deleted",
        &["DELETE FROM audit_event WHERE id = {recorded}"],
        EventMissing,
    ),
    kind(
        "an event is deleted with its link",
        &[
            "DELETE FROM audit_event WHERE id = {recorded}",
            "DELETE FROM audit_chain WHERE event_id = {recorded}",
        ],
        EventMissing,
    ),
    kind(
        "an event is deleted with its link and those behind it move up",
        &[
            "DELETE FROM audit_event WHERE id = {recorded}",
            "DELETE FROM audit_chain WHERE event_id = {recorded}",
            "UPDATE audit_chain SET position = position + 1000 WHERE chain_id = {project} AND position > \
            {position}",
            "UPDATE audit_chain SET position = position - 1001 WHERE chain_id = {project} AND position > 1000",
        ],
        EventChanged,
    ),
    kind(
        "an event is deleted with its record",
        &[
            "DELETE FROM audit_event WHERE id = {recorded}",
            "DELETE FROM deployment_record WHERE id = {run_1}",
        ],
        EventMissing,
    ),
    kind(
        "an event belongs to another chain",
        &["UPDATE audit_event SET chain_id = {other_project} WHERE id = {recorded}"],
        EventMisplaced,
    ),
    kind(
        "an event moves to another chain with its link",
        &[
            "UPDATE audit_event SET chain_id = {other_project} WHERE id = {recorded}",
            "UPDATE audit_chain SET chain_id = {other_project}, position = 1000 WHERE event_id = {recorded}",
        ],
        EventMissing,
    ),
    kind(
        "an event is put in",
        &[
            "INSERT INTO audit_event (sequence, id, chain_id, facts, {of_event}) SELECT -sequence, {new}, \
            chain_id, '[]', {of_event} FROM audit_event WHERE id = {recorded}",
        ],
        EventMisplaced,
    ),
    kind(
        "an event is put in and linked in a chain of its own",
        &[
            "INSERT INTO audit_event (sequence, id, chain_id, facts, {of_event}) SELECT -sequence, {new}, \
            chain_id, '[]', {of_event} FROM audit_event WHERE id = {recorded}",
            "INSERT INTO audit_chain (chain_id, position, event_id, event_sequence, hash, chained_at) SELECT \
            {new}, 1, id, sequence, {hash}, at FROM audit_event WHERE id = {new}",
        ],
        EventMisplaced,
    ),
    kind(
        "an event is put in and linked before the beginning",
        &[
            "INSERT INTO audit_event (sequence, id, chain_id, facts, {of_event}) SELECT -sequence, {new}, \
            chain_id, '[]', {of_event} FROM audit_event WHERE id = {recorded}",
            "INSERT INTO audit_chain (chain_id, position, event_id, event_sequence, hash, chained_at) SELECT \
            {project}, 0, id, sequence, {hash}, at FROM audit_event WHERE id = {new}",
        ],
        EventMisplaced,
    ),
    kind(
        "an event's place in the trail is another",
        &["UPDATE audit_event SET sequence = -1 WHERE id = {recorded}"],
        Unreadable,
    ),
    kind(
        "two events exchange their places in the trail",
        EXCHANGE_PLACES,
        Unreadable,
    ),
];

/// Two events of one chain.
pub(super) const EXCHANGE_PLACES: &[&str] = &[
    "UPDATE audit_event SET sequence = -1 WHERE id = {recorded}",
    "UPDATE audit_event SET sequence = (SELECT event_sequence FROM audit_chain WHERE event_id = \
            {recorded}) WHERE id = {updated}",
    "UPDATE audit_event SET sequence = (SELECT event_sequence FROM audit_chain WHERE event_id = \
            {updated}) WHERE id = {recorded}",
];
