//! What the ledger must say.

use super::{Answer, Cells, Fault, Model, Record, Time, failed, not_found, refused};
use crate::sequences::operations::{Report, When};
use crate::sequences::world::{APPLICATIONS, ENVIRONMENTS, Person, Terms, version};
use tonic::Code;

impl Model {
    /// What is current in an environment: of each application the record with the latest time, of equal times the one
    /// that was written last; a removal leaves nothing. Retracted records count for nothing.
    pub(in crate::sequences) fn cells(&self, environment: usize) -> Cells {
        let counts = |record: &&Record| record.environment == environment && self.stands(record);
        self.current(self.records.iter().filter(counts))
    }

    fn stands(&self, record: &Record) -> bool {
        !record.retracted || self.wrongly(Fault::RetractionLeavesState)
    }

    fn current<'r>(&self, records: impl Iterator<Item = &'r Record>) -> Cells {
        let mut cells = Cells::new();
        let mut in_order: Vec<_> = records.collect();
        if !self.wrongly(Fault::LateReportMoves) {
            // Stable: of equal times the order stays that in which they were written.
            in_order.sort_by_key(|record| record.time);
        }
        for record in in_order {
            if record.removed {
                cells.remove(&record.application)
            } else {
                cells.insert(record.application, record.version)
            };
        }
        cells
    }

    /// What was current everywhere at a moment, with what is known now, by application and environment.
    pub(in crate::sequences) fn matrix(
        &self,
        was: impl Fn(usize) -> bool,
    ) -> Vec<(String, String, String)> {
        let until: Vec<_> = (0..self.records.len()).filter(|at| was(*at)).collect();
        let mut matrix = Vec::new();
        for (environment, (slug, _)) in ENVIRONMENTS.iter().enumerate() {
            let records = until.iter().map(|at| &self.records[*at]);
            let counts =
                |record: &&Record| record.environment == environment && self.stands(record);
            for (application, at) in self.current(records.filter(counts)) {
                let key = APPLICATIONS[application].key.to_owned();
                matrix.push((key, (*slug).to_owned(), version(application, at).to_owned()));
            }
        }
        matrix.sort();
        matrix
    }

    pub(super) fn record(&mut self, who: Person, report: &Report) -> Result<Answer, Answer> {
        self.must_write(who)?;
        let before = self.records.len();
        self.reported(who, report, before).map(Answer::Recorded)
    }

    pub(super) fn import(&mut self, who: Person, reports: &[Report]) -> Result<Answer, Answer> {
        self.must_write(who)?;
        let before = self.records.len();
        let (mut recorded, mut present, mut errors) = (0, 0, Vec::new());
        for (line, report) in (1..).zip(reports) {
            match self.reported(who, report, before) {
                Ok(false) => recorded += 1,
                Ok(true) => present += 1,
                Err(Answer::Refused(_, reason)) => errors.push((line, reason)),
                Err(other) => return Err(other),
            }
        }
        Ok(Answer::Imported(recorded, present, errors))
    }

    /// Whether it was there already. Of two lines of one import that are the same, the second is told its own faults first:
    /// so many records were there `before`.
    fn reported(&mut self, who: Person, report: &Report, before: usize) -> Result<bool, Answer> {
        let known = self.known(who, report);
        let repeated = |at: usize| {
            if is_same(&self.records[at], report) {
                Ok(true)
            } else {
                refused(Code::AlreadyExists, "EXTERNAL_ID_REUSED")
            }
        };
        let is_known = known.filter(|_| !self.wrongly(Fault::RepeatedReportIsNew));
        if let Some(at) = is_known.filter(|at| *at < before) {
            return repeated(at);
        }
        let (time, outside) = self.recordable(report)?;
        if let Some(at) = is_known {
            return repeated(at);
        }
        self.records.push(Record {
            application: report.application,
            version: report.version,
            environment: report.environment,
            removed: report.removed,
            time,
            reporter: who,
            external_id: report.external_id,
            retracted: false,
            outside,
            deployment: None,
        });
        Ok(false)
    }

    /// When a deployment happened that is reported, and whether the report is outside of governance.
    fn recordable(&self, report: &Report) -> Result<(Time, bool), Answer> {
        if ENVIRONMENTS.get(report.environment).is_none() {
            return not_found("ENVIRONMENT_NOT_FOUND");
        }
        let Some(application) = APPLICATIONS.get(report.application) else {
            return not_found("APPLICATION_NOT_FOUND");
        };
        match report.version {
            0..3 => {}
            3 => return not_found("VERSION_NOT_FOUND"),
            _ => return failed("VERSION_NOT_OF_APPLICATION"),
        }
        let governed = self.governed(report.environment);
        let refuses = !application.is_service || self.refuses_reports(report.environment);
        if governed && refuses && !self.wrongly(Fault::ReportsGoAroundPolicies) {
            return failed("ENVIRONMENT_GOVERNED");
        }
        if !report.removed
            && self
                .deprecated
                .contains(&(report.application, report.version))
        {
            return failed("VERSION_DEPRECATED");
        }
        match report.when {
            When::Before(minutes) => Ok((Time::Before(minutes), governed)),
            When::Now => Ok((Time::WhenRecorded, governed)),
            When::Ahead => refused(Code::InvalidArgument, "DEPLOYMENT_TIME_IN_FUTURE"),
        }
    }

    /// The record that a report would be again: that with the same id of the same reporter; without an id, the same fact.
    fn known(&self, who: Person, report: &Report) -> Option<usize> {
        self.records.iter().position(|it| {
            let reported = it.deployment.is_none() && it.external_id == report.external_id;
            reported
                && match (report.external_id, report.when) {
                    (Some(_), _) => it.reporter == who,
                    (None, When::Before(minutes)) => {
                        it.time == Time::Before(minutes) && is_same(it, report)
                    }
                    (None, _) => false,
                }
        })
    }

    fn refuses_reports(&self, environment: usize) -> bool {
        self.policies.get(&environment) == Some(&Terms::Strict)
    }

    pub(super) fn retract(&mut self, who: Person, record: Option<usize>) -> Result<Answer, Answer> {
        self.must_administer(who)?;
        let Some(at) = record else {
            return not_found("RECORD_NOT_FOUND");
        };
        let record = &self.records[at];
        let is_fact = APPLICATIONS[record.application].is_service && record.deployment.is_none();
        let environment = record.environment;
        if self.governed(environment) && (!is_fact || self.refuses_reports(environment)) {
            return failed("ENVIRONMENT_GOVERNED");
        }
        if record.retracted {
            return failed("RECORD_ALREADY_RETRACTED");
        }
        self.records[at].retracted = true;
        Ok(Answer::Done)
    }

    pub(super) fn deprecate(
        &mut self,
        who: Person,
        application: usize,
        version: usize,
    ) -> Result<Answer, Answer> {
        self.must_write(who)?;
        if APPLICATIONS.get(application).is_none() {
            return not_found("APPLICATION_NOT_FOUND");
        }
        if version >= 3 {
            return not_found("VERSION_NOT_FOUND");
        }
        self.deprecated.insert((application, version));
        Ok(Answer::Done)
    }

    pub(super) fn get_current_state(
        &self,
        application: usize,
        environment: usize,
    ) -> Result<Answer, Answer> {
        if APPLICATIONS.get(application).is_none() {
            return not_found("APPLICATION_NOT_FOUND");
        }
        if ENVIRONMENTS.get(environment).is_none() {
            return not_found("ENVIRONMENT_NOT_FOUND");
        }
        let cells = self.cells(environment);
        let found = cells
            .get(&application)
            .map(|at| version(application, *at).to_owned());
        Ok(Answer::Cell(found))
    }

    pub(super) fn list_records(&self, application: usize, all: bool) -> Result<Answer, Answer> {
        if APPLICATIONS.get(application).is_none() {
            return not_found("APPLICATION_NOT_FOUND");
        }
        let listed = |it: &&Record| it.application == application && (all || !it.retracted);
        Ok(Answer::Counted(self.records.iter().filter(listed).count()))
    }
}

fn is_same(record: &Record, report: &Report) -> bool {
    record.application == report.application
        && record.version == report.version
        && record.environment == report.environment
        && record.removed == report.removed
}
