//! The ledger as a list, and what follows from it, computed as plainly as can be.

use std::collections::HashMap;

use slipway_kernel::{
    ApplicationId, EnvironmentId, PrincipalId, ProjectId, RecordId, Timestamp, VersionId,
};
use slipway_ledger::{AsOf, NewRecord, RecordFilter, RecordKind, record::ExternalId};

use super::world::{Reported, World};

#[derive(PartialEq, Eq, Hash)]
enum NaturalKey {
    External(ProjectId, PrincipalId, ExternalId),
    Facts(
        ApplicationId,
        VersionId,
        EnvironmentId,
        Timestamp,
        RecordKind,
    ),
}

impl NaturalKey {
    fn of(record: &NewRecord) -> Self {
        match &record.external_id {
            Some(id) => Self::External(record.project, record.reporter, id.clone()),
            None => Self::Facts(
                record.application,
                record.version,
                record.environment,
                record.reported_at,
                record.kind,
            ),
        }
    }
}

/// A record in the list.
pub(super) struct Entry {
    pub(super) record: NewRecord,
    pub(super) sequence: i64,
    pub(super) retracted_at: Option<Timestamp>,
}

/// The ledger as a list.
#[derive(Default)]
pub(super) struct Model {
    pub(super) entries: Vec<Entry>,
    keys: HashMap<NaturalKey, RecordId>,
}

impl Model {
    /// Adds what a store says it added, and checks that it was right to.
    pub(super) fn insert(&mut self, records: &[NewRecord], reported: &[Reported]) {
        assert_eq!(records.len(), reported.len());
        for (record, reported) in records.iter().zip(reported) {
            match (self.keys.get(&NaturalKey::of(record)), reported) {
                (None, Reported::Added(sequence)) => {
                    let last = self.entries.last().map_or(0, |entry| entry.sequence);
                    assert!(*sequence > last, "the ledger's order is the batch's");
                    self.keys.insert(NaturalKey::of(record), record.id);
                    self.entries.push(Entry {
                        record: record.clone(),
                        sequence: *sequence,
                        retracted_at: None,
                    });
                }
                (Some(known), Reported::Present(found)) => assert_eq!(*known, found.id),
                (known, reported) => unreachable!("{record:?}: {reported:?}, known: {known:?}"),
            }
        }
    }

    /// The record that is deployed in a cell.
    pub(super) fn cell(
        &self,
        application: ApplicationId,
        environment: EnvironmentId,
        as_of: Option<AsOf>,
    ) -> Option<&Entry> {
        let counts = |entry: &&Entry| match as_of {
            None => entry.retracted_at.is_none(),
            Some(AsOf { at, known_at: None }) => {
                entry.record.deployed_at <= at && entry.retracted_at.is_none()
            }
            Some(AsOf {
                at,
                known_at: Some(known_at),
            }) => {
                entry.record.deployed_at <= at
                    && entry.record.recorded_at <= known_at
                    && entry
                        .retracted_at
                        .is_none_or(|retracted| retracted > known_at)
            }
        };
        self.entries
            .iter()
            .filter(|entry| {
                entry.record.application == application && entry.record.environment == environment
            })
            .filter(counts)
            .max_by_key(|entry| (entry.record.deployed_at, entry.sequence))
            .filter(|entry| entry.record.kind == RecordKind::Deployed)
    }

    /// The history that a filter selects, newest first.
    pub(super) fn history(&self, world: &World<'_>, filter: &RecordFilter) -> Vec<RecordId> {
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| selects(world, filter, entry))
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.record.deployed_at, entry.sequence)));
        entries.iter().map(|entry| entry.record.id).collect()
    }
}

fn selects(world: &World<'_>, filter: &RecordFilter, entry: &Entry) -> bool {
    let record = &entry.record;
    let place = world.place(record);
    let app = world
        .applications
        .iter()
        .find(|app| app.id == record.application);
    let version = app
        .and_then(|app| app.versions.iter().find(|(id, _)| *id == record.version))
        .map(|(_, identifier)| identifier);
    let by = record
        .deployed_by
        .and_then(|id| world.people.iter().find(|(person, _)| *person == id))
        .map(|(_, name)| name);
    filter
        .application
        .as_ref()
        .is_none_or(|key| *key == place.application)
        && filter
            .environment
            .as_ref()
            .is_none_or(|slug| *slug == place.environment)
        && filter
            .version
            .as_ref()
            .is_none_or(|wanted| Some(wanted) == version)
        && filter.from.is_none_or(|from| record.deployed_at >= from)
        && filter.to.is_none_or(|to| record.deployed_at < to)
        && filter
            .deployed_by
            .as_ref()
            .is_none_or(|wanted| Some(wanted) == by)
        && filter.kind.is_none_or(|kind| record.kind == kind)
        && (filter.include_retracted || entry.retracted_at.is_none())
}
