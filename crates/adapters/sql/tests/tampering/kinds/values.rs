//! Values that nobody would have written.

use slipway_audit::BreakKind::{FactChanged, FactMissing, Unreadable};

use super::{Kind, kind};

/// On either database.
pub(crate) const VALUES: &[Kind] = &[
    kind(
        "a record's kind is none",
        &["UPDATE deployment_record SET kind = 'GONE' WHERE id = {run_1}"],
        Unreadable,
    ),
    kind(
        "a record's time is beyond all years",
        &["UPDATE deployment_record SET recorded_at = 9223372036854775807 WHERE id = {run_1}"],
        Unreadable,
    ),
    kind(
        "a record's attributes are no attributes",
        &["UPDATE deployment_record SET attributes = 'no JSON' WHERE id = {run_1}"],
        Unreadable,
    ),
    kind(
        "an event's outcome is none",
        &["UPDATE audit_event SET outcome = 'MAYBE' WHERE id = {recorded}"],
        Unreadable,
    ),
    kind(
        "an event vouches for nonsense",
        &["UPDATE audit_event SET facts = 'no JSON' WHERE id = {recorded}"],
        Unreadable,
    ),
    kind(
        "a link's hash is short",
        &["UPDATE audit_chain SET hash = {short_hash} WHERE event_id = {recorded}"],
        Unreadable,
    ),
];

/// On `SQLite`, whose columns take what is no UUID and no text, and which replaces rows.
pub(crate) const SQLITE: &[Kind] = &[
    kind(
        "a record's version is no id",
        &["UPDATE deployment_record SET version_id = {short_hash} WHERE id = {run_1}"],
        Unreadable,
    ),
    kind(
        "a record's notes are no text",
        &[
            "UPDATE deployment_record SET notes = CAST({short_hash} || x'ff' AS TEXT) WHERE id = {run_1}",
        ],
        Unreadable,
    ),
    kind(
        "an event's principal is no id",
        &["UPDATE audit_event SET principal_id = {short_hash} WHERE id = {recorded}"],
        Unreadable,
    ),
    kind(
        "a link's event is no id",
        &["UPDATE audit_chain SET event_id = {short_hash} WHERE event_id = {recorded}"],
        Unreadable,
    ),
    kind(
        "a record is replaced",
        &[
            "INSERT OR REPLACE INTO deployment_record (sequence, id, {of_record}, project_id, external_id) SELECT \
            sequence, id, {of_record}, project_id, 'forged' FROM deployment_record WHERE id = {run_1}",
        ],
        FactChanged,
    ),
];

/// On `PostgreSQL`.
pub(crate) const POSTGRES: &[Kind] = &[
    kind(
        "a record's notes are nothing",
        &[
            "ALTER TABLE deployment_record ALTER COLUMN notes DROP NOT NULL",
            "UPDATE deployment_record SET notes = NULL WHERE id = {run_1}",
        ],
        Unreadable,
    ),
    kind(
        "an event's command is nothing",
        &[
            "ALTER TABLE audit_event ALTER COLUMN command DROP NOT NULL",
            "UPDATE audit_event SET command = NULL WHERE id = {recorded}",
        ],
        Unreadable,
    ),
    kind(
        "the records are truncated",
        &["TRUNCATE deployment_record CASCADE"],
        FactMissing,
    ),
];
