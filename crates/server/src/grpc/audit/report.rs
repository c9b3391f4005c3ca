//! Compliance reports, as a stream: in messages, or as a text.

mod csv;
mod html;
mod structured;

use std::collections::{HashSet, VecDeque};

use slipway_api::audit::v1 as proto;
use slipway_api::audit::v1::ComplianceReportFormat as Format;
use slipway_api::audit::v1::get_compliance_report_response::Message;
use slipway_application::audit::{ComplianceReport, ReportQuestion, compliance_report};
use slipway_audit::report::{DeploymentFacts, Entry, Exception};
use slipway_kernel::time::DAY;
use slipway_kernel::{PrincipalId, Slug, Timestamp};

use self::html::{Page, Part};
use self::structured::shown_record;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names, count};
use crate::grpc::stream::{Ended, Source};

/// The longest period.
const MAX_DAYS: u32 = 366;
/// How many records go into one message, so that it stays far below what clients accept: a record takes at most 3,000
/// bytes, most of them the reason of a retraction.
const RECORDS_PER_MESSAGE: usize = 200;
/// How many items go into one message: an item takes at most 4,000 bytes, most of them what people say of it.
const ITEMS_PER_MESSAGE: usize = 200;
/// How many states of a deployment are shown.
const MAX_STATES: usize = 200;
/// How many bytes of text go into one message.
const CHUNK: usize = 256 * 1024;

/// A report that is being sent.
pub(super) struct Sending {
    form: Form,
    /// What is not sent yet of a text.
    text: Vec<u8>,
    entries: std::vec::IntoIter<Entry>,
    waiting: VecDeque<Message>,
    sent: proto::ComplianceReportSummary,
    ended: bool,
}

/// How a report is told.
enum Form {
    Structured,
    Csv,
    Html(Box<Page>),
}

pub(super) async fn start(
    session: &mut Session,
    message: proto::GetComplianceReportRequest,
) -> Result<Sending, Refusal> {
    session.admit(&message.project).await?;
    let (question, format) = parse(&message)?;
    let project = question.project.clone();
    let call = session.call("");
    let report = compliance_report(session.context(), &call, question).await?;
    let header = header(&project, &report);
    let (form, text) = match format {
        Format::Unspecified | Format::Structured => (Form::Structured, String::new()),
        Format::Csv => (Form::Csv, csv::header()),
        Format::Html => {
            let page = Page::new(&project, &report);
            let head = page.head();
            (Form::Html(Box::new(page)), head)
        }
    };
    Ok(Sending {
        form,
        text: text.into_bytes(),
        entries: report.report.entries.into_iter(),
        waiting: [Message::Header(header)].into(),
        sent: proto::ComplianceReportSummary::default(),
        ended: false,
    })
}

fn parse(message: &proto::GetComplianceReportRequest) -> Result<(ReportQuestion, Format), Refusal> {
    let mut fields = Fields::default();
    let project = fields.required("project", &message.project);
    let environment = fields.optional("environment", &message.environment);
    let (from, to) = period(&mut fields, message.from_time, message.to_time);
    let format = fields.choice("format", message.format, Some::<Format>);
    fields.finish(|| {
        let question = ReportQuestion {
            project: project?,
            from: from?,
            to: to?,
            environment,
        };
        Some((question, format?))
    })
}

/// The period of a report or of figures.
pub(super) fn period(
    fields: &mut Fields,
    from: Option<prost_types::Timestamp>,
    to: Option<prost_types::Timestamp>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let mut time = |field: &str, given: Option<prost_types::Timestamp>| {
        if given.is_none() {
            fields.refuse(field, "is required");
        }
        fields.time(field, given)
    };
    let (from, to) = (time("from_time", from), time("to_time", to));
    if let (Some(from), Some(to)) = (from, to) {
        if to <= from {
            fields.refuse("to_time", "must be after `from_time`");
        } else if to > from.plus(DAY * MAX_DAYS) {
            fields.refuse(
                "to_time",
                format_args!("must be at most {MAX_DAYS} days after `from_time`"),
            );
        }
    }
    (from, to)
}

fn header(project: &Slug, report: &ComplianceReport) -> proto::ComplianceReportHeader {
    let bounds = &report.report.bounds;
    let population = &report.report.population;
    let environment = bounds.environment.as_ref();
    let reported = population.outside_governance + population.ungoverned;
    proto::ComplianceReportHeader {
        project: project.to_string(),
        environment: environment
            .map(|(_, slug)| slug.to_string())
            .unwrap_or_default(),
        from_time: Some(show::time(bounds.from)),
        to_time: Some(show::time(bounds.to)),
        generated_time: Some(show::time(report.generated_at)),
        deployment_count: count(population.deployments),
        deployment_record_count: count(population.deployed_records),
        outside_governance_record_count: count(population.outside_governance),
        ungoverned_record_count: count(population.ungoverned),
        entry_count: count(population.deployments + reported),
        exception_count: count(population.exceptions),
        digest: show::digest(report.report.digest),
        project_id: bounds.project.to_string(),
    }
}

/// Counts an entry as sent.
fn add(sent: &mut proto::ComplianceReportSummary, entry: &Entry) {
    sent.entry_count += 1;
    let records = match entry {
        Entry::Reported { .. } => 1,
        Entry::Deployment { facts, .. } => facts.records.len(),
    };
    sent.record_count += count(records as u64);
}

impl Sending {
    /// Puts the next part of the report into the text or the queue; `false` where there is none.
    async fn go_on(&mut self, session: &Session) -> Result<bool, Refusal> {
        if let Form::Html(page) = &mut self.form {
            let Some(part) = page.next(self.entries.as_slice()) else {
                return Ok(false);
            };
            let names = match part {
                Part::Short(entry) | Part::Whole(entry) => names(session, entry).await?,
                Part::Begin | Part::End => Names::default(),
            };
            let told = page.tell(&part, &names);
            if let Part::Whole(entry) = part {
                add(&mut self.sent, entry);
            }
            self.text.extend_from_slice(told.as_bytes());
            self.cut(CHUNK);
            return Ok(true);
        }
        let Some(entry) = self.entries.next() else {
            return Ok(false);
        };
        let names = names(session, &entry).await?;
        add(&mut self.sent, &entry);
        if let Form::Structured = self.form {
            self.queue(entry, &names);
            return Ok(true);
        }
        let name = |id| names.principal(id).display_name;
        for line in csv::lines(&entry, &name) {
            self.text.extend_from_slice(line.as_bytes());
        }
        self.cut(CHUNK);
        Ok(true)
    }

    /// Puts parts of the text into the queue, as long as it has so many bytes.
    fn cut(&mut self, least: usize) {
        while !self.text.is_empty() && self.text.len() >= least {
            let rest = self.text.split_off(self.text.len().min(CHUNK));
            let part = std::mem::replace(&mut self.text, rest);
            self.waiting.push_back(Message::Content(part.into()));
        }
    }

    /// Puts an entry's messages into the queue.
    fn queue(&mut self, entry: Entry, names: &Names) {
        let shown = |exceptions: Vec<Exception>| {
            let shown = |exception| structured::exception(exception, names);
            exceptions.into_iter().map(shown).collect()
        };
        match entry {
            Entry::Reported { record, exceptions } => {
                let record = shown_record(*record, names);
                let subject = proto::compliance_entry::Subject::ReportedRecord(record);
                self.waiting
                    .push_back(Message::Entry(proto::ComplianceEntry {
                        exceptions: shown(exceptions),
                        subject: Some(subject),
                    }));
            }
            Entry::Deployment {
                mut facts,
                four_eyes,
                exceptions,
            } => {
                let items = std::mem::take(&mut facts.items);
                let records = std::mem::take(&mut facts.records);
                let id = facts.deployment.id.to_string();
                let counts = (items.len(), records.len());
                let deployment = structured::deployment(*facts, four_eyes, counts, names);
                let subject = proto::compliance_entry::Subject::Deployment(deployment);
                self.waiting
                    .push_back(Message::Entry(proto::ComplianceEntry {
                        exceptions: shown(exceptions),
                        subject: Some(subject),
                    }));
                let mut items = items.into_iter().peekable();
                while items.peek().is_some() {
                    let some = items.by_ref().take(ITEMS_PER_MESSAGE);
                    let items = some.map(structured::shown_item).collect();
                    self.waiting
                        .push_back(Message::Items(proto::ComplianceItems {
                            deployment_id: id.clone(),
                            items,
                        }));
                }
                let mut records = records.into_iter().peekable();
                while records.peek().is_some() {
                    let some = records.by_ref().take(RECORDS_PER_MESSAGE);
                    let records = some.map(|record| shown_record(record, names)).collect();
                    self.waiting
                        .push_back(Message::Records(proto::ComplianceRecords {
                            deployment_id: id.clone(),
                            records,
                        }));
                }
            }
        }
    }
}

impl Source for Sending {
    type Answer = proto::GetComplianceReportResponse;

    async fn next(&mut self, session: &mut Session) -> Result<Option<Self::Answer>, Ended> {
        while self.waiting.is_empty() && !self.ended {
            if !self.go_on(session).await? {
                self.ended = true;
                self.cut(0);
                self.waiting.push_back(Message::Summary(self.sent));
            }
        }
        let message = self.waiting.pop_front();
        Ok(message.map(|message| proto::GetComplianceReportResponse {
            message: Some(message),
        }))
    }
}

/// What those are called whom an entry mentions.
async fn names(session: &Session, entry: &Entry) -> Result<Names, Refusal> {
    let names = session.context().display_names(mentioned(entry)).await;
    Ok(Names(names.map_err(Refusal::from)?))
}

/// Whose names an entry shows.
fn mentioned(entry: &Entry) -> HashSet<PrincipalId> {
    let mut who = HashSet::new();
    let records = match entry {
        Entry::Deployment { facts, .. } => {
            who.extend(mentioned_in(facts));
            facts.records.as_slice()
        }
        Entry::Reported { record, .. } => std::slice::from_ref(record.as_ref()),
    };
    for record in records {
        who.insert(record.reporter);
        who.extend(record.retraction.as_ref().map(|retraction| retraction.by));
    }
    for exception in entry.exceptions() {
        if let Exception::Violation { principal, .. } = exception {
            who.extend(*principal);
        }
    }
    who
}

fn mentioned_in(facts: &DeploymentFacts) -> HashSet<PrincipalId> {
    let mut who: HashSet<_> = [facts.deployment.requested_by].into();
    who.extend(facts.deployment.executed_by);
    who.extend(facts.freezes.iter().map(|crossed| crossed.by));
    for request in &facts.requests {
        who.extend(request.decisions.iter().map(|made| made.principal));
        if let Some(overridden) = &request.overridden {
            who.insert(overridden.principal);
            who.extend(overridden.review.as_ref().map(|review| review.principal));
        }
    }
    who
}
