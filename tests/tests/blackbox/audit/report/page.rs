//! Reports as a page, read as browsers do.

use std::collections::BTreeSet;

use scraper::{ElementRef, Html, Selector};
use slipway_api::approvals::v1::{ApproveRequest, OverrideApprovalRequest};
use slipway_api::audit::v1::ComplianceReportFormat;
use slipway_api::deployments::v1::{
    CreateReleaseRequest, Deployment, ReleaseItem, RollbackDeploymentRequest,
};
use slipway_api::identity::v1::Role;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Project};

use super::{Told, question, text};
use crate::audit::shared;
use crate::case::cases;
use crate::deployments::policies::admins;
use crate::deployments::releases::{bring, execute, prompt, release};

cases![a_report_is_a_page_on_which_nothing_runs];

/// What would show, if it were not text.
const ATTACKS: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "</style></title></table><svg onload='alert(3)'>",
    "<!-- <a href=\"javascript:alert(4)\">&lt;",
    "\u{202e}</bdi><iframe srcdoc=x>",
];

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).collect()
}

fn words(element: &ElementRef<'_>) -> String {
    element.text().collect()
}

/// A release that somebody agreed to, one that somebody let pass, and the rollback of that, with attacks wherever people write.
async fn attacked(project: &Project) -> [Deployment; 3] {
    project.environment("prod").await;
    let other = project.member(Role::Admin).await;
    prompt(project, "greeting", &["1.0.0", "1.1.0"]).await;
    project.set_policy("prod", admins(1)).await;
    let asked = CreateReleaseRequest {
        name: ATTACKS[0].to_owned(),
        items: vec![ReleaseItem {
            change_message: format!("{}\nsecond line", ATTACKS[1]),
            ..bring("greeting", "1.0.0")
        }],
        ..release(project, Vec::new())
    };
    let first = project.admin.deployments().create_release(asked).await;
    let first = first.granted().deployment.unwrap();
    let approval = ApproveRequest {
        project: project.slug.clone(),
        deployment: first.deployment_id.clone(),
        plan_digest: first.plan_digest.clone(),
        comment: ATTACKS[0].to_owned(),
        ..Default::default()
    };
    other.approvals().approve(approval).await.granted();
    execute(&project.admin, &first).await;
    let asked = CreateReleaseRequest {
        name: ATTACKS[4].to_owned(),
        ..release(project, vec![bring("greeting", "1.1.0")])
    };
    let pressed = project.admin.deployments().create_release(asked).await;
    let pressed = pressed.granted().deployment.unwrap();
    let overriding = OverrideApprovalRequest {
        project: project.slug.clone(),
        deployment: pressed.deployment_id.clone(),
        plan_digest: pressed.plan_digest.clone(),
        reason: ATTACKS[2].to_owned(),
        ..Default::default()
    };
    let overridden = other.approvals().override_approval(overriding).await;
    overridden.granted();
    execute(&project.admin, &pressed).await;
    let undoing = RollbackDeploymentRequest {
        project: project.slug.clone(),
        deployment: pressed.number.to_string(),
        reason: ATTACKS[3].to_owned(),
        ..Default::default()
    };
    let back = project
        .admin
        .deployments()
        .rollback_deployment(undoing)
        .await;
    let back = back.granted().deployment.unwrap();
    [first, pressed, back]
}

async fn a_report_is_a_page_on_which_nothing_runs(backend: Backend) {
    let project = shared(backend).await;
    let [first, pressed, back] = attacked(&project).await;
    let outside = project.record(report("cart", "1", "prod")).await;
    assert!(outside.outside_governance);

    let whole = question(&project);
    let (header, text) = text(&project, whole.clone(), ComplianceReportFormat::Html).await;
    let structured = Told::of(&project, whole).await;
    let page = Html::parse_document(&text);
    assert_eq!(page.errors, Vec::<std::borrow::Cow<'_, str>>::new());
    nothing_runs_and_nothing_is_fetched(&page);
    it_can_be_read_by_everybody(&page);

    let shown = words(&page.root_element());
    for attack in ATTACKS {
        assert!(shown.contains(attack), "{attack}");
    }
    let digest = words(&all(&page, "#summary #digest")[0]);
    assert_eq!(digest, header.digest);
    assert_eq!(digest, structured.header.digest);
    let sections = all(&page, "main > section");
    let sections: Vec<_> = sections.iter().map(|one| one.attr("id").unwrap()).collect();
    let expected = [
        "exceptions",
        "summary",
        "deployments",
        "outside-governance",
        "ungoverned",
    ];
    assert_eq!(sections, expected);
    let exceptions: Vec<_> = all(&page, "#exceptions tbody tr")
        .iter()
        .map(words)
        .collect();
    assert_eq!(exceptions.len(), 3, "{exceptions:?}");
    assert!(exceptions[0].contains("OVERRIDE_NOT_REVIEWED"));
    assert!(exceptions[2].contains("OUTSIDE_GOVERNANCE"));
    let deployments = all(&page, "#deployments > article");
    let ids: Vec<_> = deployments
        .iter()
        .map(|one| one.attr("id").unwrap())
        .collect();
    let expected = [&pressed, &first, &back].map(|of| format!("d-{}", of.number));
    assert_eq!(ids, expected, "those with exceptions first");
    let told = words(&deployments[0]);
    for expected in [
        "not reviewed",
        "OVERRIDDEN",
        "ROLLED_BACK",
        "1.1.0",
        &pressed.plan_digest,
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let chosen = pressed.items[0].chosen.as_ref().unwrap();
    for factor in &chosen.risk_factors {
        assert!(told.contains(&factor.message) && told.contains(&factor.reason));
    }
    let rows = all(&page, "#outside-governance tbody tr");
    assert_eq!(rows.len(), 1);
    assert!(words(&rows[0]).contains(&outside.record_id));
    assert_eq!(all(&page, "#ungoverned tr").len(), 0);
}

fn nothing_runs_and_nothing_is_fetched(page: &Html) {
    let running =
        "script, img, svg, iframe, object, embed, link, base, form, video, audio, template, math";
    assert_eq!(all(page, running).len(), 0);
    for element in all(page, "*") {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{name}");
            assert!(
                !matches!(name, "src" | "srcset" | "style" | "action" | "data"),
                "{name}={value}"
            );
            assert!(name != "href" || value.starts_with('#'), "{value}");
        }
    }
    let style: String = all(page, "style").iter().map(words).collect();
    assert!(style.contains("@media print") && !style.contains("url("));
    let policy = all(page, "meta[http-equiv=Content-Security-Policy]");
    let policy = policy[0].attr("content").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

/// Its language, its title, headings in their order, heads of columns and rows, and places that links go to.
fn it_can_be_read_by_everybody(page: &Html) {
    let root = page.root_element();
    assert_eq!(root.attr("lang"), Some("en"));
    assert!(words(&all(page, "title")[0]).starts_with("Compliance report: "));
    assert_eq!(all(page, "h1").len(), 1);
    for table in all(page, "table") {
        for head in table.select(&Selector::parse("th").unwrap()) {
            assert!(matches!(head.attr("scope"), Some("col" | "row")));
        }
    }
    assert!(!all(page, "thead th[scope=col]").is_empty());
    let elements = all(page, "[id]");
    let ids: Vec<_> = elements.iter().map(|one| one.attr("id").unwrap()).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "an id is there twice");
    let links = all(page, "a[href]");
    assert!(!links.is_empty());
    for link in links {
        let target = link.attr("href").unwrap().trim_start_matches('#');
        assert!(ids.contains(&target), "nothing is called {target}");
    }
    for time in all(page, "time") {
        let at = time.attr("datetime").unwrap();
        assert_eq!(words(&time), at);
        assert!(at.ends_with('Z') && at.as_bytes()[10] == b'T', "{at}");
    }
}
