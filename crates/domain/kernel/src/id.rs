//! One type per kind of identifier, so that a principal's id can't be passed where a project's is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Makes new identifiers. Outside of tests they are `UUIDv7` (RFC 9562): unique, and ascending with time.
pub trait IdGenerator: Send + Sync {
    /// A new identifier, never returned before.
    fn uuid(&self) -> Uuid;
}

/// A text that should have been a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a UUID; expected a form like 0192f0c1-2345-7abc-8def-0123456789ab")]
pub struct IdError {
    /// What was given, cut after 64 characters.
    pub given: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Gives an existing identifier its type.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A new identifier.
            pub fn new(ids: &dyn IdGenerator) -> Self {
                Self(ids.uuid())
            }

            /// The identifier without its type, for adapters.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| IdError { given: text.chars().take(64).collect() })
            }
        }
    )+};
}

ids! {
    /// A project, the unit of isolation.
    ProjectId;
    /// A user or a service account.
    PrincipalId;
    /// A token of a principal.
    TokenId;
    /// A name of a person that can be erased: a principal's, or one claimed in `deployed_by`.
    PersonId;
    /// A pipeline of a project.
    PipelineId;
    /// One governed act of change to one environment.
    DeploymentId;
    /// A template for releases, in all of its versions.
    TemplateId;
    /// The question whether a deployment may be carried out.
    ApprovalRequestId;
    /// Who has to agree to deployments in a part of a project.
    PolicyId;
    /// A time in which deployments don't begin.
    FreezeWindowId;
    /// What an environment looked like at some moment.
    SnapshotId;
    /// An environment of a project.
    EnvironmentId;
    /// An application of a project.
    ApplicationId;
    /// A version of an application.
    VersionId;
    /// A deployment record in the ledger.
    RecordId;
    /// An audit event.
    EventId;
    /// Somebody who is told what happens in a project.
    WebhookId;
    /// One event on its way to one webhook.
    DeliveryId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = ProjectId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<ProjectId>(), Ok(id));
    }

    #[test]
    fn a_wrong_id_is_named_in_the_error() {
        let error = "seven".parse::<RecordId>().expect_err("not a UUID");
        assert!(
            error.to_string().starts_with("`seven` is not a UUID"),
            "{error}"
        );
    }
}
