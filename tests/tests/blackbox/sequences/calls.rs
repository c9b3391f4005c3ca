//! Operations as calls through the generated clients.

use std::time::Duration;

use prost_types::Timestamp;
use slipway_api::approvals::v1::{
    ApproveRequest, OverrideApprovalRequest, PolicyScope, RejectRequest, SetPolicyRequest,
    WithdrawApprovalRequest, policy_scope::Scope,
};
use slipway_api::catalog::v1::DeprecateVersionRequest;
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, CreateReleaseRequest, Deployment, ExecuteDeploymentRequest,
    GetDeploymentRequest, ReleaseItem, RollbackDeploymentRequest, release_item::Change,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::SetMembershipRequest;
use slipway_api::ledger::v1::import_deployments_request::Message;
use slipway_api::ledger::v1::{
    DeploymentReport, GetCurrentStateRequest, ImportBatch, ImportDeploymentsRequest, ImportHeader,
    ImportLine, ListDeploymentRecordsRequest, RecordDeploymentRequest, RecordKind,
    RetractDeploymentRecordRequest,
};
use slipway_tests::Client;
use slipway_tests::clock::{ahead, plus};
use slipway_tests::refusal::{name, reason_of};
use tonic::{Response, Status};
use tonic_types::StatusExt;

use super::model::{About, Answer, Model};
use super::operations::{Item, Looked, Operation, Release, Report, When};
use super::world::{Person, Place, Terms, key, slug, version};

/// What is known of the server's world, so that calls can name it.
pub(super) struct Seen {
    pub(super) place: Place,
    /// The hours that late reports are about begin here.
    pub(super) long_ago: Timestamp,
    /// In the order in which they were written.
    pub(super) records: Vec<slipway_api::ledger::v1::DeploymentRecord>,
    /// The digest that each deployment had first and has now.
    pub(super) digests: Vec<(String, String)>,
}

/// A digest that nothing has.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// An id that no record has.
const NO_RECORD: &str = "01890000-0000-7000-8000-000000000000";

fn why() -> String {
    "because the sequence says so".to_owned()
}

impl Seen {
    fn project(&self) -> String {
        self.place.project.slug.clone()
    }

    fn client(&self, who: Person) -> &Client {
        &self.place.people[&who]
    }

    fn digest(&self, of: Option<usize>, looked: Looked) -> String {
        let known = of.and_then(|of| self.digests.get(of));
        match (looked, known) {
            (Looked::Now, Some((_, now))) => now.clone(),
            (Looked::AtFirst, Some((first, _))) => first.clone(),
            _ => NOTHING.to_owned(),
        }
    }

    /// When a report says that something was deployed.
    pub(super) fn minute(&self, minutes: u8) -> Timestamp {
        plus(self.long_ago, i64::from(minutes) * 60_000_000)
    }

    fn report(&self, report: &Report) -> DeploymentReport {
        let kind = if report.removed {
            RecordKind::Removed
        } else {
            RecordKind::Deployed
        };
        DeploymentReport {
            application: key(report.application).to_owned(),
            version: version(report.application, report.version).to_owned(),
            environment: slug(report.environment).to_owned(),
            deployed_time: match report.when {
                When::Now => None,
                When::Before(minutes) => Some(self.minute(minutes)),
                When::Ahead => Some(ahead(Duration::from_hours(1))),
            },
            kind: kind.into(),
            external_id: report
                .external_id
                .map_or(String::new(), |id| format!("run-{id}")),
            ..Default::default()
        }
    }

    /// Makes the call, and says what was answered.
    pub(super) async fn call(&self, operation: &Operation, about: About) -> Result<Answer, String> {
        use Operation as Op;
        let answer = match operation {
            Op::Record(..)
            | Op::Import(..)
            | Op::Retract(..)
            | Op::Deprecate(..)
            | Op::GetCurrentState(..)
            | Op::ListRecords(..) => self.ledger(operation, about).await,
            Op::Approve(..)
            | Op::Reject(..)
            | Op::Withdraw(..)
            | Op::Override(..)
            | Op::SetPolicy(..)
            | Op::SetMembership(..) => self.approvals(operation, about).await,
            Op::CreateRelease(..)
            | Op::Execute(..)
            | Op::Cancel(..)
            | Op::Rollback(..)
            | Op::GetDeployment(..) => self.deployments(operation, about).await,
        };
        answer.map_err(|status| format!("{status:?}"))
    }

    /// Calls about records and versions.
    async fn ledger(&self, operation: &Operation, about: About) -> Result<Answer, Status> {
        use Operation as Op;
        let project = self.project();
        match operation {
            Op::Record(who, report) => {
                let request = RecordDeploymentRequest {
                    project,
                    report: Some(self.report(report)),
                    ..Default::default()
                };
                let answer = self.client(*who).ledger().record_deployment(request).await;
                told(answer, |it| Answer::Recorded(it.already_present))
            }
            Op::Import(who, reports) => self.import(*who, reports).await,
            Op::Retract(who, _) => {
                let record = about.record.map(|at| self.records[at].record_id.clone());
                let request = RetractDeploymentRecordRequest {
                    project,
                    record_id: record.unwrap_or(NO_RECORD.to_owned()),
                    reason: why(),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .ledger()
                    .retract_deployment_record(request)
                    .await;
                told(answer, |_| Answer::Done)
            }
            Op::Deprecate(who, application, at) => {
                let request = DeprecateVersionRequest {
                    project,
                    application: key(*application).to_owned(),
                    version: version(*application, *at).to_owned(),
                    reason: why(),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .applications()
                    .deprecate_version(request)
                    .await;
                told(answer, |_| Answer::Done)
            }
            Op::GetCurrentState(who, application, environment) => {
                let request = GetCurrentStateRequest {
                    project,
                    application: key(*application).to_owned(),
                    environment: slug(*environment).to_owned(),
                    ..Default::default()
                };
                let answer = self.client(*who).ledger().get_current_state(request).await;
                told(answer, |it| {
                    Answer::Cell(it.state.map(|state| state.version))
                })
            }
            Op::ListRecords(who, application, all) => {
                let request = ListDeploymentRecordsRequest {
                    project,
                    application: key(*application).to_owned(),
                    include_retracted: *all,
                    page_size: 1000,
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .ledger()
                    .list_deployment_records(request)
                    .await;
                told(answer, |it| Answer::Counted(it.records.len()))
            }
            _ => unreachable!("{operation:?} is called elsewhere"),
        }
    }

    /// Calls about answers, and about who answers what.
    async fn approvals(&self, operation: &Operation, about: About) -> Result<Answer, Status> {
        use Operation as Op;
        let (project, deployment) = (self.project(), Model::named(about.deployment));
        match operation {
            Op::Approve(who, _, looked) => {
                let request = ApproveRequest {
                    project,
                    deployment,
                    plan_digest: self.digest(about.deployment, *looked),
                    ..Default::default()
                };
                let answer = self.client(*who).approvals().approve(request).await;
                told(answer, |it| shown(it.deployment))
            }
            Op::Reject(who, _, looked) => {
                let request = RejectRequest {
                    project,
                    deployment,
                    plan_digest: self.digest(about.deployment, *looked),
                    comment: why(),
                    ..Default::default()
                };
                let answer = self.client(*who).approvals().reject(request).await;
                told(answer, |it| shown(it.deployment))
            }
            Op::Withdraw(who, _) => {
                let request = WithdrawApprovalRequest {
                    project,
                    deployment,
                    reason: why(),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .approvals()
                    .withdraw_approval(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            Op::Override(who, _, looked) => {
                let request = OverrideApprovalRequest {
                    project,
                    deployment,
                    plan_digest: self.digest(about.deployment, *looked),
                    reason: why(),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .approvals()
                    .override_approval(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            Op::SetPolicy(who, environment, terms) => {
                let request = setting(project, *environment, *terms);
                let answer = self.client(*who).approvals().set_policy(request).await;
                told(answer, |_| Answer::Done)
            }
            Op::SetMembership(who, whom, standing) => {
                let (role, groups) = standing.membership();
                let request = SetMembershipRequest {
                    project,
                    principal_id: self.client(*whom).principal_id.clone(),
                    roles: vec![role.into()],
                    groups: groups.iter().map(ToString::to_string).collect(),
                    ..Default::default()
                };
                let answer = self.client(*who).identity().set_membership(request).await;
                told(answer, |_| Answer::Done)
            }
            _ => unreachable!("{operation:?} is called elsewhere"),
        }
    }

    /// Calls about releases and rollbacks.
    async fn deployments(&self, operation: &Operation, about: About) -> Result<Answer, Status> {
        use Operation as Op;
        let (project, deployment) = (self.project(), Model::named(about.deployment));
        match operation {
            Op::CreateRelease(who, release) => {
                let request = creating(project, release);
                let answer = self
                    .client(*who)
                    .deployments()
                    .create_release(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            Op::Execute(who, _, looked) => {
                let request = ExecuteDeploymentRequest {
                    project,
                    deployment,
                    plan_digest: self.digest(about.deployment, *looked),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .deployments()
                    .execute_deployment(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            Op::Cancel(who, _) => {
                let request = CancelDeploymentRequest {
                    project,
                    deployment,
                    reason: why(),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .deployments()
                    .cancel_deployment(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            Op::Rollback(who, _, back_to) => {
                let request = RollbackDeploymentRequest {
                    project,
                    deployment,
                    reason: why(),
                    back_to: back_to.map_or(String::new(), |_| Model::named(about.back_to)),
                    ..Default::default()
                };
                let answer = self
                    .client(*who)
                    .deployments()
                    .rollback_deployment(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            Op::GetDeployment(who, _) => {
                let request = GetDeploymentRequest {
                    project,
                    deployment,
                };
                let answer = self
                    .client(*who)
                    .deployments()
                    .get_deployment(request)
                    .await;
                told(answer, |it| shown(it.deployment))
            }
            _ => unreachable!("{operation:?} is called elsewhere"),
        }
    }

    async fn import(&self, who: Person, reports: &[Report]) -> Result<Answer, Status> {
        let header = Message::Header(ImportHeader {
            project: self.project(),
            create_missing: None,
        });
        let lines = (1..).zip(reports).map(|(line, report)| ImportLine {
            line,
            report: Some(self.report(report)),
        });
        let batch = Message::Batch(ImportBatch {
            lines: lines.collect(),
        });
        let messages = [header, batch].map(|message| ImportDeploymentsRequest {
            message: Some(message),
        });
        let stream = tokio_stream::iter(messages);
        let answer = match self.client(who).ledger().import_deployments(stream).await {
            Ok(answers) => answers.into_inner().message().await,
            Err(status) => Err(status),
        };
        let answer = answer.map(|answer| Response::new(answer.unwrap_or_default()));
        told(answer, |it| {
            let errors = it
                .errors
                .iter()
                .map(|error| (error.line, name(error.reason()).to_owned()));
            Answer::Imported(
                it.recorded_count,
                it.already_present_count,
                errors.collect(),
            )
        })
    }
}

fn shown(deployment: Option<Deployment>) -> Answer {
    let deployment = deployment.unwrap_or_default();
    Answer::Deployment(deployment.number, deployment.state())
}

fn creating(project: String, release: &Release) -> CreateReleaseRequest {
    let item = |item: &Item| ReleaseItem {
        application: key(item.application).to_owned(),
        change: Some(match item.version {
            Some(at) => Change::Version(version(item.application, at).to_owned()),
            None => Change::Remove(true),
        }),
        allow_older: item.allow_older,
        ..Default::default()
    };
    CreateReleaseRequest {
        project,
        name: "Of a sequence".to_owned(),
        environment: slug(release.environment).to_owned(),
        items: release.items.iter().map(item).collect(),
        validate_only: release.validate_only,
        request_id: release
            .request_id
            .map_or(String::new(), |id| format!("once-{id}")),
        ..Default::default()
    }
}

fn setting(project: String, environment: usize, terms: Terms) -> SetPolicyRequest {
    SetPolicyRequest {
        project,
        scope: Some(PolicyScope {
            scope: Some(Scope::Environment(slug(environment).to_owned())),
        }),
        terms: Some(terms.written()),
        ..Default::default()
    }
}

/// The answer as the model has it. A refusal without a reason of ours is an error.
fn told<T>(
    answer: Result<Response<T>, Status>,
    granted: impl FnOnce(T) -> Answer,
) -> Result<Answer, Status> {
    let status = match answer {
        Ok(response) => return Ok(granted(response.into_inner())),
        Err(status) => status,
    };
    let Some(reason) = reason_of(&status) else {
        return Err(status);
    };
    if reason != name(ErrorReason::ReleaseHasFindings) {
        return Ok(Answer::Refused(status.code(), reason));
    }
    let details = status.get_details_precondition_failure();
    let violations = details.map_or(Vec::new(), |details| details.violations);
    let mut findings: Vec<_> = violations
        .into_iter()
        .map(|it| (place(&it.subject), it.r#type))
        .collect();
    findings.sort();
    Ok(Answer::Findings(findings))
}

/// The place in `items[2]`.
fn place(subject: &str) -> Option<usize> {
    subject
        .strip_prefix("items[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}
