//! Compliance reports: everything of a period is in them once, and what is out of the ordinary comes first.

pub(crate) mod page;

use std::collections::{BTreeMap, BTreeSet};

use slipway_api::approvals::v1::OverrideFinding;
use slipway_api::approvals::v1::{ApproveRequest, OverrideApprovalRequest, ReviewOverrideRequest};
use slipway_api::audit::v1::compliance_entry::Subject;
use slipway_api::audit::v1::get_compliance_report_response::Message;
use slipway_api::audit::v1::{
    ComplianceDeployment, ComplianceEntry, ComplianceExceptionKind, ComplianceItem,
    ComplianceRecord, ComplianceReportFormat, ComplianceReportHeader, FourEyesResult,
    GetComplianceReportRequest,
};
use slipway_api::deployments::v1::{CreateReleaseRequest, Deployment, DeploymentState};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_tests::clock::ahead;
use slipway_tests::world::report;
use slipway_tests::{Backend, Client, Granted, Project, Refused, ago};
use tonic::Code;

use super::shared;
use crate::case::cases;
use crate::deployments::policies::admins;
use crate::deployments::releases::{bring, execute, prompt, release};

cases![
    everything_is_reported_once_and_exceptions_come_first,
    a_report_is_a_table_without_formulas,
    what_can_not_be_reported_is_refused,
];

const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

pub(crate) fn question(project: &Project) -> GetComplianceReportRequest {
    GetComplianceReportRequest {
        project: project.slug.clone(),
        from_time: Some(ago(HOUR)),
        to_time: Some(ahead(HOUR)),
        ..Default::default()
    }
}

/// A report as it came.
pub(crate) struct Told {
    pub(crate) header: ComplianceReportHeader,
    pub(crate) entries: Vec<ComplianceEntry>,
    pub(crate) records: Vec<ComplianceRecord>,
    /// Those of each deployment, by its id.
    pub(crate) items: BTreeMap<String, Vec<ComplianceItem>>,
}

/// A report as a text: how much it is about, and the text.
pub(crate) async fn text(
    project: &Project,
    question: GetComplianceReportRequest,
    format: ComplianceReportFormat,
) -> (ComplianceReportHeader, String) {
    let question = GetComplianceReportRequest {
        format: format.into(),
        ..question
    };
    let mut audit = project.admin.audit();
    let mut stream = audit.get_compliance_report(question).await.granted();
    let (mut text, mut begin, mut end) = (Vec::new(), None, None);
    while let Some(message) = stream.message().await.unwrap() {
        assert_eq!(end, None, "the summary is last");
        match message.message.unwrap() {
            Message::Header(header) => begin = Some(header),
            Message::Content(part) => {
                assert!(part.len() <= 256 * 1024);
                text.extend_from_slice(&part);
            }
            Message::Summary(summary) => end = Some(summary),
            other => panic!("{other:?}"),
        }
    }
    let (header, summary) = (begin.unwrap(), end.unwrap());
    assert_eq!(summary.entry_count, header.entry_count);
    let records = header.deployment_record_count
        + header.outside_governance_record_count
        + header.ungoverned_record_count;
    assert_eq!(summary.record_count, records);
    (header, String::from_utf8(text).unwrap())
}

impl Told {
    pub(crate) async fn of(project: &Project, question: GetComplianceReportRequest) -> Self {
        let mut stream = project
            .admin
            .audit()
            .get_compliance_report(question)
            .await
            .granted();
        let first = stream.message().await.unwrap().unwrap().message;
        let Some(Message::Header(header)) = first else {
            panic!("no header first: {first:?}");
        };
        let (mut entries, mut records) = (Vec::new(), Vec::new());
        let mut items: BTreeMap<_, Vec<_>> = BTreeMap::new();
        while let Some(message) = stream.message().await.unwrap() {
            match message.message.unwrap() {
                Message::Entry(entry) => {
                    if let Some(Subject::ReportedRecord(record)) = &entry.subject {
                        records.push(record.clone());
                    }
                    entries.push(entry);
                }
                Message::Records(some) => {
                    let last = entries
                        .last()
                        .map(|entry: &ComplianceEntry| entry.subject.clone());
                    let Some(Some(Subject::Deployment(of))) = last else {
                        panic!("records of nothing");
                    };
                    assert_eq!(some.deployment_id, of.deployment_id);
                    records.extend(some.records);
                }
                Message::Items(some) => {
                    items
                        .entry(some.deployment_id)
                        .or_default()
                        .extend(some.items);
                }
                Message::Summary(summary) => {
                    assert_eq!(stream.message().await.unwrap(), None, "the summary is last");
                    assert_eq!(summary.entry_count, header.entry_count);
                    assert_eq!(summary.entry_count, i64::try_from(entries.len()).unwrap());
                    assert_eq!(summary.record_count, i64::try_from(records.len()).unwrap());
                    return Self {
                        header,
                        entries,
                        records,
                        items,
                    };
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("the report ended without a summary");
    }

    pub(crate) fn deployment(
        &self,
        of: &Deployment,
    ) -> (&ComplianceDeployment, Vec<ComplianceExceptionKind>) {
        let found = self.entries.iter().find_map(|entry| match &entry.subject {
            Some(Subject::Deployment(found)) if found.deployment_id == of.deployment_id => {
                let kinds = entry
                    .exceptions
                    .iter()
                    .map(slipway_api::audit::v1::ComplianceException::kind);
                Some((found, kinds.collect()))
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("not reported: {of:?}"))
    }
}

async fn released(project: &Project, version: &str) -> Deployment {
    let asked = release(project, vec![bring("greeting", version)]);
    let made = project.admin.deployments().create_release(asked).await;
    made.granted().deployment.unwrap()
}

async fn everything_is_reported_once_and_exceptions_come_first(backend: Backend) {
    let project = shared(backend).await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1.0.0", "1.1.0", "1.2.0"]).await;
    project.set_policy("prod", admins(1)).await;
    let other = project.member(Role::Admin).await;
    let third = project.member(Role::Admin).await;
    let reported = project.record(report("cart", "1", "dev")).await;
    project.record(report("cart", "2", "dev")).await;
    project.retract(&reported.record_id).await;

    let agreed = released(&project, "1.0.0").await;
    let approval = ApproveRequest {
        project: project.slug.clone(),
        deployment: agreed.deployment_id.clone(),
        plan_digest: agreed.plan_digest.clone(),
        comment: "looked at it".to_owned(),
        ..Default::default()
    };
    other.approvals().approve(approval).await.granted();
    execute(&project.admin, &agreed).await;
    let pressed = released(&project, "1.1.0").await;
    let overriding = OverrideApprovalRequest {
        project: project.slug.clone(),
        deployment: pressed.deployment_id.clone(),
        plan_digest: pressed.plan_digest.clone(),
        reason: "customers can't pay".to_owned(),
        ..Default::default()
    };
    let overridden = other.approvals().override_approval(overriding).await;
    overridden.granted();
    execute(&project.admin, &pressed).await;
    let waits = released(&project, "1.2.0").await;

    let told = Told::of(&project, question(&project)).await;
    assert_eq!(told.header.deployment_count, 3);
    assert_eq!(told.header.deployment_record_count, 2);
    assert_eq!(told.header.ungoverned_record_count, 2);
    assert_eq!(told.header.exception_count, 1);
    let (found, exceptions) = told.deployment(&pressed);
    assert_eq!(
        exceptions,
        [
            ComplianceExceptionKind::OverrideNotReviewed,
            ComplianceExceptionKind::Overridden
        ]
    );
    assert_eq!(
        told.entries[0].subject,
        Some(Subject::Deployment(found.clone()))
    );
    assert_eq!(found.four_eyes(), FourEyesResult::Overridden);
    assert_eq!(found.overrides[0].reason, "customers can't pay");
    assert_eq!(found.overrides[0].review, None);
    let (found, exceptions) = told.deployment(&agreed);
    assert_eq!(exceptions, []);
    assert_eq!(found.four_eyes(), FourEyesResult::Met);
    assert_eq!(found.name, "Chatbot 2");
    assert_eq!(found.state(), DeploymentState::Succeeded);
    assert_eq!(found.rules[0].required_count, 1);
    let decision = &found.decisions[0];
    assert!(decision.approved);
    let by = decision.principal.as_ref().unwrap();
    assert_eq!(by.principal_id, other.principal_id);
    assert_eq!(decision.plan_digest, agreed.plan_digest);
    assert_eq!(
        found.history.last().unwrap().state(),
        DeploymentState::Succeeded
    );
    what_it_changes_is_told(&told, &agreed);
    let (found, exceptions) = told.deployment(&waits);
    assert_eq!(exceptions, []);
    assert_eq!(found.four_eyes(), FourEyesResult::NotCarriedOut);

    let everything = project
        .history(slipway_api::ledger::v1::ListDeploymentRecordsRequest {
            include_retracted: true,
            ..Default::default()
        })
        .await;
    let ids: BTreeSet<_> = told
        .records
        .iter()
        .map(|record| &record.record_id)
        .collect();
    let expected: BTreeSet<_> = everything.iter().map(|record| &record.record_id).collect();
    assert_eq!(ids, expected);
    assert_eq!(told.records.len(), everything.len(), "each once");

    let bounds = GetComplianceReportRequest {
        from_time: told.header.from_time,
        to_time: told.header.to_time,
        ..question(&project)
    };
    the_digest_is_of_what_was_asked(&project, &told, &bounds).await;

    an_override_is_shown_as_reviewed(&project, &third, &pressed, bounds).await;
}

/// The item of a release, with why it is risky.
fn what_it_changes_is_told(told: &Told, agreed: &Deployment) {
    let (found, _) = told.deployment(agreed);
    assert_eq!((found.item_count, found.changed_item_count), (1, 1));
    let [item] = &told.items[&agreed.deployment_id][..] else {
        panic!("{:?}", told.items);
    };
    assert_eq!((&*item.version_before, &*item.version_after), ("", "1.0.0"));
    let chosen = agreed.items[0].chosen.as_ref().unwrap();
    assert_eq!(item.risk_level, chosen.risk_level);
    assert_eq!(item.risk_factors, chosen.risk_factors);
    assert!(!item.risk_factors.is_empty());
}

async fn an_override_is_shown_as_reviewed(
    project: &Project,
    third: &Client,
    pressed: &Deployment,
    bounds: GetComplianceReportRequest,
) {
    let review = ReviewOverrideRequest {
        project: project.slug.clone(),
        deployment: pressed.deployment_id.clone(),
        finding: OverrideFinding::Justified.into(),
        comment: "it was down".to_owned(),
        ..Default::default()
    };
    third.approvals().review_override(review).await.granted();
    let told = Told::of(project, bounds).await;
    let (found, exceptions) = told.deployment(pressed);
    assert_eq!(exceptions, [ComplianceExceptionKind::Overridden]);
    assert!(found.overrides[0].review.as_ref().unwrap().justified);
}

/// What is asked again is answered with the same digest; a part of it with another.
async fn the_digest_is_of_what_was_asked(
    project: &Project,
    told: &Told,
    bounds: &GetComplianceReportRequest,
) {
    let same = Told::of(project, bounds.clone()).await;
    assert_eq!(same.header.digest, told.header.digest);
    let environment = "dev".to_owned();
    let part = Told::of(
        project,
        GetComplianceReportRequest {
            environment,
            ..bounds.clone()
        },
    )
    .await;
    assert_ne!(part.header.digest, told.header.digest);
    assert_eq!((part.header.deployment_count, part.records.len()), (0, 2));
}

async fn a_report_is_a_table_without_formulas(backend: Backend) {
    let project = shared(backend).await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1.0.0"]).await;
    let asked = CreateReleaseRequest {
        name: "=HYPERLINK(\"http://evil\")".to_owned(),
        ..release(&project, vec![bring("greeting", "1.0.0")])
    };
    let made = project.admin.deployments().create_release(asked).await;
    let made = made.granted().deployment.unwrap();
    execute(&project.admin, &made).await;
    let reported = project.record(report("-cart", "+1", "dev")).await;
    let csv = ComplianceReportFormat::Csv;
    let (header, text) = text(&project, question(&project), csv).await;
    assert_eq!(header.entry_count, 2);
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].starts_with("\"exceptions\",\"entry\""));
    assert!(
        text.contains("\"'=HYPERLINK(\"\"http://evil\"\")\""),
        "{text}"
    );
    assert!(text.contains("\"'-cart\",\"'+1\""), "{text}");
    for id in [&made.deployment_id, &reported.record_id] {
        assert!(text.contains(id.as_str()), "{text}");
    }
    for line in lines {
        for cell in line.split("\",\"") {
            let cell = cell.trim_start_matches('"');
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell}");
        }
    }
}

async fn what_can_not_be_reported_is_refused(backend: Backend) {
    let project = shared(backend).await;
    let ask = async |question: GetComplianceReportRequest| {
        project.admin.audit().get_compliance_report(question).await
    };
    let whole = question(&project);
    for faulty in [
        GetComplianceReportRequest {
            from_time: None,
            ..whole.clone()
        },
        GetComplianceReportRequest {
            to_time: whole.from_time,
            ..whole.clone()
        },
        GetComplianceReportRequest {
            from_time: Some(ago(HOUR * 24 * 367)),
            ..whole.clone()
        },
    ] {
        ask(faulty)
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    }
    let nowhere = GetComplianceReportRequest {
        environment: "nowhere".to_owned(),
        ..whole.clone()
    };
    ask(nowhere)
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let developer = project.member(Role::Developer).await;
    let refused = developer.audit().get_compliance_report(whole).await;
    refused.refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
}
