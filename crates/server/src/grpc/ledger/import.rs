//! Importing deployments: a header, then batches, each answered in order.

use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1 as proto;
use slipway_api::ledger::v1::import_deployments_request::Message;
use slipway_application::ledger::{
    BatchOutcome, CreateMissing, ImportBatch, ImportLine, LineOutcome, Report, import_batch,
};
use slipway_kernel::Slug;
use tonic::{Code, Streaming};

use super::report;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::stream::{Ended, Source};

/// How many lines a batch may have.
const MAX_LINES: usize = 1_000;

/// An import in progress. A batch is read when the one before it was answered, so that what a caller sends ahead waits
/// in the connection, within its window.
pub(super) struct Import {
    incoming: Streaming<proto::ImportDeploymentsRequest>,
    header: Option<Header>,
    last_line: i64,
}

/// What holds for the whole import.
#[derive(Clone)]
struct Header {
    project: Slug,
    create_missing: CreateMissing,
}

impl Import {
    pub(super) const fn new(incoming: Streaming<proto::ImportDeploymentsRequest>) -> Self {
        Self {
            incoming,
            header: None,
            last_line: 0,
        }
    }

    /// The lines of a batch that are well formed, and what is wrong with the others.
    fn lines(
        &mut self,
        batch: proto::ImportBatch,
    ) -> Result<(Vec<ImportLine>, Vec<Faulty>), Refusal> {
        let count = batch.lines.len();
        if !(1..=MAX_LINES).contains(&count) {
            let what = format!("has {count} lines; 1 to {MAX_LINES} are allowed");
            return Err(Refusal::fields(vec![("batch.lines".to_owned(), what)]));
        }
        let mut lines = Vec::with_capacity(count);
        let mut errors = Vec::new();
        for line in batch.lines {
            if line.line <= self.last_line {
                return Err(out_of_order(format!(
                    "line {} comes after line {}; number lines from 1 on, rising",
                    line.line, self.last_line
                )));
            }
            self.last_line = line.line;
            match parse(line.report.unwrap_or_default()) {
                Ok(report) => lines.push(ImportLine {
                    line: line.line,
                    report,
                }),
                Err(refusal) => errors.push((line.line, refusal)),
            }
        }
        Ok((lines, errors))
    }

    async fn commit(
        &mut self,
        session: &mut Session,
        header: Header,
        batch: proto::ImportBatch,
    ) -> Result<proto::ImportDeploymentsResponse, Refusal> {
        let (lines, mut errors) = self.lines(batch)?;
        session.renew().await?;
        let batch = ImportBatch {
            project: header.project,
            create_missing: header.create_missing,
            lines,
        };
        let mut answer = proto::ImportDeploymentsResponse {
            committed_through_line: self.last_line,
            ..proto::ImportDeploymentsResponse::default()
        };
        if batch.lines.is_empty() {
            session.admit(batch.project.as_str()).await?;
        } else {
            let outcome = import_batch(session.context(), &session.call(""), &batch).await?;
            tell(&mut answer, &mut errors, &batch, outcome);
        }
        errors.sort_unstable_by_key(|(line, _)| *line);
        for (line, refusal) in errors {
            session.note(&refusal).await;
            answer.errors.push(line_error(line, refusal));
        }
        Ok(answer)
    }
}

impl Source for Import {
    type Answer = proto::ImportDeploymentsResponse;

    async fn next(&mut self, session: &mut Session) -> Result<Option<Self::Answer>, Ended> {
        loop {
            let message = self.incoming.message().await.map_err(Ended::Broken)?;
            let Some(message) = message else {
                return match self.header {
                    Some(_) => Ok(None),
                    None => Err(out_of_order("the stream ended before its header").into()),
                };
            };
            match (message.message, self.header.clone()) {
                (Some(Message::Header(header)), None) => {
                    session.admit(&header.project).await?;
                    self.header = Some(parse_header(&header)?);
                }
                (Some(Message::Batch(batch)), Some(header)) => {
                    return Ok(Some(self.commit(session, header, batch).await?));
                }
                (Some(Message::Header(_)), Some(_)) => {
                    return Err(out_of_order("the header was sent before; send it once").into());
                }
                (Some(Message::Batch(_)), None) => {
                    return Err(
                        out_of_order("a batch came before the header; send it first").into(),
                    );
                }
                (None, _) => {
                    let what = "must be a header or a batch".to_owned();
                    return Err(Refusal::fields(vec![("message".to_owned(), what)]).into());
                }
            }
        }
    }
}

/// A line that was refused, by its number, and why.
type Faulty = (i64, Refusal);

fn parse_header(message: &proto::ImportHeader) -> Result<Header, Refusal> {
    let mut fields = Fields::within("header");
    let project = fields.required("project", &message.project);
    let mut inner = Fields::within("header.create_missing");
    let create_missing = report::parse_create_missing(&mut inner, message.create_missing);
    fields.absorb(inner);
    fields.finish(|| {
        Some(Header {
            project: project?,
            create_missing,
        })
    })
}

fn parse(message: proto::DeploymentReport) -> Result<Report, Refusal> {
    let mut fields = Fields::within("report");
    if message.deployed_time.is_none() {
        fields.refuse("deployed_time", "is required in an import");
    }
    let report = report::parse(&mut fields, message);
    fields.finish(|| report)
}

/// Says what became of each line.
fn tell(
    answer: &mut proto::ImportDeploymentsResponse,
    errors: &mut Vec<Faulty>,
    batch: &ImportBatch,
    outcome: BatchOutcome,
) {
    for (line, outcome) in batch.lines.iter().zip(outcome.lines) {
        match outcome {
            LineOutcome::Recorded => answer.recorded_count += 1,
            LineOutcome::AlreadyPresent => answer.already_present_count += 1,
            LineOutcome::Refused(error) => errors.push((line.line, error.into())),
        }
    }
    // At most one of each per line, so that they always fit.
    let count = |created: usize| i32::try_from(created).unwrap_or(i32::MAX);
    answer.created_application_count = count(outcome.created_applications);
    answer.created_version_count = count(outcome.created_versions);
    answer.created_environment_count = count(outcome.created_environments);
}

fn line_error(line: i64, refusal: Refusal) -> proto::LineError {
    proto::LineError {
        line,
        reason: refusal.reason.into(),
        message: refusal.message,
    }
}

fn out_of_order(message: impl Into<String>) -> Refusal {
    Refusal::new(
        Code::InvalidArgument,
        ErrorReason::StreamOutOfOrder,
        message,
    )
}
