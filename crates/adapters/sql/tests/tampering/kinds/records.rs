//! What is done to records and retractions.

use slipway_audit::BreakKind::{FactChanged, FactMissing, FactUnaccounted, Unreadable};

use super::{Kind, kind};

/// Of records.
pub(crate) const RECORDS: &[Kind] = &[
    kind(
        "a record's version is another",
        &[
            "UPDATE deployment_record SET version_id = (SELECT version_id FROM deployment_record WHERE id = \
            {run_2}) WHERE id = {run_1}",
        ],
        FactChanged,
    ),
    kind(
        "a record's application is another",
        &[
            "UPDATE deployment_record SET application_id = (SELECT application_id FROM deployment_record WHERE id \
            = {run_2}) WHERE id = {run_1}",
        ],
        FactChanged,
    ),
    kind(
        "a record's environment is another",
        &[
            "UPDATE deployment_record SET environment_id = (SELECT environment_id FROM deployment_record WHERE id \
            = {run_2}) WHERE id = {run_1}",
        ],
        FactChanged,
    ),
    kind(
        "a record belongs to another project",
        &["UPDATE deployment_record SET project_id = {other_project} WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's deployment time is another",
        &["UPDATE deployment_record SET deployed_at = deployed_at - 1 WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's reported time is another",
        &["UPDATE deployment_record SET reported_at = reported_at - 1 WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's recording time is another",
        &["UPDATE deployment_record SET recorded_at = recorded_at + 1 WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's reporter is another",
        &["UPDATE deployment_record SET reporter_id = {user} WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record is claimed by another",
        &["UPDATE deployment_record SET deployed_by_id = {user} WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record is claimed by nobody",
        &["UPDATE deployment_record SET deployed_by_id = NULL WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record says removed",
        &["UPDATE deployment_record SET kind = 'REMOVED' WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's risk is lower",
        &["UPDATE deployment_record SET risk = 'LOW' WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record has no risk",
        &["UPDATE deployment_record SET risk = NULL WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's notes say something else",
        &["UPDATE deployment_record SET notes = 'nothing to see' WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's attributes are others",
        &["UPDATE deployment_record SET attributes = '{\"commit\":\"beef\"}' WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's external id is another",
        &["UPDATE deployment_record SET external_id = 'run-4' WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "a record's place in the ledger is later",
        &["UPDATE deployment_record SET sequence = sequence + 1000 WHERE id = {run_1}"],
        FactChanged,
    ),
    kind(
        "two records exchange their ids",
        &[
            "UPDATE deployment_record SET id = {new} WHERE id = {run_1}",
            "UPDATE deployment_record SET id = {run_1} WHERE id = {run_2}",
            "UPDATE deployment_record SET id = {run_2} WHERE id = {new}",
        ],
        FactChanged,
    ),
    kind(
        "a record's id is another",
        &["UPDATE deployment_record SET id = {new} WHERE id = {run_1}"],
        FactMissing,
    ),
    kind(
        "a record is deleted",
        &["DELETE FROM deployment_record WHERE id = {run_1}"],
        FactMissing,
    ),
    kind(
        "all records are deleted",
        &["DELETE FROM deployment_record"],
        FactMissing,
    ),
    kind(
        "a record is put in",
        &[
            "INSERT INTO deployment_record (sequence, id, {of_record}, project_id, external_id) SELECT sequence + \
            1000, {new}, {of_record}, project_id, 'forged' FROM deployment_record WHERE id = {run_1}",
        ],
        FactUnaccounted,
    ),
    kind(
        "a record is put in under another project's name",
        &[
            "INSERT INTO deployment_record (sequence, id, {of_record}, project_id, external_id) SELECT sequence + \
            1000, {new}, {of_record}, {other_project}, 'forged' FROM deployment_record WHERE id = {run_1}",
        ],
        FactUnaccounted,
    ),
    kind(
        "a record is put in under no project's name",
        &[
            "INSERT INTO deployment_record (sequence, id, {of_record}, project_id, external_id) SELECT sequence + \
            1000, {new}, {of_record}, {new}, 'forged' FROM deployment_record WHERE id = {run_1}",
        ],
        FactUnaccounted,
    ),
];

/// Of retractions.
pub(crate) const RETRACTIONS: &[Kind] = &[
    kind(
        "a retraction is deleted",
        &["DELETE FROM record_retraction WHERE record_id = {retracted}"],
        FactMissing,
    ),
    kind(
        "a retraction is put in",
        &[
            "INSERT INTO record_retraction (record_sequence, record_id, project_id, retracted_at, retracted_by, \
            reason) SELECT sequence, id, project_id, recorded_at, reporter_id, 'forged' FROM deployment_record \
            WHERE id = {run_1}",
        ],
        FactUnaccounted,
    ),
    kind(
        "a retraction is put in under another project's name",
        &[
            "INSERT INTO record_retraction (record_sequence, record_id, project_id, retracted_at, retracted_by, \
            reason) SELECT sequence, id, {other_project}, recorded_at, reporter_id, 'forged' FROM \
            deployment_record WHERE id = {run_1}",
        ],
        FactUnaccounted,
    ),
    kind(
        "a retraction is put in under no project's name",
        &[
            "INSERT INTO record_retraction (record_sequence, record_id, project_id, retracted_at, retracted_by, \
            reason) SELECT sequence, id, {new}, recorded_at, reporter_id, 'forged' FROM deployment_record WHERE \
            id = {run_1}",
        ],
        FactUnaccounted,
    ),
    kind(
        "a retraction's reason is another",
        &["UPDATE record_retraction SET reason = 'a mistake' WHERE record_id = {retracted}"],
        FactChanged,
    ),
    kind(
        "a retraction's time is another",
        &[
            "UPDATE record_retraction SET retracted_at = retracted_at + 1 WHERE record_id = {retracted}",
        ],
        FactChanged,
    ),
    kind(
        "a retraction is somebody else's",
        &["UPDATE record_retraction SET retracted_by = {user} WHERE record_id = {retracted}"],
        FactChanged,
    ),
    kind(
        "a retraction is of another record",
        &[
            "UPDATE record_retraction SET (record_sequence, record_id) = (SELECT sequence, id FROM \
            deployment_record WHERE id = {run_1}) WHERE record_id = {retracted}",
        ],
        FactMissing,
    ),
    kind(
        "a retraction hits another record than it names",
        &[
            "UPDATE record_retraction SET record_sequence = (SELECT sequence FROM deployment_record WHERE id = \
            {run_1}) WHERE record_id = {retracted}",
        ],
        Unreadable,
    ),
    kind(
        "a retraction belongs to another project",
        &[
            "UPDATE record_retraction SET project_id = {other_project} WHERE record_id = {retracted}",
        ],
        Unreadable,
    ),
];
