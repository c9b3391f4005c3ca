//! Reading.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_n8n_stand_in::{Fault, Injection, StandIn};
use slipway_workflows::workflow::WorkflowError;
use slipway_workflows::{WorkflowEngine, WorkflowId};

use crate::{failed, scheduled, start, unavailable, with, workflow};

#[tokio::test]
async fn a_list_without_an_order_is_read_until_it_is_complete() {
    let options = slipway_n8n_stand_in::Options {
        shuffle: Some(7),
        ..Default::default()
    };
    let stand_in = StandIn::start(options).await;
    for number in 0..1_000 {
        stand_in.seed(scheduled(&format!("w{number}")));
    }
    let options = Options::new(&stand_in.url, ApiKey::new(&stand_in.api_key));
    let n8n = N8n::new(&options).expect("an engine");
    let exported = n8n.export().await.expect("exported");

    let ids: Vec<_> = exported.iter().map(|it| it.id.0.clone()).collect();
    assert!(ids.is_sorted());
    assert_eq!(ids.len(), 1_000);
    let there: BTreeSet<_> = stand_in.ids().into_iter().collect();
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), there);
    // Each was read once, and the list several times.
    assert_eq!(stand_in.count("GET /workflows/{id}"), 1_000);
    assert!(stand_in.count("GET /workflows") > 8);
    assert_eq!(stand_in.writes(), []);
}

#[tokio::test]
async fn a_list_in_order_is_read_as_often_as_it_needs() {
    let (stand_in, n8n) = start().await;
    assert!(n8n.export().await.expect("exported").is_empty());
    for number in 0..250 {
        stand_in.seed(scheduled(&format!("w{number}")));
    }
    stand_in.forget_calls();
    assert_eq!(n8n.export().await.expect("exported").len(), 250);
    // One page is one moment.
    assert_eq!(stand_in.count("GET /workflows"), 1);

    stand_in.seed(scheduled("one more"));
    stand_in.forget_calls();
    assert_eq!(n8n.export().await.expect("exported").len(), 251);
    assert_eq!(stand_in.count("GET /workflows"), 4);
}

#[tokio::test]
async fn only_what_has_changed_is_read_again() {
    let (stand_in, n8n) = start().await;
    let ids: Vec<_> = (0..20)
        .map(|number| stand_in.seed(scheduled(&format!("w{number}"))))
        .collect();
    let first = n8n.export().await.expect("exported");
    stand_in.forget_calls();
    assert_eq!(n8n.export().await.expect("exported"), first);
    assert_eq!(stand_in.count("GET /workflows"), 1);
    assert_eq!(stand_in.count("GET /workflows/{id}"), 0);

    // A list shows neither of these.
    assert!(stand_in.edit(&ids[3], |it| drop(
        it.insert("description".to_owned(), json!("why"))
    )));
    assert!(stand_in.edit(&ids[4], |it| drop(
        it.insert("pinData".to_owned(), json!({"Work": [{"json": {}}]}))
    )));
    // And tags are kept apart from the workflow.
    let tagged = workflow(with(scheduled("w5"), "tags", json!(["nightly"])));
    let id = WorkflowId(ids[5].clone());
    n8n.update(&id, &tagged).await.expect("tagged");
    assert!(stand_in.remove(&ids[6]));
    // Reading it by itself counts, until it changes again.
    for number in [7, 8] {
        let change =
            |it: &mut serde_json::Map<_, _>| drop(it.insert("name".to_owned(), json!("renamed")));
        assert!(stand_in.edit(&ids[number], change));
        let read = n8n
            .get(&WorkflowId(ids[number].clone()))
            .await
            .expect("read");
        assert_eq!(read.expect("there").name, "renamed");
    }
    assert!(stand_in.edit(&ids[8], |it| drop(
        it.insert("description".to_owned(), json!("again"))
    )));
    let added = stand_in.seed(scheduled("new"));
    stand_in.forget_calls();
    let again = n8n.export().await.expect("exported");
    assert_eq!(stand_in.count("GET /workflows/{id}"), 5);
    let found = |id: &str| {
        let found = again.iter().find(|found| found.id.0 == id)?;
        found.workflow.as_ref().ok()
    };
    assert_eq!(found(&ids[3]).expect("there").description, "why");
    assert!(found(&ids[4]).expect("there").pin_data.is_some());
    assert!(found(&ids[5]).expect("there").tags.contains("nightly"));
    assert_eq!(found(&ids[7]).expect("there").name, "renamed");
    assert_eq!(found(&ids[8]).expect("there").description, "again");
    assert!(found(&ids[6]).is_none() && found(&added).is_some());
    assert_eq!(again.len(), 20);
}

#[tokio::test]
async fn calls_go_side_by_side_up_to_the_limit() {
    let (stand_in, _) = start().await;
    for number in 0..60 {
        stand_in.seed(scheduled(&format!("w{number}")));
    }
    stand_in.latency(Duration::from_millis(10));
    let mut options = Options::new(&stand_in.url, ApiKey::new(&stand_in.api_key));
    options.max_parallel = 5;
    let n8n = N8n::new(&options).expect("an engine");
    assert_eq!(n8n.export().await.expect("exported").len(), 60);
    assert_eq!(stand_in.max_in_flight(), 5);

    // The limit is one for everything that is asked of the engine; one that knows nothing yet reads all.
    stand_in.forget_calls();
    let n8n = N8n::new(&options).expect("an engine");
    let (a, b, c) = tokio::join!(n8n.export(), n8n.export(), n8n.check());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(stand_in.max_in_flight(), 5);
}

#[tokio::test]
async fn archived_active_tagged_and_unreadable_ones_are_told_apart() {
    let (stand_in, n8n) = start().await;
    let document = with(scheduled("a"), "description", json!("why"));
    let document = with(document, "tags", json!(["etl", "nightly"]));
    let active = stand_in.seed(with(document, "active", json!(true)));
    let archived = stand_in.seed(scheduled("b"));
    assert!(stand_in.archive(&archived));
    let broken = stand_in.seed(json!({"name": "c", "nodes": [{"type": "x"}], "connections": {}}));
    // Settings that belong to the instance are no part of a workflow.
    let editor = with(
        scheduled("d"),
        "settings",
        json!({"executionOrder": "v1", "binaryMode": "separate"}),
    );
    let editor = stand_in.seed(editor);

    let exported = n8n.export().await.expect("exported");
    let find = |id: &str| exported.iter().find(|it| it.id.0 == id).expect("exported");
    let read = find(&active).workflow.as_ref().expect("readable");
    assert!(read.active && !find(&active).archived);
    assert_eq!(read.description, "why");
    assert_eq!(
        read.tags,
        BTreeSet::from(["etl".to_owned(), "nightly".to_owned()])
    );
    assert!(find(&archived).archived);
    assert_eq!(find(&broken).name, "c");
    let error = find(&broken).workflow.as_ref().expect_err("unreadable");
    assert_eq!(
        error.to_string(),
        "the document is no workflow: a node has no name"
    );
    assert_eq!(find(&editor).workflow, Ok(workflow(scheduled("d"))));

    let alone = n8n.get(&WorkflowId(active.clone())).await.expect("read");
    assert_eq!(alone.as_ref(), Some(find(&active)));
    for id in ["nobody", "../tags", ""] {
        assert_eq!(
            n8n.get(&WorkflowId(id.to_owned())).await.expect("read"),
            None
        );
    }
}

#[tokio::test]
async fn one_that_is_too_large_does_not_hide_the_others() {
    let (stand_in, n8n) = start().await;
    let large = json!({"x": "y".repeat(33 * 1024 * 1024)});
    let large = stand_in.seed(with(scheduled("large"), "pinData", large));
    stand_in.seed(scheduled("small"));
    let exported = n8n.export().await.expect("exported");
    assert_eq!(exported.len(), 2);
    for exported in exported {
        match exported.workflow {
            Ok(workflow) => assert_eq!(workflow.name, "small"),
            Err(WorkflowError::TooLarge { bytes }) => {
                assert_eq!(
                    (exported.name.as_str(), exported.id.0),
                    ("large", large.clone())
                );
                assert!(bytes > 33 * 1024 * 1024);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_parts() {
    let (stand_in, n8n) = start().await;
    for number in 0..12 {
        stand_in.seed(scheduled(&format!("w{number}")));
    }
    let padded = Injection {
        times: 2,
        ..Injection::once("GET /workflows", Fault::Padded(64 * 1024 * 1024))
    };
    stand_in.inject(padded);
    assert_eq!(n8n.export().await.expect("exported").len(), 12);
    let calls = stand_in.calls().into_iter();
    let lists: Vec<_> = calls.filter(|call| call.path == "/workflows").collect();
    let limits = [
        "limit=250&",
        "limit=50&",
        "limit=10&",
        "limit=10&",
        "limit=250&",
    ];
    assert_eq!(lists.len(), limits.len());
    for (list, limit) in lists.iter().zip(limits) {
        assert!(list.query.starts_with(limit), "{}", list.query);
    }
}

#[tokio::test]
async fn a_page_that_never_fits_is_told() {
    let (stand_in, n8n) = start().await;
    stand_in.seed(scheduled("a"));
    let padded = Fault::Padded(64 * 1024 * 1024);
    stand_in.inject(Injection::always("GET /workflows", padded));
    let message = failed(n8n.export().await);
    assert!(
        message.starts_with("the answer has at least 671"),
        "{message}"
    );
    assert_eq!(stand_in.count("GET /workflows"), 4);
}

#[tokio::test]
async fn one_removed_while_it_was_exported_is_left_out() {
    let (stand_in, n8n) = start().await;
    let kept = stand_in.seed(scheduled("kept"));
    let gone = stand_in.seed(scheduled("gone"));
    stand_in.latency(Duration::from_millis(300));
    let removing = async {
        while stand_in.count("GET /workflows/{id}") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(stand_in.remove(&gone));
    };
    let (exported, ()) = tokio::join!(n8n.export(), removing);
    let exported = exported.expect("exported");
    assert_eq!(exported.len(), 1);
    assert_eq!(exported[0].id.0, kept);
}

#[tokio::test]
async fn an_engine_says_what_it_is() {
    let (stand_in, n8n) = start().await;
    assert_eq!(
        n8n.check().await.expect("there"),
        format!("n8n at {}", stand_in.url)
    );

    let elsewhere = format!("{}/tools", stand_in.url);
    let elsewhere = Options::new(elsewhere, ApiKey::new(&stand_in.api_key));
    let problem = unavailable(N8n::new(&elsewhere).expect("an engine").check().await);
    assert_eq!(
        problem,
        "there is no such API at this address (404 Not Found: an empty answer)"
    );
}

#[tokio::test]
async fn something_else_than_n8n_is_found_out() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    stand_in.inject(Injection::once("GET /workflows", Fault::Html(200)));
    let problem = unavailable(n8n.check().await);
    assert!(problem.contains("not what n8n's API sends"), "{problem}");
    assert!(problem.ends_with("it begins with: OK"), "{problem}");

    // A page that says 404 is not n8n saying that there is no such workflow.
    stand_in.inject(Injection::once("GET /workflows/{id}", Fault::Html(404)));
    let problem = unavailable(n8n.get(&id).await);
    assert_eq!(
        problem,
        "there is no such API at this address (404 Not Found: Not Found)"
    );

    stand_in.inject(Injection::once("GET /workflows", Fault::Redirect));
    let problem = unavailable(n8n.check().await);
    assert!(
        problem.contains("leads to another one (302 Found)"),
        "{problem}"
    );
    assert_eq!(stand_in.calls().len(), 3);

    let tls = format!("https{}", stand_in.url.trim_start_matches("http"));
    let tls = Options::new(tls, ApiKey::new(&stand_in.api_key));
    let problem = unavailable(N8n::new(&tls).expect("an engine").check().await);
    assert!(problem.contains("InvalidContentType"), "{problem}");
}
