//! Reading the ledger: the history, other moments, comparisons, the current version; and taking back what is wrong.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]

mod support;

use std::cmp::Ordering;

use bytes::Bytes;
use slipway_application::{
    CommandError,
    applications::{ArchiveApplication, archive_application},
    ledger::{
        Comparison, LedgerError, Moment, Resolution, ResolveVersion, Sides, compare_environments,
        get_current_state, get_statistics, list_current_state, list_deployment_records,
        resolve_version, retract_deployment_record,
    },
    versions::{CreateVersion, NewContent, create_version},
};
use slipway_catalog::version::Dependencies;
use slipway_identity::Role;
use slipway_kernel::{Attributes, PageSize, Timestamp, text::Notes};
use slipway_ledger::{CellFilter, RecordFilter, RecordKind};
use support::deployments::{at, report, retraction};
use support::{Installation, again, by, installation, key, slug};

fn size(items: i32) -> PageSize {
    PageSize::from_request(items).expect("a size")
}

fn as_of(time: Timestamp) -> Moment {
    Moment {
        as_of: Some(time),
        known_at: None,
    }
}

async fn version_in(i: &Installation, environment: &str, moment: Moment) -> Option<String> {
    let (application, environment) = (key("cart"), slug(environment));
    let project = slug("default");
    let call = by(&i.admin);
    let found = get_current_state(
        &i.context,
        &call,
        &project,
        &application,
        &environment,
        moment,
    );
    found
        .await
        .expect("answered")
        .cell
        .map(|cell| cell.version.to_string())
}

#[tokio::test]
async fn a_retraction_brings_back_what_was_there_before() {
    let i = installation().await;
    i.deploy(report("cart", "1.0.0", "prod")).await;
    i.pass(60);
    let wrong = i.deploy(report("cart", "2.0.0", "prod")).await;
    let now = Moment::default();
    assert_eq!(version_in(&i, "prod", now).await.as_deref(), Some("2.0.0"));
    i.pass(60);

    let developer = i.member("Dana", &[Role::Developer]).await;
    let refused = retract_deployment_record(&i.context, &by(&developer), retraction(wrong)).await;
    assert!(matches!(
        refused,
        Err(LedgerError::Command(CommandError::Denied(_)))
    ));

    let call = again(&i.admin, "retract-1");
    let retracted = retract_deployment_record(&i.context, &call, retraction(wrong)).await;
    let retracted = retracted.expect("retracted").retraction;
    assert_eq!(
        retracted.as_ref().map(|retraction| retraction.by),
        Some(i.admin.principal)
    );
    assert_eq!(version_in(&i, "prod", now).await.as_deref(), Some("1.0.0"));
    let known = Moment {
        as_of: None,
        known_at: Some(at(90)),
    };
    assert_eq!(
        version_in(&i, "prod", known).await.as_deref(),
        Some("2.0.0")
    );

    let repeated = retract_deployment_record(&i.context, &call, retraction(wrong)).await;
    assert_eq!(repeated.expect("as before").retraction, retracted);
    let twice = retract_deployment_record(&i.context, &by(&i.admin), retraction(wrong)).await;
    assert!(matches!(twice, Err(LedgerError::AlreadyRetracted { id }) if id == wrong));
}

#[tokio::test]
async fn the_past_is_seen_with_todays_knowledge() {
    let i = installation().await;
    i.pass(1_000);
    let mut late = report("cart", "1.0.0", "prod");
    late.deployed_at = Some(at(100));
    i.deploy(late).await;
    i.deploy(report("cart", "2.0.0", "prod")).await;
    assert_eq!(version_in(&i, "prod", as_of(at(99))).await, None);
    let then = version_in(&i, "prod", as_of(at(100))).await;
    assert_eq!(then.as_deref(), Some("1.0.0"));
    let soon = version_in(&i, "prod", as_of(at(1_060))).await;
    assert_eq!(soon.as_deref(), Some("2.0.0"));

    let (project, application, prod) = (slug("default"), key("cart"), slug("prod"));
    let (call, moment) = (by(&i.admin), as_of(at(1_061)));
    let ahead = get_current_state(&i.context, &call, &project, &application, &prod, moment).await;
    let ahead = ahead.expect_err("refused");
    assert!(matches!(ahead, LedgerError::TimesAhead(ahead) if ahead.0[0].field == "as_of_time"));
}

#[tokio::test]
async fn further_pages_show_the_moment_of_the_first() {
    let i = installation().await;
    for application in ["a", "b", "c"] {
        i.deploy(report(application, "1", "prod")).await;
    }
    i.pass(60);
    let (project, filter) = (slug("default"), CellFilter::default());
    let call = by(&i.admin);
    let now = Moment::default();
    let first = list_current_state(&i.context, &call, &project, &filter, now, None, size(2)).await;
    let first = first.expect("listed");
    assert_eq!(first.page.items.len(), 2);
    i.pass(60);
    i.deploy(report("c", "2", "prod")).await;
    let cursor = first.page.next.as_ref();
    assert!(cursor.is_some());
    let second = list_current_state(&i.context, &call, &project, &filter, now, cursor, size(2));
    let second = second.await.expect("listed");
    assert_eq!(second.as_of, first.as_of);
    let versions: Vec<_> = second
        .page
        .items
        .iter()
        .map(|cell| cell.version.as_str())
        .collect();
    assert_eq!(versions, ["1"]);
}

#[tokio::test]
async fn names_that_stand_for_nothing_are_named() {
    let i = installation().await;
    i.deploy(report("cart", "1.0.0", "prod")).await;
    let list = async |filter: RecordFilter| {
        let (project, call) = (slug("default"), by(&i.admin));
        list_deployment_records(&i.context, &call, &project, &filter, None, size(10)).await
    };
    let of = |application: &str, version: Option<&str>, environment: &str| RecordFilter {
        application: Some(key(application)),
        version: version.map(key),
        environment: Some(slug(environment)),
        ..RecordFilter::default()
    };
    let found = list(of("cart", Some("1.0.0"), "prod"))
        .await
        .expect("there");
    assert_eq!(found.items.len(), 1);
    assert!(matches!(
        list(of("card", None, "prod")).await,
        Err(LedgerError::ApplicationNotFound { .. })
    ));
    assert!(matches!(
        list(of("cart", Some("9"), "prod")).await,
        Err(LedgerError::VersionNotFound { .. })
    ));
    assert!(matches!(
        list(of("cart", None, "production")).await,
        Err(LedgerError::EnvironmentNotFound { .. })
    ));
    let removed = RecordFilter {
        kind: Some(RecordKind::Removed),
        ..of("cart", None, "prod")
    };
    assert!(list(removed).await.expect("nothing").items.is_empty());
}

#[tokio::test]
async fn environments_are_compared_application_by_application() {
    let i = installation().await;
    for (application, staging, prod) in [
        ("a-newer", Some("1.10.0"), Some("1.9.0")),
        ("b-older", Some("9"), Some("10")),
        ("c-same", Some("2"), Some("2")),
        ("d-left", Some("1"), None),
        ("e-right", None, Some("1")),
        ("f-archived", Some("1"), Some("2")),
    ] {
        for (environment, version) in [("staging", staging), ("prod", prod)] {
            if let Some(version) = version {
                i.deploy(report(application, version, environment)).await;
            }
        }
    }
    let archive = ArchiveApplication {
        project: slug("default"),
        application: key("f-archived"),
    };
    archive_application(&i.context, &by(&i.admin), archive)
        .await
        .expect("archived");
    i.pass(1);

    let mut comparison = Comparison {
        project: slug("default"),
        left: slug("staging"),
        right: slug("prod"),
        moment: Moment::default(),
        include_same: true,
    };
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let call = by(&i.admin);
        let found =
            compare_environments(&i.context, &call, &comparison, cursor.as_ref(), size(2)).await;
        let page = found.expect("compared").page;
        assert!((1..=2).contains(&page.items.len()));
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let told: Vec<_> = all
        .iter()
        .map(|sides| {
            let application = sides.any().application.as_str();
            match sides {
                Sides::OnlyLeft(_) => (application, "left", None),
                Sides::OnlyRight(_) => (application, "right", None),
                Sides::Both { order, .. } => (application, "both", Some(*order)),
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a-newer", "both", Some(Ordering::Greater)),
            ("b-older", "both", Some(Ordering::Less)),
            ("c-same", "both", Some(Ordering::Equal)),
            ("d-left", "left", None),
            ("e-right", "right", None),
        ]
    );

    comparison.include_same = false;
    let call = by(&i.admin);
    let different = compare_environments(&i.context, &call, &comparison, None, size(10)).await;
    assert_eq!(different.expect("compared").page.items.len(), 4);
    comparison.right = slug("nowhere");
    let absent = compare_environments(&i.context, &by(&i.admin), &comparison, None, size(10)).await;
    assert!(matches!(
        absent,
        Err(LedgerError::EnvironmentNotFound { .. })
    ));
}

#[tokio::test]
async fn a_resolved_version_is_told_once_and_then_unchanged() {
    let i = installation().await;
    i.deploy(report("cart", "1.0.0", "prod")).await;
    let content = Bytes::from_static(b"{\"prompt\": \"hello\"}");
    let version = CreateVersion {
        project: slug("default"),
        application: key("cart"),
        identifier: key("2.0.0"),
        digest: None,
        content: Some(NewContent {
            bytes: content.clone(),
            media_type: "application/json"
                .to_owned()
                .try_into()
                .expect("a media type"),
        }),
        dependencies: Dependencies::default(),
        attributes: Attributes::default(),
        notes: Notes::default(),
        author: None,
        validate_only: false,
    };
    create_version(&i.context, &by(&i.admin), version)
        .await
        .expect("created");
    i.pass(1);
    let record = i.deploy(report("cart", "2.0.0", "prod")).await;

    let mut query = ResolveVersion {
        project: slug("default"),
        environment: slug("prod"),
        application: key("cart"),
        if_none_match: None,
        include_content: true,
    };
    let resolve =
        async |query: &ResolveVersion| resolve_version(&i.context, &by(&i.admin), query).await;
    let Ok(Resolution::Current {
        etag,
        version,
        content: found,
    }) = resolve(&query).await
    else {
        panic!("something is current");
    };
    assert_eq!((version.record, found), (record, Some(content)));

    query.if_none_match = Some(etag.clone());
    let unchanged = resolve(&query).await.expect("resolved");
    assert_eq!(unchanged, Resolution::Unchanged { etag: etag.clone() });
    i.retract(record).await;
    let Ok(Resolution::Current { etag: other, .. }) = resolve(&query).await else {
        panic!("another one is current");
    };
    assert_ne!(other, etag);

    i.pass(1);
    let mut removal = report("cart", "1.0.0", "prod");
    removal.kind = RecordKind::Removed;
    i.deploy(removal).await;
    assert!(matches!(
        resolve(&query).await,
        Err(LedgerError::NothingDeployed { .. })
    ));
    query.application = key("card");
    assert!(matches!(
        resolve(&query).await,
        Err(LedgerError::ApplicationNotFound { .. })
    ));
}

#[tokio::test]
async fn statistics_count_what_stands() {
    let i = installation().await;
    i.pass(8 * 86_400);
    let mut old = report("cart", "1.0.0", "prod");
    old.deployed_at = Some(at(10));
    i.deploy(old).await;
    i.deploy(report("cart", "2.0.0", "prod")).await;
    let wrong = i.deploy(report("cart", "3.0.0", "prod")).await;
    i.retract(wrong).await;
    let project = slug("default");
    let figures = async |environment: &str, days| {
        let environment = slug(environment);
        get_statistics(
            &i.context,
            &by(&i.admin),
            &project,
            Some(&environment),
            days,
        )
        .await
    };
    let found = figures("prod", 30).await.expect("counted");
    assert_eq!((found.applications, found.environments), (1, 1));
    assert_eq!((found.recent_deployments, found.latest.len()), (1, 2));
    let days: Vec<_> = found
        .per_day
        .iter()
        .map(|day| (day.day, day.deployed))
        .collect();
    let first = at(0).day();
    assert_eq!(days, [(first + 8, 1), (first, 1)]);
    let today = figures("prod", 1).await.expect("counted").per_day;
    assert_eq!(today.len(), 1);
    assert!(matches!(
        figures("nowhere", 30).await,
        Err(LedgerError::EnvironmentNotFound { .. })
    ));
}
