//! Deployment records: immutable facts.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ApplicationId, ApplicationKind, Attributes, DeploymentId, EnvironmentId, Key, PersonId,
    PrincipalId, ProjectId, RecordId, RiskLevel, Sha256, Slug, StoreError, Text, Timestamp,
    VersionId,
    digest::{CanonicalError, digest_of},
    text::{Notes, Reason},
    words,
};

use crate::{AsOf, CellPlace, CurrentVersion, HeldVersions};

/// How far ahead of ours a reporter's clock may be. A time up to this far ahead counts as now; further ahead it is
/// refused.
pub const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// The name that a reporter claims deployed it: at most 255 bytes. It is a claim, and decides nothing.
pub type DeployedBy = Text<255>;
/// The reporter's own identifier of a deployment: at most 255 bytes.
pub type ExternalId = Text<255>;

/// What a record says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecordKind {
    /// The version was put into the environment.
    Deployed,
    /// The version was taken out of it, and nothing put in its place.
    Removed,
}

words! {
    RecordKind, "kind of record":
    Deployed = "DEPLOYED",
    Removed = "REMOVED",
}

/// A time further ahead than [`CLOCK_SKEW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Deployment date cannot be in future: {given} is ahead of the server's {now} by more than 60 s"
)]
pub struct InFuture {
    /// The time given.
    pub given: Timestamp,
    /// The server's time.
    pub now: Timestamp,
}

/// The time that a record gets: as reported, but never ahead of `now`.
pub fn deployment_time(reported: Timestamp, now: Timestamp) -> Result<Timestamp, InFuture> {
    if reported > now.plus(CLOCK_SKEW) {
        Err(InFuture {
            given: reported,
            now,
        })
    } else {
        Ok(reported.min(now))
    }
}

/// A record to be added. It never changes afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewRecord {
    /// Its identifier.
    pub id: RecordId,
    /// The project.
    pub project: ProjectId,
    /// The application.
    pub application: ApplicationId,
    /// The version, one of that application's.
    pub version: VersionId,
    /// The environment.
    pub environment: EnvironmentId,
    /// What happened.
    pub kind: RecordKind,
    /// When it happened, never ahead of `recorded_at`.
    pub deployed_at: Timestamp,
    /// When it happened as the reporter said; a part of the natural key, so that a retry of a clamped report is known.
    pub reported_at: Timestamp,
    /// When Slipway learned of it.
    pub recorded_at: Timestamp,
    /// Who reported it.
    pub reporter: PrincipalId,
    /// Who deployed it, as the reporter claims.
    pub deployed_by: Option<PersonId>,
    /// How risky it was, as the reporter says.
    pub risk: Option<RiskLevel>,
    /// What the reporter wants to say about it.
    pub notes: Notes,
    /// What the reporter wants to remember about it.
    pub attributes: Attributes,
    /// The reporter's own identifier of it.
    pub external_id: Option<ExternalId>,
    /// The deployment that brought it about; `None` where somebody reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    /// Whether it was reported of an environment that policies govern.
    #[serde(skip_serializing_if = "is_false")]
    pub outside_governance: bool,
}

/// What older records did not have is left out of their digests.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl NewRecord {
    /// What makes another report the same one.
    pub const fn natural_key(&self) -> NaturalKey<'_> {
        match &self.external_id {
            Some(external_id) => NaturalKey::External {
                project: self.project,
                reporter: self.reporter,
                external_id,
            },
            None => NaturalKey::Content {
                application: self.application,
                version: self.version,
                environment: self.environment,
                reported_at: self.reported_at,
                kind: self.kind,
            },
        }
    }

    /// What tells whether a later report is of this record.
    pub const fn known(&self) -> Known {
        Known {
            id: self.id,
            application: self.application,
            version: self.version,
            environment: self.environment,
            kind: self.kind,
        }
    }

    /// The digest that the audit trail keeps of the record, in the form `slipway.record.v1`: over every field, and over
    /// its place in the ledger, because that decides between records of the same deployment time.
    pub fn digest(&self, sequence: i64) -> Result<Sha256, CanonicalError> {
        #[derive(Serialize)]
        struct Hashed<'a> {
            sequence: i64,
            record: &'a NewRecord,
        }
        digest_of(
            "slipway.record.v1",
            &Hashed {
                sequence,
                record: self,
            },
        )
    }
}

/// A record was taken back. It stays in the history, and counts no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retraction {
    /// The record.
    pub record: RecordId,
    /// When it was taken back.
    pub at: Timestamp,
    /// By whom.
    pub by: PrincipalId,
    /// Why.
    pub reason: Reason,
}

impl Retraction {
    /// The digest that the audit trail keeps of it, in the form `slipway.retraction.v1`.
    pub fn digest(&self) -> Result<Sha256, CanonicalError> {
        digest_of("slipway.retraction.v1", self)
    }
}

/// A record as people read it, with the names of what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its identifier.
    pub id: RecordId,
    /// Its place in the ledger: ascending, with gaps.
    pub sequence: i64,
    /// The application.
    pub application: Key,
    /// What people call the application.
    pub application_name: String,
    /// The application's kind.
    pub application_kind: ApplicationKind,
    /// The version's name.
    pub version: Key,
    /// The environment.
    pub environment: Slug,
    /// What people call the environment.
    pub environment_name: String,
    /// What happened.
    pub kind: RecordKind,
    /// When it happened.
    pub deployed_at: Timestamp,
    /// When Slipway learned of it.
    pub recorded_at: Timestamp,
    /// Who reported it.
    pub reporter: PrincipalId,
    /// Who deployed it, as the reporter claims; `None` where nothing was claimed or the name was erased.
    pub deployed_by: Option<String>,
    /// How risky it was, as the reporter says.
    pub risk: Option<RiskLevel>,
    /// What the reporter wanted to say about it.
    pub notes: String,
    /// What the reporter wanted to remember about it.
    pub attributes: Attributes,
    /// The reporter's own identifier of it.
    pub external_id: Option<String>,
    /// When, by whom and why it was taken back.
    pub retraction: Option<Retraction>,
    /// The deployment that brought it about; `None` where somebody reported it.
    pub deployment: Option<DeploymentId>,
    /// Whether it was reported of an environment that policies govern.
    pub outside_governance: bool,
}

/// A record's place in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlace {
    /// When the deployment happened.
    pub deployed_at: Timestamp,
    /// Tells records of the same microsecond apart.
    pub sequence: i64,
}

impl Record {
    /// Its place in the history.
    pub const fn place(&self) -> RecordPlace {
        RecordPlace {
            deployed_at: self.deployed_at,
            sequence: self.sequence,
        }
    }
}

/// Which records a reader wants; what is `None` selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordFilter {
    /// Of this application.
    pub application: Option<Key>,
    /// In this environment.
    pub environment: Option<Slug>,
    /// Of this version, with `application`.
    pub version: Option<Key>,
    /// Deployed at this time or later.
    pub from: Option<Timestamp>,
    /// Deployed before this time.
    pub to: Option<Timestamp>,
    /// Claimed to be deployed by exactly this name.
    pub deployed_by: Option<DeployedBy>,
    /// Of this kind.
    pub kind: Option<RecordKind>,
    /// Whether retracted records are wanted too.
    pub include_retracted: bool,
}

/// What a report stands for, as one unit of work sees it. What does not exist (yet) is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the project takes no changes.
    pub project_archived: bool,
    /// The application.
    pub application: Option<TargetApplication>,
    /// The environment.
    pub environment: Option<TargetEnvironment>,
    /// The version of that application.
    pub version: Option<TargetVersion>,
    /// The claimed name, where it was claimed before.
    pub deployed_by: Option<PersonId>,
    /// The record that has the report's natural key already, retracted or not.
    pub known: Option<Known>,
    /// The place in the ledger that is kept for the report, until the unit of work ends or looks up again.
    pub sequence: i64,
}

/// An application as far as a report needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetApplication {
    /// Its identifier.
    pub id: ApplicationId,
    /// What people call it.
    pub display_name: String,
    /// Its kind.
    pub kind: ApplicationKind,
    /// Whether it takes no new deployments.
    pub archived: bool,
}

/// An environment as far as a report needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetEnvironment {
    /// Its identifier.
    pub id: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// Whether it takes no new deployments.
    pub archived: bool,
    /// Whether policies govern it.
    pub governed: bool,
    /// Whether they refuse reports of services too.
    pub refuses_reports: bool,
}

/// A version as far as a report needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetVersion {
    /// Its identifier.
    pub id: VersionId,
    /// Whether it must not be deployed any more.
    pub deprecated: bool,
}

/// What a report is about, and what makes it the same as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetNames<'a> {
    /// The application's key.
    pub application: &'a Key,
    /// The version's identifier.
    pub version: &'a Key,
    /// The environment's slug.
    pub environment: &'a Slug,
    /// Who deployed it, as claimed.
    pub deployed_by: Option<&'a DeployedBy>,
    /// Who reports it.
    pub reporter: PrincipalId,
    /// The reporter's own identifier of it.
    pub external_id: Option<&'a ExternalId>,
    /// When it happened, as reported.
    pub reported_at: Timestamp,
    /// What happened.
    pub kind: RecordKind,
}

/// What makes two reports the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NaturalKey<'a> {
    /// The reporter's own identifier, unique per project and reporter.
    External {
        /// The project.
        project: ProjectId,
        /// Who reported it.
        reporter: PrincipalId,
        /// The reporter's own identifier.
        external_id: &'a ExternalId,
    },
    /// What it says, where it has no identifier of the reporter's.
    Content {
        /// The application.
        application: ApplicationId,
        /// The version.
        version: VersionId,
        /// The environment.
        environment: EnvironmentId,
        /// When it happened, as reported.
        reported_at: Timestamp,
        /// What happened.
        kind: RecordKind,
    },
}

/// A record that was there already, as far as it tells whether it is the one reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The record.
    pub id: RecordId,
    /// Its application.
    pub application: ApplicationId,
    /// Its version.
    pub version: VersionId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// What it says happened.
    pub kind: RecordKind,
}

/// A record to be added, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<'a> {
    /// The record.
    pub record: &'a NewRecord,
    /// Its place in the ledger.
    pub sequence: i64,
    /// The cell, by name.
    pub cell: CellPlace,
}

/// Changes the ledger, inside a unit of work.
///
/// A record's natural key is its `external_id` where it has one (unique per project and reporter), else its
/// application, version, environment, reported time and kind.
#[async_trait]
pub trait RecordRepository: Send {
    /// Which versions of these applications were current in an environment at that time, by the applications' keys. Nothing
    /// is held.
    async fn versions_at(
        &mut self,
        environment: EnvironmentId,
        applications: &BTreeSet<Key>,
        as_of: AsOf,
    ) -> Result<Vec<CurrentVersion>, StoreError>;

    /// Which versions of these applications are current in an environment. An adapter MUST hold the cells that there are,
    /// emptied ones too, until the unit of work ends.
    async fn hold_versions(
        &mut self,
        environment: EnvironmentId,
        applications: &BTreeSet<Key>,
    ) -> Result<HeldVersions, StoreError>;

    /// What each report stands for, in the reports' order, and a place in the ledger for each, ascending in that order.
    /// Places that nothing is added at are left empty. One statement for one report; a bounded number for many.
    async fn targets(
        &mut self,
        project: ProjectId,
        names: &[TargetNames<'_>],
    ) -> Result<Vec<Target>, StoreError>;

    /// The persons that these claimed names stand for in the project, in the names' order; unknown ones are added with
    /// the identifier given beside them.
    async fn claim_names(
        &mut self,
        project: ProjectId,
        names: &[(&DeployedBy, PersonId)],
    ) -> Result<Vec<PersonId>, StoreError>;

    /// Adds records at the places that [`Self::targets`] kept in this unit of work, and moves the current state forward:
    /// each cell holds the record with the latest deployment time, then the highest sequence. An adapter MUST lock every
    /// cell named, also where it stays as it is, until the unit of work ends.
    ///
    /// Where somebody else added a record with the same natural key meanwhile, this call or the commit answers
    /// [`StoreError::Conflict`], and the use case starts over.
    async fn add(&mut self, placed: &[Placed<'_>]) -> Result<(), StoreError>;

    /// Adds a retraction and recomputes the record's cell. An adapter MUST answer `false`, and change nothing, where
    /// the record is retracted already.
    async fn retract(
        &mut self,
        project: ProjectId,
        retraction: &Retraction,
    ) -> Result<bool, StoreError>;

    /// One record of a project, as this unit of work sees it.
    async fn get(&mut self, project: ProjectId, id: RecordId)
    -> Result<Option<Record>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).expect("in range")
    }

    #[test]
    fn a_little_ahead_counts_as_now_and_more_is_refused() {
        let now = at(1_000_000_000);
        assert_eq!(deployment_time(at(5), now), Ok(at(5)));
        assert_eq!(deployment_time(now.plus(CLOCK_SKEW), now), Ok(now));
        let ahead = at(now.micros() + 60_000_001);
        assert_eq!(
            deployment_time(ahead, now),
            Err(InFuture { given: ahead, now })
        );
    }

    #[test]
    fn names_come_back() {
        assert_eq!("REMOVED".parse(), Ok(RecordKind::Removed));
    }
}
