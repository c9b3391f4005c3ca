//! Lost answers, pauses and failures.

use std::time::{Duration, Instant};

use serde_json::json;
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_n8n_stand_in::{Effect, Fault, Injection};
use slipway_workflows::{EngineError, WorkflowEngine, WorkflowId};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::{engine, failed, scheduled, start, unavailable, uncertain, with, workflow};

#[tokio::test]
async fn a_lost_answer_leaves_it_uncertain() {
    let (stand_in, n8n) = start().await;
    let document = workflow(scheduled("a"));
    stand_in.inject(Injection::once("POST /workflows", Fault::DropAfter));
    uncertain(n8n.create(&document).await);
    assert_eq!(stand_in.effects().len(), 1);
    // It is not tried again: that would add another one.
    assert_eq!(stand_in.ids().len(), 1);
    let id = WorkflowId(stand_in.ids().remove(0));

    for (fault, active) in [(Fault::DropBefore, false), (Fault::DropAfter, true)] {
        stand_in.inject(Injection::once("POST /workflows/{id}/activate", fault));
        uncertain(n8n.activate(&id).await);
        assert_eq!(
            stand_in.workflow(&id.0).expect("there")["active"],
            json!(active)
        );
    }
    stand_in.inject(Injection::once(
        "POST /workflows/{id}/deactivate",
        Fault::DropAfter,
    ));
    uncertain(n8n.deactivate(&id).await);
    // It can be removed a moment after it was stopped.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    stand_in.inject(Injection::once("DELETE /workflows/{id}", Fault::DropAfter));
    uncertain(n8n.delete(&id).await);
    assert_eq!(stand_in.ids().len(), 0);
    n8n.delete(&id).await.expect("safe to repeat");
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_read_back() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    for (fault, name) in [(Fault::DropAfter, "b"), (Fault::FailAfter, "c")] {
        stand_in.inject(Injection::once("PUT /workflows/{id}", fault));
        n8n.update(&id, &workflow(scheduled(name)))
            .await
            .expect("it is there");
        assert_eq!(stand_in.workflow(&id.0).expect("there")["name"], name);
    }
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::DropBefore));
    uncertain(n8n.update(&id, &workflow(scheduled("d"))).await);
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::FailBefore));
    assert_eq!(
        failed(n8n.update(&id, &workflow(scheduled("d"))).await),
        "Internal server error"
    );
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::Html(502)));
    assert_eq!(
        failed(n8n.update(&id, &workflow(scheduled("d"))).await),
        "502 Bad Gateway: Bad Gateway"
    );
    assert_eq!(stand_in.workflow(&id.0).expect("there")["name"], "c");

    // A removal alone is seen too.
    let timed = with(
        scheduled("c"),
        "settings",
        json!({"executionOrder": "v1", "timezone": "UTC"}),
    );
    n8n.update(&id, &workflow(timed)).await.expect("updated");
    let untimed = workflow(scheduled("c"));
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::DropBefore));
    uncertain(n8n.update(&id, &untimed).await);
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::DropAfter));
    n8n.update(&id, &untimed).await.expect("it is there");

    // Where reading back fails as well, nobody knows.
    stand_in.inject(Injection::once("PUT /workflows/{id}", Fault::DropAfter));
    stand_in.inject(Injection::once("GET /workflows/{id}", Fault::DropBefore).after(1));
    uncertain(n8n.update(&id, &workflow(scheduled("e"))).await);
    // So it is where n8n said that it was done.
    stand_in.inject(Injection::once("GET /workflows/{id}", Fault::DropBefore).after(1));
    let problem = uncertain(n8n.update(&id, &workflow(scheduled("f"))).await);
    assert!(
        problem.starts_with("the content was saved, but could not be read back"),
        "{problem}"
    );
    // And where it refused, which can leave a draft.
    stand_in.inject(Injection::once("GET /workflows/{id}", Fault::DropBefore).after(1));
    let odd = with(scheduled("g"), "settings", json!({"odd": 1}));
    let problem = uncertain(n8n.update(&id, &workflow(odd)).await);
    assert!(
        problem.contains("Unrecognized key(s) in object: 'odd'"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_lost_answer_to_a_question_did_nothing() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    stand_in.inject(Injection::once("GET /workflows/{id}", Fault::DropAfter));
    unavailable(n8n.get(&id).await);
    stand_in.inject(Injection::once("GET /workflows/{id}", Fault::DropAfter));
    unavailable(n8n.export().await);
    stand_in.inject(Injection::once("GET /workflows", Fault::FailBefore));
    assert_eq!(failed(n8n.export().await), "Internal server error");
}

#[tokio::test]
async fn pauses_are_kept_where_there_is_time() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    stand_in.throttle(2, 1);
    let asked = Instant::now();
    n8n.activate(&id).await.expect("activated after two pauses");
    assert!(asked.elapsed() >= Duration::from_secs(2));
    let statuses: Vec<_> = stand_in
        .calls()
        .into_iter()
        .map(|call| call.status)
        .collect();
    // It is read, too, for its webhooks.
    assert_eq!(statuses, [Some(429), Some(429), Some(200), Some(200)]);
    assert_eq!(stand_in.effects().len(), 1);

    stand_in.forget_calls();
    stand_in.throttle(usize::MAX, 60);
    let document = workflow(scheduled("b"));
    let asked = Instant::now();
    for busy in [
        n8n.deactivate(&id).await,
        n8n.create(&document).await.map(drop),
        n8n.update(&id, &document).await,
    ] {
        match busy {
            Err(EngineError::Busy { retry_after }) => assert_eq!(retry_after.as_secs(), 60),
            other => panic!("it should be busy: {other:?}"),
        }
    }
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(stand_in.effects(), []);
}

#[tokio::test]
async fn an_end_of_patience_is_an_end() {
    let (stand_in, _) = start().await;
    let n8n = engine(&stand_in, Duration::from_millis(400));
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    stand_in.inject(Injection::once(
        "POST /workflows/{id}/activate",
        Fault::SlowAnswer(Duration::from_secs(30)),
    ));
    let asked = Instant::now();
    uncertain(n8n.activate(&id).await);
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(
        stand_in.effects().pop().expect("an effect").1,
        Effect::Activated
    );

    stand_in.latency(Duration::from_secs(30));
    let asked = Instant::now();
    let problem = unavailable(n8n.get(&id).await);
    assert_eq!(problem, "there was none within the time given");
    uncertain(n8n.create(&workflow(scheduled("b"))).await);
    // The first question alone takes all the time: nothing was sent that could change something.
    unavailable(n8n.update(&id, &workflow(scheduled("b"))).await);
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(stand_in.count("PUT /workflows/{id}"), 0);
}

#[tokio::test]
async fn nobody_at_home() {
    let (stand_in, n8n) = start().await;
    let id = WorkflowId(stand_in.seed(scheduled("a")));
    drop(stand_in);
    // The port is closed once the task that listens on it is gone.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let problem = unavailable(n8n.create(&workflow(scheduled("b"))).await);
    assert!(problem.contains("onnection refused"), "{problem}");
    unavailable(n8n.check().await);
    unavailable(n8n.activate(&id).await);
}

/// A server that sends this and no more, to every connection.
async fn raw(answer: &'static str) -> N8n {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            drop(tokio::io::AsyncReadExt::read(&mut stream, &mut request).await);
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    let options = Options::new(format!("http://{address}"), ApiKey::new("n8n_api_hunter2"));
    N8n::new(&options).expect("an engine")
}

#[tokio::test]
async fn an_answer_cut_short_is_none() {
    let n8n = raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\": \"1\"").await;
    uncertain(n8n.create(&workflow(scheduled("a"))).await);
    unavailable(n8n.get(&WorkflowId("1".to_owned())).await);
}

#[tokio::test]
async fn an_answer_without_an_id_or_an_end_is_found_out() {
    let n8n = raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
    let problem = uncertain(n8n.create(&workflow(scheduled("a"))).await);
    assert_eq!(
        problem,
        "n8n says that the workflow was added, but not under which id"
    );

    let n8n = raw("HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n{").await;
    assert_eq!(
        failed(n8n.check().await),
        "the answer has at least 9000000000 bytes, which is more than we take"
    );
}

#[tokio::test]
async fn a_key_that_is_repeated_to_us_is_not_passed_on() {
    let body = r#"{"message": "no such key: n8n_api_hunter2"}"#;
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let n8n = raw(Box::leak(answer.into_boxed_str())).await;
    let error = n8n.check().await.expect_err("refused").to_string();
    assert_eq!(error, "the engine refused: no such key: [secret]");
}
