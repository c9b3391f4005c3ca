//! What the stand-in answers to whoever speaks to it without the adapter.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use slipway_n8n_stand_in::{Effect, Options, StandIn};

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    fn message(&self) -> String {
        let message = self.json()["message"].clone();
        message.as_str().expect("a message").to_owned()
    }
}

async fn send(stand_in: &StandIn, line: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}/api/v1{path}", stand_in.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let request = request.body(body).expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client
        .request(request)
        .await
        .expect("an answer")
        .into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

async fn call(stand_in: &StandIn, line: &str, body: Value) -> Answer {
    let headers = [
        ("x-n8n-api-key", stand_in.api_key.as_str()),
        ("content-type", "application/json"),
    ];
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    send(stand_in, line, &body, &headers).await
}

fn document() -> Value {
    json!({
        "name": "a",
        "nodes": [{"name": "T", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.0, "position": [0, 0], "parameters": {}}],
        "connections": {},
        "settings": {},
    })
}

async fn start() -> StandIn {
    StandIn::start(Options::default()).await
}

#[tokio::test]
async fn the_door_is_shut() {
    let stand_in = start().await;
    let missing = send(&stand_in, "GET /workflows", "", &[]).await;
    assert_eq!(
        (missing.status, missing.message().as_str()),
        (401, "'X-N8N-API-KEY' header required")
    );
    let wrong = send(&stand_in, "GET /workflows", "", &[("x-n8n-api-key", "x")]).await;
    assert_eq!(
        (wrong.status, wrong.message().as_str()),
        (401, "unauthorized")
    );

    let headers = [
        ("x-n8n-api-key", stand_in.api_key.as_str()),
        ("content-type", "application/json"),
    ];
    let malformed = send(&stand_in, "POST /workflows", "{\"name\":", &headers).await;
    assert_eq!(malformed.status, 500);
    assert!(
        malformed.text.contains("<pre>SyntaxError"),
        "{}",
        malformed.text
    );
    let large = send(
        &stand_in,
        "POST /workflows",
        &" ".repeat(slipway_n8n_stand_in::MAX_BODY + 1),
        &headers,
    )
    .await;
    assert_eq!(large.status, 413);
    assert!(large.text.starts_with("<!DOCTYPE html>"), "{}", large.text);

    for (line, status) in [
        ("PATCH /workflows/x", 405),
        ("GET /nothing", 404),
        ("GET /variables", 403),
    ] {
        let answer = call(&stand_in, line, json!(null)).await;
        assert_eq!(answer.status, status, "{line}");
        assert!(!answer.message().is_empty());
    }
    assert_eq!(stand_in.effects(), []);
    assert_eq!(stand_in.calls().len(), 7);
}

#[tokio::test]
async fn a_body_as_it_was_shown_is_refused() {
    let stand_in = start().await;
    let created = call(&stand_in, "POST /workflows", document()).await;
    assert_eq!(created.status, 200);
    let row = created.json();
    assert_eq!(
        (&row["active"], &row["nodes"][0]["typeVersion"]),
        (&json!(false), &json!(1))
    );
    let path = format!("PUT /workflows/{}", row["id"].as_str().expect("an id"));
    assert_eq!(call(&stand_in, &path, row).await.status, 400);
    for (key, words) in [
        ("id", "request/body/id is read-only"),
        ("active", "request/body/active is read-only"),
        ("tags", "request/body/tags is read-only"),
        (
            "versionCounter",
            "request/body Unrecognized key(s) in object: 'versionCounter'",
        ),
        (
            "sourceWorkflowId",
            "request/body Unrecognized key(s) in object: 'sourceWorkflowId'",
        ),
    ] {
        let mut body = document();
        body[key] = json!(null);
        for line in ["POST /workflows", path.as_str()] {
            let answer = call(&stand_in, line, body.clone()).await;
            assert_eq!(
                (answer.status, answer.message().as_str()),
                (400, words),
                "{line}"
            );
        }
    }
    let mut described = document();
    described["description"] = json!("why");
    assert_eq!(
        call(&stand_in, "POST /workflows", described.clone())
            .await
            .status,
        400
    );
    assert_eq!(
        call(&stand_in, &path, described).await.json()["description"],
        "why"
    );
    assert_eq!(
        call(&stand_in, &path, document()).await.json()["description"],
        "why"
    );
}

#[tokio::test]
async fn settings_are_merged() {
    let stand_in = start().await;
    let id = stand_in.seed(document());
    let path = format!("PUT /workflows/{id}");
    let mut after = json!({});
    for (sent, stored) in [
        (
            json!({"timezone": "UTC", "executionTimeout": 5, "callerPolicy": "any", "binaryMode": "x"}),
            json!({"timezone": "UTC", "executionTimeout": 5, "callerPolicy": "any"}),
        ),
        (
            json!({}),
            json!({"timezone": "UTC", "executionTimeout": 5, "callerPolicy": "any"}),
        ),
        (
            json!({"timezone": "DEFAULT", "executionTimeout": -1}),
            json!({"callerPolicy": "any"}),
        ),
    ] {
        let mut body = document();
        body["settings"] = sent;
        after = call(&stand_in, &path, body).await.json();
        assert_eq!(after["settings"], stored);
    }
    assert_eq!(after["id"], json!(id));
}

#[tokio::test]
async fn versions_move_with_the_nodes() {
    let stand_in = start().await;
    let mut active = document();
    active["nodes"][0]["id"] = json!("1");
    active["active"] = json!(true);
    let id = stand_in.seed(active.clone());
    active.as_object_mut().expect("an object").remove("active");
    let path = format!("PUT /workflows/{id}");
    let before = stand_in.workflow(&id).expect("there");
    let same = call(&stand_in, &path, active.clone()).await.json();
    assert_eq!(same["versionId"], before["versionId"]);
    assert_ne!(same["updatedAt"], before["updatedAt"]);
    assert_eq!(stand_in.effects().pop().expect("one").1, Effect::Touched);

    active["nodes"][0]["parameters"] = json!({"x": 1});
    let draft = format!("{path}?publishIfActive=false");
    let draft = call(&stand_in, &draft, active.clone()).await.json();
    assert_ne!(draft["versionId"], before["versionId"]);
    assert_eq!(draft["activeVersionId"], before["versionId"]);
    let published = call(&stand_in, &path, active).await.json();
    assert_eq!(published["activeVersionId"], draft["versionId"]);
    let effects: Vec<_> = stand_in
        .effects()
        .into_iter()
        .map(|(_, effect)| effect)
        .collect();
    assert_eq!(
        effects[1..],
        [
            Effect::Changed { published: false },
            Effect::Changed { published: true }
        ]
    );

    let path = format!("DELETE /workflows/{id}");
    assert_eq!(call(&stand_in, &path, json!(null)).await.status, 409);
    call(
        &stand_in,
        &format!("POST /workflows/{id}/archive"),
        json!(null),
    )
    .await;
    let refused = call(&stand_in, &format!("PUT /workflows/{id}"), document()).await;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (400, "Cannot update an archived workflow.")
    );
    call(
        &stand_in,
        &format!("POST /workflows/{id}/unarchive"),
        json!(null),
    )
    .await;
    let early = call(&stand_in, &path, json!(null)).await;
    assert_eq!(
        (early.status, early.message().as_str()),
        (
            409,
            "Workflow is still being unpublished. Please try again in a few moments."
        )
    );
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(call(&stand_in, &path, json!(null)).await.status, 200);
    assert_eq!(call(&stand_in, &path, json!(null)).await.status, 404);
    let refused = call(&stand_in, &format!("PUT /workflows/{id}"), document()).await;
    assert_eq!(refused.status, 404);
    assert!(refused.message().starts_with("You do not have permission"));
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let stand_in = start().await;
    for number in 0..5 {
        let mut row = document();
        row["name"] = json!(format!("w{number}"));
        row["active"] = json!(number == 3);
        row["tags"] = json!(if number < 2 { vec!["etl"] } else { vec![] });
        row["description"] = json!("not in lists");
        row["pinData"] = json!({"T": []});
        stand_in.seed(row);
    }
    let list = async |query: &str| {
        let answer = call(&stand_in, &format!("GET /workflows?{query}"), json!(null)).await;
        (answer.status, answer.json())
    };
    let (_, first) = list("limit=3").await;
    assert_eq!(first["data"].as_array().map(Vec::len), Some(3));
    assert_eq!(first["data"][0].get("description"), None);
    assert_eq!(first["data"][0]["pinData"], json!({"T": []}));
    let cursor = first["nextCursor"].as_str().expect("a cursor");
    let (_, second) = list(&format!("cursor={cursor}&excludePinnedData=true")).await;
    assert_eq!(second["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(second["data"][0].get("pinData"), None);
    assert_eq!(second["nextCursor"], json!(null));
    for (query, found) in [
        ("active=true", 1),
        ("tags=etl", 2),
        ("tags=none", 0),
        ("name=w1", 1),
    ] {
        let (_, page) = list(query).await;
        assert_eq!(
            page["data"].as_array().map(Vec::len),
            Some(found),
            "{query}"
        );
    }
    for query in ["limit=abc", "cursor=abc"] {
        assert_eq!(list(query).await.0, 400, "{query}");
    }
    let path = format!("/workflows/{}", stand_in.ids()[0]);
    let shown = call(&stand_in, &format!("GET {path}"), json!(null)).await;
    let tag = shown.headers["etag"].to_str().expect("a tag");
    let headers = [
        ("x-n8n-api-key", stand_in.api_key.as_str()),
        ("if-none-match", tag),
    ];
    let again = send(&stand_in, &format!("GET {path}"), "", &headers).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}

#[tokio::test]
async fn rows_repeat_and_are_missed_where_the_order_changes() {
    let stand_in = StandIn::start(Options {
        shuffle: Some(1),
        ..Options::default()
    })
    .await;
    for _ in 0..20 {
        stand_in.seed(document());
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut query = "limit=5".to_owned();
    for _ in 0..4 {
        let page = call(&stand_in, &format!("GET /workflows?{query}"), json!(null))
            .await
            .json();
        let rows = page["data"].as_array().expect("rows").iter();
        seen.extend(rows.map(|row| row["id"].to_string()));
        query = format!("cursor={}", page["nextCursor"].as_str().unwrap_or_default());
    }
    assert_eq!(query, "cursor=");
    assert!((5..20).contains(&seen.len()), "{}", seen.len());
}

#[tokio::test]
async fn tags_and_credentials() {
    let stand_in = start().await;
    let id = stand_in.seed(document());
    let tag = call(&stand_in, "POST /tags", json!({"name": "etl"})).await;
    assert_eq!(tag.status, 201);
    for name in ["etl", "a name of more than 24 characters"] {
        let answer = call(&stand_in, "POST /tags", json!({"name": name})).await;
        assert_eq!(answer.status, 409, "{name}");
    }
    let path = format!("PUT /workflows/{id}/tags");
    let unknown = call(&stand_in, &path, json!([{"id": "x"}])).await;
    assert_eq!(unknown.status, 404);
    let tagged = call(&stand_in, &path, json!([{"id": tag.json()["id"]}])).await;
    assert_eq!(tagged.json()[0]["name"], "etl");
    assert_eq!(call(&stand_in, &path, json!([])).await.json(), json!([]));

    let credential = json!({"name": "c", "type": "httpBasicAuth", "data": {"password": "hunter2"}});
    let created = call(&stand_in, "POST /credentials", credential).await;
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let listed = call(&stand_in, "GET /credentials", json!(null)).await;
    assert_eq!(listed.json()["data"][0]["id"], json!(id));
    assert!(!listed.text.contains("hunter2") && !created.text.contains("hunter2"));
    let path = format!("/credentials/{id}");
    assert_eq!(
        call(&stand_in, &format!("GET {path}"), json!(null))
            .await
            .status,
        200
    );
    for status in [200, 404] {
        assert_eq!(
            call(&stand_in, &format!("DELETE {path}"), json!(null))
                .await
                .status,
            status
        );
    }
}
