//! The ledger: reporting deployments.

mod creation;
mod import;
mod record;
mod recording;
mod report;

pub use creation::Created;
pub use import::{BatchOutcome, ImportBatch, ImportLine, LineOutcome, import_batch};
pub use record::{RecordDeployment, Recorded, record_deployment};
pub use report::{CreateMissing, Report};

use slipway_kernel::{Key, RecordId, Slug};
use slipway_ledger::record::InFuture;

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
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(LedgerError);
