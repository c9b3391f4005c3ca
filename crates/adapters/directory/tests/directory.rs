//! Workflows in a directory: what is read, what is written, what is refused.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what a test starts from works, or the test fails"
)]

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use slipway_directory::{MAX_DEPTH, WorkflowDirectory};
use slipway_workflows::workflow::MAX_BYTES;
use slipway_workflows::{
    EngineError, Exported, Workflow, WorkflowEngine, WorkflowError, WorkflowId,
};
use tempfile::TempDir;

fn given() -> (WorkflowDirectory, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    (WorkflowDirectory::new(directory.path()), directory)
}

fn id(text: &str) -> WorkflowId {
    WorkflowId(text.to_owned())
}

fn workflow(name: &str) -> Workflow {
    let document = json!({
        "name": name,
        "active": true,
        "tags": ["etl"],
        "nodes": [{"name": "A", "type": "t", "parameters": {"text": "Grüße 👩‍🚀"}}],
        "connections": {},
        "settings": {"timezone": "Europe/Berlin"},
    });
    Workflow::from_value(document, "").expect("a workflow")
}

fn ids(exported: &[Exported]) -> Vec<&str> {
    exported.iter().map(|one| one.id.0.as_str()).collect()
}

async fn get(engine: &WorkflowDirectory, name: &str) -> Workflow {
    let found = engine.get(&id(name)).await.expect("read");
    found.expect("a file").workflow.expect("a workflow")
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, EngineError>) -> String {
    match answer {
        Err(EngineError::Refused { message }) => message,
        other => panic!("not refused: {other:?}"),
    }
}

fn problem<T: std::fmt::Debug>(answer: Result<T, EngineError>) -> String {
    match answer {
        Err(EngineError::Unavailable { problem }) => problem,
        other => panic!("not told: {other:?}"),
    }
}

/// All names below a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("read");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_created_comes_back_inactive() {
    let (engine, directory) = given();
    let made = workflow("Sync orders");
    assert_eq!(
        engine.create(&made).await.expect("created"),
        id("Sync-orders")
    );
    let expected = Workflow {
        active: false,
        ..made
    };
    assert_eq!(get(&engine, "Sync-orders").await, expected);
    let bytes = fs::read(directory.path().join("Sync-orders.json")).expect("a file");
    assert_eq!(bytes, expected.to_pretty_json());
    assert_eq!(names(directory.path()), ["Sync-orders.json"]);
}

#[tokio::test]
async fn names_need_not_be_unique() {
    let (engine, directory) = given();
    let mut made = Vec::new();
    for name in [
        "Sync", "Sync", "Sync?", "Sync!", "../Sync", "東京", "..", ".",
    ] {
        made.push(engine.create(&workflow(name)).await.expect("created").0);
    }
    assert_eq!(
        made,
        [
            "Sync",
            "Sync-2",
            "Sync-3",
            "Sync-4",
            "Sync-5",
            "workflow",
            "workflow-2",
            "workflow-3"
        ]
    );
    let exported = engine.export().await.expect("exported");
    assert_eq!(exported.len(), made.len());
    assert_eq!(exported[0].name, "Sync");
    assert_eq!(names(directory.path()).len(), made.len());
}

/// Also where two processes do it: each value has its own view of the directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_created_at_once_are_all_there() {
    let (_, directory) = given();
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let engine = WorkflowDirectory::new(directory.path());
            tokio::spawn(async move { engine.create(&workflow("Sync")).await.expect("created") })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.expect("ended"));
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 40);
    assert_eq!(names(directory.path()).len(), 40);
}

#[tokio::test]
async fn an_update_changes_all_but_whether_it_is_active() {
    let (engine, directory) = given();
    let file = engine.create(&workflow("First")).await.expect("created");
    let second = Workflow {
        description: "Changed.".to_owned(),
        ..workflow("Second")
    };
    engine.update(&file, &second).await.expect("updated");
    assert_eq!(
        get(&engine, "First").await,
        Workflow {
            active: false,
            ..second.clone()
        }
    );
    engine.activate(&file).await.expect("activated");
    let third = Workflow {
        active: false,
        ..workflow("Third")
    };
    engine.update(&file, &third).await.expect("updated");
    assert_eq!(
        get(&engine, "First").await,
        Workflow {
            active: true,
            ..third
        }
    );
    assert_eq!(names(directory.path()), ["First.json"]);
}

#[tokio::test]
async fn activating_and_deactivating_may_be_repeated() {
    let (engine, directory) = given();
    let file = engine.create(&workflow("W")).await.expect("created");
    for active in [true, true, false, false] {
        let answer = if active {
            engine.activate(&file).await
        } else {
            engine.deactivate(&file).await
        };
        answer.expect("done");
        assert_eq!(
            get(&engine, "W").await,
            Workflow {
                active,
                ..workflow("W")
            }
        );
    }
    // What is as it should be is not written again, however it was formatted.
    let by_hand = br#"{"name":"W","active":true,"nodes":[],"connections":{},"versionId":"kept"}"#;
    fs::write(directory.path().join("W.json"), by_hand).expect("written");
    engine.activate(&file).await.expect("active");
    assert_eq!(
        fs::read(directory.path().join("W.json")).expect("read"),
        by_hand
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_may_be_removed() {
    let (engine, _directory) = given();
    let file = engine.create(&workflow("W")).await.expect("created");
    engine.activate(&file).await.expect("activated");
    engine.delete(&file).await.expect("removed");
    engine.delete(&file).await.expect("gone");
    engine.delete(&id("no/such/folder")).await.expect("gone");
    assert!(engine.get(&file).await.expect("read").is_none());
    assert!(
        engine
            .get(&id("no/such/folder"))
            .await
            .expect("read")
            .is_none()
    );
    for answer in [
        engine.update(&file, &workflow("W")).await,
        engine.activate(&file).await,
        engine.deactivate(&file).await,
    ] {
        assert!(matches!(answer, Err(EngineError::NotFound { id }) if id == file));
    }
    assert!(engine.export().await.expect("exported").is_empty());
}

#[tokio::test]
async fn folders_are_read_in_order_and_hidden_ones_left_alone() {
    let (engine, directory) = given();
    let root = directory.path();
    let document = workflow("W").to_pretty_json();
    for path in [
        "b.json",
        "a b.json",
        "Übung.json",
        "team/x.json",
        "team/sub/y.json",
        "team.json",
        "c.json.bak",
        "README.md",
        ".hidden.json",
        ".git/config.json",
        "noext",
        "d.json/e.json",
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, &document).expect("written");
    }
    let exported = engine.export().await.expect("exported");
    assert_eq!(
        ids(&exported),
        [
            "a b",
            "b",
            "d.json/e",
            "team",
            "team/sub/y",
            "team/x",
            "Übung"
        ]
    );
    assert!(
        exported
            .iter()
            .all(|one| !one.archived && one.workflow.is_ok())
    );
    engine
        .update(&id("team/sub/y"), &workflow("Y"))
        .await
        .expect("updated");
    assert_eq!(names(&root.join("team/sub")), ["y.json"]);
    engine.delete(&id("team/sub/y")).await.expect("removed");
    assert!(engine.get(&id("d")).await.expect("read").is_none());
}

#[tokio::test]
async fn what_can_not_be_understood_is_told_beside_the_others() {
    let (engine, directory) = given();
    let root = directory.path();
    fs::write(root.join("broken.json"), b"{\"nodes\": [").expect("written");
    fs::write(root.join("list.json"), b"[]").expect("written");
    fs::write(root.join("empty.json"), b"").expect("written");
    fs::write(
        root.join("nameless.json"),
        br#"{"nodes": [], "connections": {}}"#,
    )
    .expect("written");
    let large = fs::File::create(root.join("large.json")).expect("made");
    large.set_len(MAX_BYTES as u64 + 7).expect("sparse");
    let exported = engine.export().await.expect("exported");
    assert_eq!(
        ids(&exported),
        ["broken", "empty", "large", "list", "nameless"]
    );
    let told: Vec<_> = exported
        .iter()
        .map(|one| (one.name.as_str(), one.workflow.is_ok()))
        .collect();
    assert_eq!(
        told,
        [
            ("broken", false),
            ("empty", false),
            ("large", false),
            ("list", false),
            ("nameless", true)
        ]
    );
    assert_eq!(
        exported[2].workflow,
        Err(WorkflowError::TooLarge {
            bytes: MAX_BYTES + 7
        })
    );
    assert!(refusal(engine.activate(&id("broken")).await).contains("no workflow"));
    engine
        .update(&id("broken"), &workflow("Repaired"))
        .await
        .expect("updated");
    assert_eq!(
        get(&engine, "broken").await,
        Workflow {
            active: false,
            ..workflow("Repaired")
        }
    );
    engine.delete(&id("large")).await.expect("removed");
}

#[tokio::test]
async fn ids_that_lead_elsewhere_are_refused() {
    let (engine, directory) = given();
    let inside = directory.path().join("inside");
    fs::create_dir(&inside).expect("made");
    fs::write(
        directory.path().join("secret.json"),
        workflow("S").to_pretty_json(),
    )
    .expect("written");
    let engine_inside = WorkflowDirectory::new(&inside);
    let deep = "a/".repeat(MAX_DEPTH + 1) + "a";
    let long = "x".repeat(252);
    for trick in [
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        "",
        ".",
        "..",
        "a//b",
        "a/",
        "/a",
        ".hidden",
        "a/.git/b",
        "a\0b",
        "a\nb",
        &deep,
        &long,
    ] {
        let trick = id(trick);
        let told = refusal(engine_inside.get(&trick).await);
        assert!(told.contains("is no workflow of a directory"), "{told}");
        refusal(engine_inside.update(&trick, &workflow("W")).await);
        refusal(engine_inside.delete(&trick).await);
        refusal(engine_inside.activate(&trick).await);
        refusal(engine_inside.deactivate(&trick).await);
    }
    assert_eq!(get(&engine, "secret").await, workflow("S"));
    assert!(names(&inside).is_empty());
}

#[tokio::test]
async fn links_count_where_they_stay_inside() {
    let (_, directory) = given();
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("real")).expect("made");
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).expect("made");
    let secret = outside.join("secret.json");
    fs::write(&secret, workflow("Secret").to_pretty_json()).expect("written");
    fs::write(root.join("real/w.json"), workflow("W").to_pretty_json()).expect("written");
    symlink(&secret, root.join("escape.json")).expect("made");
    symlink(&outside, root.join("folder")).expect("made");
    symlink("real/w.json", root.join("good.json")).expect("made");
    symlink("nowhere.json", root.join("dangling.json")).expect("made");
    symlink("circle.json", root.join("circle.json")).expect("made");
    symlink(".", root.join("real/self")).expect("made");
    // The root itself may be reached by a link.
    symlink(&root, directory.path().join("link")).expect("made");
    let engine = WorkflowDirectory::new(directory.path().join("link"));
    let exported = engine.export().await.expect("exported");
    assert_eq!(ids(&exported), ["good", "real/w"]);
    for none in ["escape", "dangling", "circle"] {
        assert!(
            engine.get(&id(none)).await.expect("read").is_none(),
            "{none}"
        );
        let answer = engine.update(&id(none), &workflow("Evil")).await;
        assert!(
            matches!(answer, Err(EngineError::NotFound { .. })),
            "{none}"
        );
        engine.delete(&id(none)).await.expect("nothing to remove");
    }
    for inside in ["folder/secret", "folder/new", "real/self/w"] {
        assert!(refusal(engine.get(&id(inside)).await).contains("is a link"));
        refusal(engine.update(&id(inside), &workflow("Evil")).await);
        refusal(engine.delete(&id(inside)).await);
    }
    // A link that is changed becomes a file; what it led to stays.
    engine
        .update(&id("good"), &workflow("Changed"))
        .await
        .expect("updated");
    assert!(!root.join("good.json").is_symlink());
    assert_eq!(get(&engine, "real/w").await, workflow("W"));
    assert_eq!(
        fs::read(&secret).expect("read"),
        workflow("Secret").to_pretty_json()
    );
    assert_eq!(names(&outside), ["secret.json"]);
}

/// The file under the name that writers use may be left of one that was killed, or a trap.
#[tokio::test]
async fn what_lies_in_the_way_is_not_written_through() {
    let (engine, directory) = given();
    let victim = directory.path().join("victim.txt");
    fs::write(&victim, b"untouched").expect("written");
    let aside = directory.path().join(".slipway-new");
    symlink(&victim, &aside).expect("made");
    engine.create(&workflow("W")).await.expect("created");
    fs::write(&aside, b"{\"half").expect("left behind");
    engine
        .update(&id("W"), &workflow("W"))
        .await
        .expect("updated");
    assert_eq!(fs::read(&victim).expect("read"), b"untouched");
    assert_eq!(names(directory.path()), ["W.json", "victim.txt"]);
}

#[tokio::test]
async fn what_an_engine_would_not_take_is_refused() {
    let (engine, directory) = given();
    let mut large = workflow("Large");
    large.description = "x".repeat(MAX_BYTES);
    assert!(refusal(engine.create(&large).await).contains("bytes"));
    let mut twice = workflow("Twice");
    twice.nodes.push(twice.nodes[0].clone());
    assert!(refusal(engine.create(&twice).await).contains("two nodes are called `A`"));
    assert!(
        refusal(
            engine
                .create(&Workflow {
                    name: " ".to_owned(),
                    ..workflow("W")
                })
                .await
        )
        .contains("no name")
    );
    let file = engine.create(&workflow("W")).await.expect("created");
    refusal(engine.update(&file, &large).await);
    assert_eq!(names(directory.path()), ["W.json"]);
    assert_eq!(
        get(&engine, "W").await,
        Workflow {
            active: false,
            ..workflow("W")
        }
    );
}

#[tokio::test]
async fn names_and_depths_that_are_no_ids_are_told() {
    let (engine, directory) = given();
    let odd = directory
        .path()
        .join(std::ffi::OsStr::from_bytes(b"bad\xff.json"));
    fs::write(&odd, b"{}").expect("written");
    assert!(refusal(engine.export().await).contains("is not UTF-8"));
    fs::remove_file(odd).expect("removed");
    let deep = directory.path().join("a/".repeat(MAX_DEPTH));
    fs::create_dir_all(&deep).expect("made");
    fs::write(deep.join("w.json"), workflow("W").to_pretty_json()).expect("written");
    assert_eq!(engine.export().await.expect("exported").len(), 1);
    fs::create_dir(deep.join("deeper")).expect("made");
    assert!(refusal(engine.export().await).contains("deep; move it up"));
}

#[tokio::test]
async fn who_may_read_a_file_stays_as_it_is() {
    let (engine, directory) = given();
    let file = engine.create(&workflow("W")).await.expect("created");
    let path = directory.path().join("W.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    engine
        .update(&file, &workflow("W2"))
        .await
        .expect("updated");
    let mode = fs::metadata(&path).expect("read").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn a_directory_that_is_missing_or_none_is_named() {
    let (_, directory) = given();
    let missing = directory.path().join("missing");
    let file = directory.path().join("file");
    fs::write(&file, b"").expect("written");
    for path in [missing, file] {
        let engine = WorkflowDirectory::new(&path);
        let name = path.display().to_string();
        assert!(problem(engine.check().await).contains(&name));
        assert!(problem(engine.export().await).contains(&name));
        assert!(problem(engine.get(&id("w")).await).contains(&name));
        assert!(problem(engine.create(&workflow("W")).await).contains(&name));
        assert!(problem(engine.update(&id("w"), &workflow("W")).await).contains(&name));
        assert!(problem(engine.delete(&id("w")).await).contains(&name));
        assert!(problem(engine.activate(&id("w")).await).contains(&name));
    }
}

#[tokio::test]
async fn a_check_says_what_it_is_and_leaves_nothing() {
    let (engine, directory) = given();
    let expected = format!("directory {}", directory.path().display());
    assert_eq!(engine.check().await.expect("checked"), expected);
    assert!(names(directory.path()).is_empty());
}

/// A place where nobody may write, not even the superuser.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_directory_that_can_not_be_written_is_named() {
    let engine = WorkflowDirectory::new("/proc/self/fdinfo");
    let told = problem(engine.check().await);
    assert!(told.contains("can't write /proc/"), "{told}");
    problem(engine.create(&workflow("W")).await);
}

/// People save while Slipway writes and others read: every reading is one whole document or the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_sees_half_of_a_file() {
    let (engine, directory) = given();
    let long = |name: &str| {
        let mut long = workflow(name);
        long.description = name.repeat(50_000);
        long.active = false;
        long
    };
    let (ours, theirs) = (long("ours"), long("by hand"));
    let file = engine.create(&ours).await.expect("created");
    let path = directory.path().join("ours.json");
    let ended = AtomicBool::new(false);
    let (mut of_ours, mut of_theirs) = (0, 0);
    std::thread::scope(|scope| {
        // An editor that saves as editors do: aside, then in place.
        scope.spawn(|| {
            let aside = directory.path().join("ours.json~");
            while !ended.load(Ordering::Relaxed) {
                fs::write(&aside, theirs.to_pretty_json()).expect("written");
                fs::rename(&aside, &path).expect("saved");
            }
        });
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let (engine, file, ours) = (engine.clone(), file.clone(), ours.clone());
                tokio::spawn(async move {
                    for _ in 0..40 {
                        engine.update(&file, &ours).await.expect("updated");
                    }
                })
            })
            .collect();
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            let bytes = fs::read(&path).expect("a file, always");
            let read = Workflow::from_json(&bytes, "").expect("a whole document");
            if read == ours {
                of_ours += 1;
            } else {
                assert_eq!(read, theirs);
                of_theirs += 1;
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(of_ours > 0 && of_theirs > 0, "{of_ours} and {of_theirs}");
    assert_eq!(names(directory.path()), ["ours.json"]);
}

/// Changes of the flag and of the content at once lose neither: writers take turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_once_lose_nothing() {
    let (_, directory) = given();
    let engine = || WorkflowDirectory::new(directory.path());
    let file = engine().create(&workflow("W")).await.expect("created");
    for round in 0..20 {
        let new = Workflow {
            description: format!("round {round}"),
            ..workflow("W")
        };
        let (one, two) = (engine(), engine());
        let (updated, activated) = (file.clone(), file.clone());
        let content = new.clone();
        let update = tokio::spawn(async move { one.update(&updated, &content).await });
        let flag = tokio::spawn(async move {
            if round % 2 == 0 {
                two.activate(&activated).await
            } else {
                two.deactivate(&activated).await
            }
        });
        update.await.expect("ended").expect("updated");
        flag.await.expect("ended").expect("switched");
        assert_eq!(
            get(&engine(), "W").await,
            Workflow {
                active: round % 2 == 0,
                ..new
            }
        );
    }
}

fn corpus(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            corpus(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "json") {
            into.push(path);
        }
    }
}

/// Real workflows, where they are at hand beside the project: read as they were saved, created, changed and read again.
#[tokio::test]
async fn real_workflows_come_back_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/corpus/workflows");
    if !folder.is_dir() {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    }
    let mut paths = Vec::new();
    corpus(&folder, &mut paths);
    assert!(!paths.is_empty());
    let saved = WorkflowDirectory::new(&folder)
        .export()
        .await
        .expect("exported");
    let (engine, _directory) = given();
    let mut read = 0;
    for one in &saved {
        let Ok(workflow) = &one.workflow else {
            continue;
        };
        read += 1;
        let file = engine.create(workflow).await.expect("created");
        let back = get(&engine, &file.0).await;
        assert_eq!(
            back,
            Workflow {
                active: false,
                ..workflow.clone()
            },
            "{}",
            one.id.0
        );
        engine.activate(&file).await.expect("activated");
        engine.update(&file, workflow).await.expect("updated");
        let back = get(&engine, &file.0).await;
        assert_eq!(
            back,
            Workflow {
                active: true,
                ..workflow.clone()
            },
            "{}",
            one.id.0
        );
    }
    println!("{read} of {} files are workflows", paths.len());
    assert!(read * 2 > saved.len(), "{read} of {}", saved.len());
    assert_eq!(engine.export().await.expect("exported").len(), read);
}
