//! What comes into being with a report, alone, with others, and in batches; and changes that meet.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

mod support;

use futures_util::future::join_all;
use slipway_application::ledger::{
    CreateMissing, ImportBatch, ImportLine, LedgerError, LineOutcome, RecordDeployment, Report,
    import_batch, record_deployment,
};
use slipway_application::versions::{DeprecateVersion, deprecate_version};
use slipway_audit::EventFilter;
use slipway_kernel::PageSize;
use slipway_sql::Options;
use support::{
    Installation, by,
    deployments::{at, everything, report},
    installation, installation_on, key, slug,
};

fn reported(report: Report) -> RecordDeployment {
    RecordDeployment {
        project: slug("default"),
        report,
        create_missing: everything(),
        validate_only: false,
    }
}

/// More pipelines than connections report the first deployments of an application at once. Only one of them creates it,
/// and none of them needs a second connection.
#[tokio::test]
async fn first_reports_at_once_all_stand() {
    let Some(database) = slipway_test_support::postgres::database().await else {
        return;
    };
    let options = Options {
        max_connections: 3,
        ..Options::new(database.url())
    };
    let i = installation_on(&options).await;
    for round in 0..5 {
        let version = format!("1.{round}");
        let application = format!("cart-{round}");
        let environment = format!("prod-{round}");
        let calls = (0..8).map(|n| {
            let deployed_at = Some(at(-60 + n));
            let report = report(&application, &version, &environment);
            let command = reported(Report {
                deployed_at,
                ..report
            });
            let context = &i.context;
            let admin = &i.admin;
            async move { record_deployment(context, &by(admin), command).await }
        });
        let recorded = join_all(calls).await;
        let created = recorded
            .into_iter()
            .map(|recorded| recorded.expect("recorded").created)
            .filter(|created| !created.applications.is_empty())
            .count();
        assert_eq!(created, 1);
    }
}

/// Of several that deprecate a version at once, all are told the reason that stands, and one event says so.
#[tokio::test]
async fn a_version_is_deprecated_once() {
    let Some(database) = slipway_test_support::postgres::database().await else {
        return;
    };
    let i = installation_on(&Options::new(database.url())).await;
    i.deploy(report("cart", "1", "dev")).await;
    let calls = (0..4).map(|n| {
        let command = DeprecateVersion {
            project: slug("default"),
            application: key("cart"),
            version: key("1"),
            reason: format!("reason {n}").parse().expect("short"),
        };
        let (context, admin) = (&i.context, &i.admin);
        async move { deprecate_version(context, &by(admin), command).await }
    });
    let deprecations: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|version| version.expect("deprecated").deprecated)
        .collect();
    let project = i.context.reader().project(&slug("default")).await;
    let project = project.expect("read").expect("there").id;
    let (cart, one) = (key("cart"), key("1"));
    let version = i.context.reader().version(project, &cart, &one).await;
    let stands = version.expect("read").expect("there").deprecated;
    assert!(stands.is_some());
    assert!(
        deprecations.iter().all(|told| *told == stands),
        "{deprecations:?}"
    );
    let filter = EventFilter {
        command: Some("DeprecateVersion".to_owned()),
        ..EventFilter::default()
    };
    let events = i
        .context
        .reader()
        .events(project.into(), &filter, None, PageSize::MAX)
        .await;
    assert_eq!(events.expect("read").items.len(), 1);
}

async fn import(
    i: &Installation,
    create_missing: CreateMissing,
    reports: impl IntoIterator<Item = Report>,
) -> Vec<LineOutcome> {
    let lines = (1..).zip(reports);
    let batch = ImportBatch {
        project: slug("default"),
        create_missing,
        lines: lines
            .map(|(line, report)| ImportLine { line, report })
            .collect(),
    };
    import_batch(&i.context, &by(&i.admin), &batch)
        .await
        .expect("committed")
        .lines
}

#[tokio::test]
async fn a_refused_line_creates_nothing() {
    let i = installation().await;
    let outcomes = import(
        &i,
        everything(),
        [
            Report {
                deployed_at: Some(at(3_600)),
                ..report("ahead", "1", "dev")
            },
            Report {
                deployed_at: Some(at(-1)),
                ..report("cart", "1", "dev")
            },
        ],
    )
    .await;
    assert!(matches!(
        outcomes[..],
        [
            LineOutcome::Refused(LedgerError::InFuture(_)),
            LineOutcome::Recorded
        ]
    ));
    let project = i
        .context
        .reader()
        .project(&slug("default"))
        .await
        .expect("read")
        .expect("there");
    let applications = i
        .context
        .reader()
        .applications(project.id, None, true, None, PageSize::MAX)
        .await
        .expect("read");
    let keys: Vec<_> = applications
        .items
        .iter()
        .map(|application| application.key.as_str())
        .collect();
    assert_eq!(keys, ["cart"]);
}

#[tokio::test]
async fn each_line_is_told_its_own_reason() {
    let i = installation().await;
    let known = Report {
        deployed_at: Some(at(-9)),
        ..report("cart", "1", "dev")
    };
    i.deploy(known.clone()).await;
    i.deploy(report("list", "2", "dev")).await;
    let lines = [
        known,
        report("cart", "2", "dev"),
        report("cart", "3", "dev"),
        report("none", "1", "dev"),
        report("cart", "1", "none"),
    ];
    let outcomes = import(&i, CreateMissing::default(), lines).await;
    assert!(
        matches!(
            outcomes[..],
            [
                LineOutcome::AlreadyPresent,
                LineOutcome::Refused(LedgerError::VersionElsewhere { .. }),
                LineOutcome::Refused(LedgerError::VersionNotFound { .. }),
                LineOutcome::Refused(LedgerError::ApplicationNotFound { .. }),
                LineOutcome::Refused(LedgerError::EnvironmentNotFound { .. }),
            ]
        ),
        "{outcomes:?}"
    );
}
