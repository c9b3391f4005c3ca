//! What is done to links, and to whole chains.

use slipway_audit::BreakKind::{
    ChainCut, CheckpointDiffers, EventChanged, EventMissing, Unreadable,
};

use super::{
    Afterwards::{ForgeDigestsAndRechain, Rechain},
    Kind, covered_up,
    events::EXCHANGE_PLACES,
    kind,
};

/// Of links.
pub(crate) const LINKS: &[Kind] = &[
    kind(
        "a link's hash is another",
        &["UPDATE audit_chain SET hash = {hash} WHERE event_id = {recorded}"],
        EventChanged,
    ),
    kind(
        "a link is deleted",
        &["DELETE FROM audit_chain WHERE event_id = {recorded}"],
        EventMissing,
    ),
    kind(
        "the first link is deleted",
        &["DELETE FROM audit_chain WHERE chain_id = {project} AND position = 1"],
        EventMissing,
    ),
    kind(
        "two links exchange their positions",
        &[
            "UPDATE audit_chain SET position = 1000 WHERE chain_id = {project} AND position = {position}",
            "UPDATE audit_chain SET position = {position} WHERE chain_id = {project} AND position = {position} + \
            1",
            "UPDATE audit_chain SET position = {position} + 1 WHERE chain_id = {project} AND position = 1000",
        ],
        EventChanged,
    ),
    kind(
        "a link passes by what waits",
        &["UPDATE audit_chain SET event_sequence = 1000000 WHERE event_id = {recorded}"],
        Unreadable,
    ),
    kind(
        "the tail of the chain is cut",
        &["DELETE FROM audit_chain WHERE chain_id = {project} AND position >= {checkpoint}"],
        ChainCut,
    ),
    kind(
        "the tail of the chain is cut with all that it vouched for",
        CUT_TAIL,
        ChainCut,
    ),
    kind(
        "all links of a chain are deleted",
        &["DELETE FROM audit_chain WHERE chain_id = {project}"],
        ChainCut,
    ),
    kind(
        "all links of all chains are deleted",
        &["DELETE FROM audit_chain"],
        ChainCut,
    ),
    kind(
        "a chain is deleted with all that it vouched for",
        &[
            "DELETE FROM record_retraction WHERE project_id = {project}",
            "DELETE FROM deployment_record WHERE project_id = {project}",
            "DELETE FROM audit_event WHERE chain_id = {project}",
            "DELETE FROM audit_chain WHERE chain_id = {project}",
        ],
        ChainCut,
    ),
];

/// Everything is chained anew, as the server would have: only the checkpoint tells.
pub(crate) const CHAINED_ANEW: &[Kind] = &[
    covered_up(
        "an event is changed and the chain recomputed",
        &["UPDATE audit_event SET principal_id = {user} WHERE id = {recorded}"],
        Rechain,
        CheckpointDiffers,
    ),
    covered_up(
        "a refusal is deleted and the chain recomputed",
        &["DELETE FROM audit_event WHERE id = {refused}"],
        Rechain,
        CheckpointDiffers,
    ),
    covered_up(
        "a record is deleted with its event and the chain recomputed",
        &[
            "DELETE FROM audit_event WHERE id = {recorded}",
            "DELETE FROM deployment_record WHERE id = {run_1}",
        ],
        Rechain,
        CheckpointDiffers,
    ),
    covered_up(
        "an event is put in the middle and the chain recomputed",
        &[
            "UPDATE audit_event SET sequence = sequence * 1000000",
            "INSERT INTO audit_event (sequence, id, chain_id, facts, {of_event}) SELECT sequence + 1, {new}, \
            chain_id, '[]', {of_event} FROM audit_event WHERE id = {recorded}",
        ],
        Rechain,
        CheckpointDiffers,
    ),
    covered_up(
        "two events exchange their places and the chain is recomputed",
        EXCHANGE_PLACES,
        Rechain,
        CheckpointDiffers,
    ),
    covered_up(
        "the tail is cut and the chain recomputed",
        CUT_TAIL,
        Rechain,
        ChainCut,
    ),
    covered_up(
        "a record is changed, its event rewritten and the chain recomputed",
        &[
            "UPDATE deployment_record SET version_id = (SELECT version_id FROM deployment_record WHERE id = \
            {run_2}) WHERE id = {run_1}",
        ],
        ForgeDigestsAndRechain,
        CheckpointDiffers,
    ),
    covered_up(
        "a record is moved in the ledger, its event rewritten and the chain recomputed",
        &["UPDATE deployment_record SET sequence = sequence + 1000 WHERE id = {run_1}"],
        ForgeDigestsAndRechain,
        CheckpointDiffers,
    ),
    covered_up(
        "a retraction is changed, its event rewritten and the chain recomputed",
        &["UPDATE record_retraction SET reason = 'a mistake' WHERE record_id = {retracted}"],
        ForgeDigestsAndRechain,
        CheckpointDiffers,
    ),
];

/// Nothing is left of what the checkpoint's last event and the later ones did.
const CUT_TAIL: &[&str] = &[
    "DELETE FROM record_retraction WHERE project_id = {project}",
    "DELETE FROM audit_chain WHERE chain_id = {project} AND position >= {checkpoint}",
    "DELETE FROM audit_event WHERE chain_id = {project} AND id NOT IN (SELECT event_id FROM audit_chain)",
    "DELETE FROM deployment_record WHERE project_id = {project} AND sequence > (SELECT max(sequence) FROM \
            deployment_record WHERE project_id = {other_project})",
];
