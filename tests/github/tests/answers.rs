//! What the stand-in answers, to a client that knows GitHub: what an adapter that does everything right never asks.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

use octocrab::Octocrab;
use serde_json::{Value, json};
use slipway_github_stand_in::{Access, Options, StandIn, available, description::Description};

const REPOSITORY: &str = "/repos/octo-org/snapshots";

fn client(server: &StandIn, token: &str) -> Octocrab {
    Octocrab::builder()
        .base_uri(server.base_url())
        .expect("an address")
        .personal_token(token)
        .build()
        .expect("a client")
}

async fn post(client: &Octocrab, rest: &str, body: Value) -> Result<Value, (u16, String)> {
    let made = client
        .post(format!("{REPOSITORY}{rest}"), Some(&body))
        .await;
    made.map_err(refused)
}

async fn get(client: &Octocrab, rest: &str) -> Result<Value, (u16, String)> {
    let found = client.get(format!("{REPOSITORY}{rest}"), None::<&()>).await;
    found.map_err(refused)
}

fn refused(error: octocrab::Error) -> (u16, String) {
    match error {
        octocrab::Error::GitHub { source, .. } => (source.status_code.as_u16(), source.message),
        other => panic!("{other:?}"),
    }
}

/// Every answer is one that GitHub describes; some requests here are wrong on purpose.
fn check_answers(server: &StandIn) {
    let Some(description) = Description::load() else {
        return;
    };
    for asked in server.everything() {
        // Of these the stand-in tells a few things only.
        if asked.path.contains("/git/") {
            assert_eq!(description.check_answer(&asked), Ok(()), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn wrong_requests_are_refused_as_github_refuses_them() {
    if !available() {
        return;
    }
    let server = StandIn::start(Options::default()).await;
    let client = client(&server, "ghp_write");
    let main = get(&client, "/git/ref/heads/main").await.expect("a branch");
    let main = main["object"]["sha"].as_str().expect("a hash").to_owned();
    let nowhere = "0".repeat(40);
    let tree = |entry: Value| json!({ "base_tree": main, "tree": [entry] });
    let entry = |path: &str| json!({ "path": path, "mode": "100644", "type": "blob" });
    let with = |mut entry: Value, field: &str, value: Value| {
        entry[field] = value;
        entry
    };
    for (rest, body, said) in [
        (
            "/git/refs",
            json!({ "ref": "main", "sha": main }),
            "not valid",
        ),
        (
            "/git/refs",
            json!({ "ref": "refs/heads/a..b", "sha": main }),
            "not valid",
        ),
        (
            "/git/refs",
            json!({ "ref": "refs/heads/main", "sha": main }),
            "already exists",
        ),
        (
            "/git/refs",
            json!({ "ref": "refs/heads/new", "sha": nowhere }),
            "does not exist",
        ),
        (
            "/git/blobs",
            json!({ "content": "%", "encoding": "base64" }),
            "Base64",
        ),
        ("/git/blobs", json!({}), "wasn't supplied"),
        ("/git/trees", json!({ "tree": [] }), "Invalid tree info"),
        ("/git/trees", tree(entry("a")), "Must supply either"),
        (
            "/git/trees",
            tree(with(
                with(entry("a"), "sha", nowhere.clone().into()),
                "content",
                "".into(),
            )),
            "Must supply either",
        ),
        (
            "/git/trees",
            tree(with(entry("a"), "sha", nowhere.clone().into())),
            "not a valid blob",
        ),
        (
            "/git/trees",
            tree(with(entry("no-such"), "sha", Value::Null)),
            "BadObjectState",
        ),
        (
            "/git/trees",
            json!({ "base_tree": nowhere, "tree": [with(entry("a"), "content", "".into())] }),
            "base_tree",
        ),
        (
            "/git/commits",
            json!({ "message": "m", "tree": nowhere }),
            "Tree SHA",
        ),
        (
            "/git/commits",
            json!({ "message": "m", "tree": main, "parents": [nowhere] }),
            "Parent SHA",
        ),
    ] {
        let (status, message) = post(&client, rest, body.clone())
            .await
            .expect_err("refused");
        assert_eq!(status, 422, "{body}");
        assert!(message.contains(said), "{body}: {message}");
    }
    for rest in [
        "/git/ref/heads/no-such",
        "/git/ref/heads",
        "/git/blobs/0123456789012345678901234567890123456789",
        "/git/trees/no-such",
        "/git/commits/main",
        "/no-such",
    ] {
        assert_eq!(
            get(&client, rest).await.expect_err("missing").0,
            404,
            "{rest}"
        );
    }
    check_answers(&server);
}

#[tokio::test]
async fn a_branch_moves_forward_unless_it_is_forced() {
    if !available() {
        return;
    }
    let server = StandIn::start(Options::default()).await;
    let client = client(&server, "ghp_write");
    let first = server.somebody_commits("env/dev", "a", "1").await;
    let second = server.somebody_commits("env/dev", "b", "2").await;
    let other = server.somebody_commits("other", "a", "3").await;
    let path = format!("{REPOSITORY}/git/refs/heads/env/dev");
    let update = async |path: &str, sha: &str, force: bool| {
        let body = json!({ "sha": sha, "force": force });
        let moved: octocrab::Result<Value> = client.patch(path, Some(&body)).await;
        moved
            .map(|moved| moved["object"]["sha"].clone())
            .map_err(refused)
    };
    for (path, sha, said) in [
        (path.clone(), first.as_str(), "not a fast forward"),
        (path.clone(), other.as_str(), "not a fast forward"),
        (
            format!("{path}s"),
            first.as_str(),
            "Reference does not exist",
        ),
        (path.clone(), &"0".repeat(40), "Object does not exist"),
    ] {
        let (status, message) = update(&path, sha, false).await.expect_err("refused");
        assert_eq!(status, 422);
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(update(&path, &first, true).await, Ok(first.clone().into()));
    assert_eq!(
        update(&path, &second, false).await,
        Ok(second.clone().into())
    );

    for (range, status, ahead, behind) in [
        (format!("{first}...{first}"), "identical", 0, 0),
        (format!("{first}...{second}"), "ahead", 1, 0),
        (format!("{second}...{first}"), "behind", 0, 1),
    ] {
        let compared = get(&client, &format!("/compare/{range}"))
            .await
            .expect("compared");
        assert_eq!(compared["status"], status);
        assert_eq!(
            (&compared["ahead_by"], &compared["behind_by"]),
            (&json!(ahead), &json!(behind))
        );
    }
    let compared = get(&client, &format!("/compare/{first}...env%2Fdev")).await;
    let files = compared.expect("compared")["files"].clone();
    assert_eq!(
        (&files[0]["filename"], &files[0]["status"]),
        (&json!("b"), &json!("added"))
    );
    let unrelated = get(&client, &format!("/compare/{first}...{other}")).await;
    assert_eq!(unrelated.expect_err("refused").0, 404);
    check_answers(&server);
}

#[tokio::test]
async fn an_empty_repository_takes_a_file_and_no_object() {
    if !available() {
        return;
    }
    let empty = Options {
        empty: true,
        ..Options::default()
    };
    let server = StandIn::start(empty).await;
    let client = client(&server, "ghp_write");
    let blob = json!({ "content": "a" });
    let (status, message) = post(&client, "/git/blobs", blob.clone())
        .await
        .expect_err("refused");
    assert_eq!(
        (status, message.as_str()),
        (409, "Git Repository is empty.")
    );
    assert_eq!(
        get(&client, "/git/ref/heads/main")
            .await
            .expect_err("empty")
            .0,
        409
    );
    let path = format!("{REPOSITORY}/contents/a/b.md");
    let put = async |body: Value| {
        let put: octocrab::Result<Value> = client.put(&path, Some(&body)).await;
        put.map_err(refused)
    };
    let made = put(json!({ "message": "m", "content": "YQ==" }))
        .await
        .expect("made");
    let sha = made["content"]["sha"].clone();
    assert!(post(&client, "/git/blobs", blob).await.is_ok());
    let (status, message) = put(json!({ "message": "m", "content": "Yg==" }))
        .await
        .expect_err("refused");
    assert!(
        status == 422 && message.contains("\"sha\" wasn't supplied"),
        "{message}"
    );
    let stale = json!({ "message": "m", "content": "Yg==", "sha": "0".repeat(40) });
    assert_eq!(put(stale).await.expect_err("refused").0, 409);
    let changed = json!({ "message": "m", "content": "Yg==", "sha": sha });
    assert!(put(changed).await.is_ok());
    assert_eq!(server.git(&["show", "main:a/b.md"]).await, "b");
    server.git(&["fsck", "--strict"]).await;
}

#[tokio::test]
async fn who_may_not_is_told_no_more_than_github_tells() {
    if !available() {
        return;
    }
    let options = Options {
        tokens: vec![
            ("ghp_read".to_owned(), Access::Read),
            ("ghp_nothing".to_owned(), Access::Nothing),
        ],
        ..Options::default()
    };
    let server = StandIn::start(options).await;
    let blob = json!({ "content": "a" });
    for (token, reads, writes) in [
        ("ghp_read", None, 403),
        ("ghp_nothing", Some(404), 404),
        ("ghp_bad", Some(401), 401),
    ] {
        let client = client(&server, token);
        let read = get(&client, "").await;
        assert_eq!(read.err().map(|(status, _)| status), reads, "{token}");
        let written = post(&client, "/git/blobs", blob.clone()).await;
        assert_eq!(written.expect_err("refused").0, writes, "{token}");
    }
    let client = client(&server, "ghp_read");
    let other: octocrab::Result<Value> = client.get("/repos/octo-org/other", None::<&()>).await;
    assert_eq!(refused(other.expect_err("missing")).0, 404);
    check_answers(&server);
}
