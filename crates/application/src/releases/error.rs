use slipway_deployments::{DeploymentKind, State, check::Missing, release::Findings};
use slipway_kernel::{Key, Sha256, Timestamp};

use super::start::told as told_checks;
use crate::freezes::Frozen;

/// Why a release was not made, not carried out or not rolled back.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Something stands against a release.
    #[error("{}", against(findings))]
    HasFindings {
        /// All that was found.
        findings: Findings,
    },
    /// It can't be to begin then.
    #[error("start_time is {at}: it must not be before now, nor more than 90 days ahead")]
    StartTime {
        /// When it was to begin.
        at: Timestamp,
    },
    /// It does not wait for somebody to execute it.
    #[error(
        "deployment #{number} is a {kind} that is {state}: only a release that is APPROVED is executed"
    )]
    NotExecutable {
        /// Its number.
        number: i64,
        /// What it is.
        kind: DeploymentKind,
        /// Where it is.
        state: State,
    },
    /// It is not to begin yet.
    #[error("deployment #{number} is not to begin before {until}")]
    TooEarly {
        /// Its number.
        number: i64,
        /// From when on it may.
        until: Timestamp,
    },
    /// Freezes stand in the way.
    #[error(transparent)]
    Frozen(#[from] Frozen),
    /// Checks that a policy demands have not passed.
    #[error(
        "deployment #{number} lacks checks that a policy demands: {}",
        told_checks(missing)
    )]
    ChecksMissing {
        /// Its number.
        number: i64,
        /// Those that have not passed.
        missing: Vec<Missing>,
    },
    /// What people agreed to does not count any more.
    #[error("deployment #{number} waits for approval again: {why}; nothing was touched")]
    ApprovalFell {
        /// Its number.
        number: i64,
        /// Why.
        why: String,
    },
    /// A release would do something else than what was looked at.
    #[error(
        "deployment #{number} would do something else than what was looked at: its digest begins with {digest:.12} now, \
         and not with {looked_at:.12}; nothing was touched: read it again, look at it, and have \
         it agreed to again where people had to"
    )]
    Changed {
        /// Its number.
        number: i64,
        /// Its digest as it is now.
        digest: Sha256,
        /// The digest of what was looked at.
        looked_at: Sha256,
    },
    /// A workflow can't be put back from the catalog.
    #[error(
        "deployment #{undone} can't be rolled back: Slipway keeps no content of version `{version}` of the workflow \
         `{application}`, which would be written into the engine; restore a snapshot from before it"
    )]
    NoContent {
        /// The number of the one that is to be rolled back.
        undone: i64,
        /// The workflow.
        application: Key,
        /// Its version.
        version: Key,
    },
    /// It can't be gone back to.
    #[error("deployment #{undone} can't go back to deployment #{number}: {why}")]
    NotATarget {
        /// The number of the one to go back to.
        number: i64,
        /// The number of the one that is to be rolled back.
        undone: i64,
        /// Why not.
        why: &'static str,
    },
}

fn against(findings: &Findings) -> String {
    let count = findings.errors().count() + findings.left_out;
    let first = findings.errors().next();
    let first = first.map_or("", |finding| &finding.message);
    match count {
        1 => format!("something stands against the release: {first}"),
        count => format!("{count} problems stand against the release, first: {first}"),
    }
}
