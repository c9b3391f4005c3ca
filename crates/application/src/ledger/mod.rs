//! The ledger: reporting deployments, and asking what is where.

mod compare;
mod creation;
mod current_state;
mod feed;
mod history;
mod import;
mod moment;
mod names;
mod record;
mod recording;
mod report;
mod resolve;
mod retract;
mod statistics;
mod watch;

pub use compare::{Comparison, ComparisonCursor, ComparisonPage, Sides, compare_environments};
pub use creation::Created;
pub use current_state::{CellCursor, CellPage, CellState, get_current_state, list_current_state};
pub(crate) use feed::Feed;
pub use feed::feed_watchers;
pub use history::{get_deployment_record, list_deployment_records};
pub use import::{BatchOutcome, ImportBatch, ImportLine, LineOutcome, import_batch};
pub use moment::{Moment, TimeAhead, TimesAhead};
pub use record::{RecordDeployment, Recorded, record_deployment};
pub use report::{CreateMissing, Report};
pub use resolve::{Resolution, ResolveVersion, resolve_version};
pub use retract::{RetractRecord, retract_deployment_record};
pub use statistics::{MAX_WINDOW_DAYS, get_statistics};
pub use watch::{Watch, WatchError, WatchEvent};

use slipway_kernel::{ApplicationKind, Key, RecordId, Sha256, Slug, object::ObjectError};
use slipway_ledger::record::{ExternalId, InFuture};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about the ledger was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no such application.
    #[error(
        "there is no application `{key}` in this project; create it, or allow it in create_missing"
    )]
    ApplicationNotFound {
        /// The key given.
        key: Key,
    },
    /// There is no such version, of any application.
    #[error(
        "the application `{application}` has no version `{version}`; create it, or allow it in create_missing"
    )]
    VersionNotFound {
        /// The application.
        application: Key,
        /// The version given.
        version: Key,
    },
    /// The version is another application's.
    #[error(
        "Version does not belong to selected application: `{version}` is no version of `{application}`, but of others"
    )]
    VersionElsewhere {
        /// The application given.
        application: Key,
        /// The version given.
        version: Key,
    },
    /// There is no such environment.
    #[error(
        "there is no environment `{slug}` in this project; create it, or allow it in create_missing"
    )]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The application takes no new deployments.
    #[error("the application `{key}` is archived: nothing of it can be deployed")]
    ApplicationArchived {
        /// The application.
        key: Key,
    },
    /// The environment takes no new deployments.
    #[error("the environment `{slug}` is archived: nothing can be deployed to it")]
    EnvironmentArchived {
        /// The environment.
        slug: Slug,
    },
    /// Policies govern the environment.
    #[error(
        "policies govern the environment `{slug}`: what is there of kind {kind} changes by deployments only, not by reports; \
         use CreateRelease, a promotion or a rollback"
    )]
    EnvironmentGoverned {
        /// The environment.
        slug: Slug,
        /// What sort of thing was reported.
        kind: ApplicationKind,
    },
    /// The version must not be deployed any more.
    #[error(
        "the version `{version}` of `{application}` is deprecated and can't be deployed any more"
    )]
    VersionDeprecated {
        /// The application.
        application: Key,
        /// The version.
        version: Key,
    },
    /// The reporter used its identifier for another deployment.
    #[error(
        "the external_id `{external_id}` was used for another deployment, record {id}; use one id per deployment"
    )]
    ExternalIdReused {
        /// The identifier given.
        external_id: ExternalId,
        /// The record that bears it.
        id: RecordId,
    },
    /// The time lies ahead.
    #[error(transparent)]
    InFuture(#[from] InFuture),
    /// There is no such record.
    #[error("there is no deployment record {id} in this project")]
    RecordNotFound {
        /// The id given.
        id: RecordId,
    },
    /// The record was taken back before.
    #[error("the deployment record {id} was retracted before; a retraction is final")]
    AlreadyRetracted {
        /// The record.
        id: RecordId,
    },
    /// Nothing of the application is in the environment.
    #[error("nothing of `{application}` is deployed in `{environment}`")]
    NothingDeployed {
        /// The application.
        application: Key,
        /// The environment.
        environment: Slug,
    },
    /// Times asked for lie ahead.
    #[error(transparent)]
    TimesAhead(#[from] TimesAhead),
    /// The object store.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The content that a version should have is gone.
    #[error("the object store has nothing under {digest}, where a version's content should be")]
    ContentMissing {
        /// The digest.
        digest: Sha256,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(LedgerError);
