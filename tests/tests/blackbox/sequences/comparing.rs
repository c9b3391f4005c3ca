//! The server's world beside the model's: after every call, and all of it at the end.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::Timestamp;
use slipway_api::audit::v1::compliance_entry::Subject;
use slipway_api::audit::v1::get_compliance_report_response::Message;
use slipway_api::audit::v1::{
    ComplianceRecord, GetComplianceReportRequest, VerifyAuditTrailRequest,
};
use slipway_api::deployments::v1::{
    Deployment, GetDeploymentRequest, ListDeploymentsRequest, Transition,
};
use slipway_api::ledger::v1::{
    DeploymentRecord, ListCurrentStateRequest, ListDeploymentRecordsRequest, RecordKind,
};
use slipway_tests::clock::{DAY, HOUR, ago, ahead, to_micros};
use tonic::{Response, Status};

use super::calls::Seen;
use super::model::{Bound, Model, Time, number};
use super::world::{key, slug, version};

/// What is compared besides what calls answer.
#[derive(Default)]
pub(super) struct Comparison {
    /// What each digest of a release stands for.
    digests: BTreeMap<String, Bound>,
    /// Times at which it was looked, to look again at the end.
    moments: Vec<Timestamp>,
    /// The number of each deployment, by its id.
    numbers: BTreeMap<String, i64>,
}

/// A table of the current state: key, environment and version.
type Matrix = Vec<(String, String, String)>;

fn granted<T>(answer: Result<Response<T>, Status>) -> Result<T, String> {
    answer
        .map(Response::into_inner)
        .map_err(|status| format!("a look was refused: {status:?}"))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, server: &T, model: &T) -> Result<(), String> {
    if server == model {
        return Ok(());
    }
    Err(format!(
        "{what}\n  the server: {server:?}\n  the model:  {model:?}"
    ))
}

impl Comparison {
    /// Everything that a look at lists shows.
    pub(super) async fn look(&mut self, seen: &mut Seen, model: &Model) -> Result<(), String> {
        self.look_at_deployments(seen, model).await?;
        self.look_at_records(seen, model).await?;
        let (cells, at) = matrix(seen, None).await?;
        same("current state", &cells, &model.matrix(|_| true))?;
        self.moments.push(at);
        Ok(())
    }

    async fn look_at_records(&self, seen: &mut Seen, model: &Model) -> Result<(), String> {
        let request = ListDeploymentRecordsRequest {
            project: seen.place.project.slug.clone(),
            include_retracted: true,
            page_size: 1000,
            ..Default::default()
        };
        let mut ledger = seen.place.project.admin.ledger();
        let mut records = granted(ledger.list_deployment_records(request).await)?.records;
        records.sort_by_key(|record| record.sequence);
        seen.records = records;
        let server: Vec<_> = seen
            .records
            .iter()
            .map(|it| self.as_told(seen, it))
            .collect();
        let expected: Vec<_> = model
            .records
            .iter()
            .map(|it| as_expected(seen, it))
            .collect();
        same("number of records", &server.len(), &expected.len())?;
        for (server, expected) in server.iter().zip(&expected) {
            same("record", server, expected)?;
        }
        Ok(())
    }

    /// What both know of a record, in words.
    fn as_told(&self, seen: &Seen, it: &DeploymentRecord) -> Vec<String> {
        let time = it.deployed_time.map_or(0, to_micros);
        let by = self.numbers.get(&it.deployment_id);
        let late = time < to_micros(seen.long_ago) + 3_600_000_000;
        vec![
            format!("{} {} {}", it.application, it.version, it.environment),
            format!("removed {}", it.kind() == RecordKind::Removed),
            if late {
                time.to_string()
            } else {
                "now".to_owned()
            },
            it.reporter
                .as_ref()
                .map_or(String::new(), |it| it.principal_id.clone()),
            format!("retracted {}", it.retraction.is_some()),
            format!("outside {}", it.outside_governance),
            by.map_or(it.deployment_id.clone(), |number| format!("by #{number}")),
        ]
    }

    async fn look_at_deployments(&mut self, seen: &mut Seen, model: &Model) -> Result<(), String> {
        let request = ListDeploymentsRequest {
            project: seen.place.project.slug.clone(),
            page_size: 1000,
            ..Default::default()
        };
        let mut client = seen.place.project.admin.deployments();
        let mut deployments = granted(client.list_deployments(request).await)?.deployments;
        deployments.sort_by_key(|it| it.number);
        same(
            "number of deployments",
            &deployments.len(),
            &model.deployments.len(),
        )?;
        for (of, deployment) in deployments.iter().enumerate() {
            let id = deployment.deployment_id.clone();
            self.numbers.insert(id, deployment.number);
            let digest = deployment.plan_digest.clone();
            match seen.digests.get_mut(of) {
                Some((_, now)) => *now = digest,
                None => seen.digests.push((digest.clone(), digest)),
            }
        }
        for (of, deployment) in deployments.iter().enumerate() {
            self.look_at_deployment(of, deployment, model)?;
        }
        Ok(())
    }

    fn look_at_deployment(
        &mut self,
        of: usize,
        server: &Deployment,
        model: &Model,
    ) -> Result<(), String> {
        let expected = &model.deployments[of];
        let named = |id: &str| self.numbers.get(id).copied();
        let what = format!("deployment #{}", number(of));
        same(
            &what,
            &(server.number, server.state()),
            &(number(of), expected.state),
        )?;
        same(&what, &server.target.as_str(), &slug(expected.environment))?;
        let links = (
            named(&server.rolled_back_by_id),
            named(&server.back_to_deployment_id),
        );
        let expected_links = (expected.undone_by.map(number), expected.back_to.map(number));
        same(
            &format!("{what}: undone by, back to"),
            &links,
            &expected_links,
        )?;
        // Equal digests stand for equal plans, and equal plans have equal digests.
        let digest = &server.plan_digest;
        let known = self
            .digests
            .entry(digest.clone())
            .or_insert_with(|| expected.bound.clone());
        same(
            &format!("{what}: what `{digest}` stands for"),
            known,
            &expected.bound,
        )?;
        let others = self
            .digests
            .iter()
            .find(|(other, bound)| *other != digest && **bound == expected.bound);
        match others {
            Some((other, _)) => Err(format!(
                "{what}: both `{digest}` and `{other}` stand for {:?}",
                expected.bound
            )),
            None => Ok(()),
        }
    }

    /// Everything else, at the end.
    pub(super) async fn look_at_all(
        &mut self,
        seen: &mut Seen,
        model: &Model,
    ) -> Result<(), String> {
        self.look(seen, model).await?;
        let step = self.moments.len() / 4 + 1;
        for at in self.moments.iter().step_by(step) {
            let (cells, _) = matrix(seen, Some(*at)).await?;
            let was = |record: usize| {
                seen.records[record].deployed_time.map(to_micros) <= Some(to_micros(*at))
            };
            same(
                &format!("the state as of {at:?}"),
                &cells,
                &model.matrix(was),
            )?;
        }
        for (of, expected) in model.deployments.iter().enumerate() {
            let request = GetDeploymentRequest {
                project: seen.place.project.slug.clone(),
                deployment: number(of).to_string(),
            };
            let mut client = seen.place.project.admin.deployments();
            let found = granted(client.get_deployment(request).await)?
                .deployment
                .unwrap_or_default();
            let history: Vec<_> = found.history.iter().map(Transition::state).collect();
            same(
                &format!("history of #{}", number(of)),
                &history,
                &expected.history,
            )?;
        }
        verify(seen).await?;
        report(seen, model).await
    }
}

fn as_expected(seen: &Seen, it: &super::model::Record) -> Vec<String> {
    vec![
        format!(
            "{} {} {}",
            key(it.application),
            version(it.application, it.version),
            slug(it.environment)
        ),
        format!("removed {}", it.removed),
        match it.time {
            Time::Before(minutes) => to_micros(seen.minute(minutes)).to_string(),
            Time::WhenRecorded => "now".to_owned(),
        },
        seen.place.people[&it.reporter].principal_id.clone(),
        format!("retracted {}", it.retracted),
        format!("outside {}", it.outside),
        it.deployment
            .map_or(String::new(), |of| format!("by #{}", number(of))),
    ]
}

async fn matrix(seen: &Seen, as_of_time: Option<Timestamp>) -> Result<(Matrix, Timestamp), String> {
    let request = ListCurrentStateRequest {
        project: seen.place.project.slug.clone(),
        as_of_time,
        page_size: 1000,
        ..Default::default()
    };
    let mut ledger = seen.place.project.admin.ledger();
    let page = granted(ledger.list_current_state(request).await)?;
    let cells = page
        .states
        .into_iter()
        .map(|it| (it.application, it.environment, it.version));
    let mut cells: Vec<_> = cells.collect();
    cells.sort();
    Ok((cells, page.as_of_time.unwrap_or_default()))
}

async fn verify(seen: &Seen) -> Result<(), String> {
    let request = VerifyAuditTrailRequest {
        project: seen.place.project.slug.clone(),
        checkpoint: None,
    };
    let answer = granted(
        seen.place
            .project
            .admin
            .audit()
            .verify_audit_trail(request)
            .await,
    )?;
    let found = answer.verification.unwrap_or_default();
    if found.verified {
        Ok(())
    } else {
        Err(format!("the audit trail does not verify: {found:?}"))
    }
}

/// The report has each deployment and each record of the ledger once.
async fn report(seen: &Seen, model: &Model) -> Result<(), String> {
    let request = GetComplianceReportRequest {
        project: seen.place.project.slug.clone(),
        from_time: Some(ago(DAY)),
        to_time: Some(ahead(HOUR)),
        ..Default::default()
    };
    let mut stream = granted(
        seen.place
            .project
            .admin
            .audit()
            .get_compliance_report(request)
            .await,
    )?;
    let (mut deployments, mut records) = (Vec::new(), Vec::<ComplianceRecord>::new());
    while let Some(message) = stream
        .message()
        .await
        .map_err(|status| status.to_string())?
    {
        match message.message {
            Some(Message::Entry(entry)) => match entry.subject {
                Some(Subject::Deployment(it)) => deployments.push((it.number, it.state())),
                Some(Subject::ReportedRecord(it)) => records.push(it),
                None => return Err("an entry about nothing".to_owned()),
            },
            Some(Message::Records(some)) => records.extend(some.records),
            _ => {}
        }
    }
    deployments.sort_unstable();
    let expected = model.deployments.iter().enumerate();
    let expected: Vec<_> = expected.map(|(of, it)| (number(of), it.state)).collect();
    same("deployments in the report", &deployments, &expected)?;
    let ids: BTreeSet<_> = records.iter().map(|it| it.record_id.as_str()).collect();
    let all: BTreeSet<_> = seen
        .records
        .iter()
        .map(|it| it.record_id.as_str())
        .collect();
    same("records in the report", &ids, &all)?;
    same(
        "how many records are in the report",
        &records.len(),
        &all.len(),
    )
}
