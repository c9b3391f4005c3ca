//! Nothing but what the hashes say is handed out.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use slipway_snapshots::contract::files;
use slipway_snapshots::{CommitSha, GitError, GitStore};

use crate::given::{Given, git_is_there, workflows};

const OTHER: &str = "0123456789abcdef0123456789abcdef01234567";

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("writable");
    fs::write(path, bytes).expect("overwritten");
}

/// The commit, its trees, its files.
fn objects(given: &Given, commit: &CommitSha) -> Vec<String> {
    let told = given.git(&["rev-list", "--objects", "--no-walk", commit.as_str()]);
    told.lines().map(|line| line[..40].to_owned()).collect()
}

async fn problem(given: &Given, commit: &CommitSha) -> String {
    match given.repository.read(commit).await {
        Err(GitError::Corrupt { problem }) => problem,
        other => panic!("damage was not told: {other:?}"),
    }
}

/// Every byte of every object in turn: what comes back is the truth, or a refusal.
#[tokio::test]
async fn no_flipped_byte_is_handed_out() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let truth = files(&[("workflows/a.json", "{\"a\": 1}\n"), ("b", "b")]);
    let commit = given.commit(&truth, 0).await;
    let (mut told, mut tried) = (0, 0);
    for id in objects(&given, &commit) {
        let path = given.object(&id);
        let whole = fs::read(&path).expect("an object");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            overwrite(&path, &bytes);
            tried += 1;
            match given.repository.read(&commit).await {
                Err(GitError::Corrupt { problem }) => {
                    assert!(problem.contains(&id), "{problem}");
                    told += 1;
                }
                // What compression adds around the content may go unseen; the content may not.
                Ok(Some(files)) => assert_eq!(files, truth),
                other => panic!("{id}, byte {at}: {other:?}"),
            }
        }
        overwrite(&path, &whole);
    }
    assert!(told * 10 > tried * 8, "{told} of {tried}");
    assert_eq!(
        given.repository.read(&commit).await.expect("read"),
        Some(truth)
    );
}

/// A whole object, with another's content: only the hash can tell.
#[tokio::test]
async fn another_object_in_its_place_is_told() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let commit = given
        .commit(&files(&[("workflows/a.json", "good")]), 0)
        .await;
    let other = given
        .commit(&files(&[("workflows/a.json", "evil")]), 1)
        .await;
    let (mine, theirs) = (objects(&given, &commit), objects(&given, &other));
    assert_eq!(mine.len(), 4);
    for (id, other_id) in mine.iter().zip(&theirs) {
        let whole = fs::read(given.object(id)).expect("an object");
        let evil = fs::read(given.object(other_id)).expect("an object");
        overwrite(&given.object(id), &evil);
        let problem = problem(&given, &commit).await;
        assert_eq!(
            problem,
            format!("object {id} has the content of {other_id}")
        );
        let one = given
            .repository
            .read_file(&commit, "workflows/a.json")
            .await;
        assert!(matches!(one, Err(GitError::Corrupt { .. })), "{one:?}");
        overwrite(&given.object(id), &whole);
    }
    let changes = given
        .repository
        .compare(&commit, &other)
        .await
        .expect("compared");
    assert_eq!(changes.map(|changes| changes.len()), Some(1));
}

#[tokio::test]
async fn what_is_missing_empty_or_of_another_kind_is_told() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let commit = given
        .commit(&files(&[("workflows/a.json", "good")]), 0)
        .await;
    let ids = objects(&given, &commit);
    // The commit itself is looked for, not referred to: without it there is none.
    for id in &ids[1..] {
        let path = given.object(id);
        let whole = fs::read(&path).expect("an object");
        fs::remove_file(&path).expect("removed");
        assert!(problem(&given, &commit).await.contains(&format!("{id}, a")));
        fs::write(&path, &whole).expect("restored");
        for cut in [0, 1, whole.len() / 2] {
            overwrite(&path, &whole[..cut]);
            assert!(problem(&given, &commit).await.contains(id));
        }
        overwrite(&path, &whole);
    }
    fs::remove_file(given.object(&ids[0])).expect("removed");
    assert_eq!(given.repository.read(&commit).await.expect("read"), None);
}

/// Somewhere in a pack of two hundred files, and in its index.
#[tokio::test]
async fn no_flipped_byte_of_a_pack_is_handed_out() {
    let given = Given::new();
    let truth = workflows(200, "packed");
    let commit = given.commit(&truth, 0).await;
    let packs = given.path().join("objects/pack");
    let mut told = BTreeSet::new();
    for entry in fs::read_dir(packs).expect("packs") {
        let path = entry.expect("a file").path();
        let whole = fs::read(&path).expect("a pack");
        for at in (0..whole.len()).step_by(whole.len() / 100) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            overwrite(&path, &bytes);
            match given.repository.read(&commit).await {
                Err(GitError::Corrupt { .. }) => {
                    told.insert(path.extension().map(ToOwned::to_owned));
                }
                // A damaged index may no longer list the commit, and a pack may be no pack any more.
                Ok(None) | Err(GitError::Unavailable { .. } | GitError::Refused { .. }) => {}
                Ok(Some(files)) => assert_eq!(files, truth),
                Err(other) => panic!("byte {at} of {}: {other}", path.display()),
            }
        }
        overwrite(&path, &whole);
    }
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test]
async fn a_damaged_file_is_written_anew_with_the_next_commit_that_has_it() {
    let given = Given::new();
    let (good, other) = (files(&[("a", "1")]), files(&[("a", "2")]));
    let first = given.commit(&good, 0).await;
    given.commit(&other, 1).await;
    // The blob `1`.
    overwrite(
        &given.object("56a6051ca2b02b04ef92d5150c9ef600403cb1de"),
        b"damaged",
    );
    assert!(problem(&given, &first).await.contains("56a6051ca2b0"));
    given.commit(&good, 2).await;
    assert_eq!(
        given.repository.read(&first).await.expect("read"),
        Some(good)
    );
}

#[tokio::test]
async fn a_branch_that_leads_nowhere_is_told() {
    let given = Given::new();
    given.commit(&files(&[("a", "1")]), 0).await;
    fs::write(
        given.path().join("refs/heads/env/dev"),
        format!("{OTHER}\n"),
    )
    .expect("written");
    let dev = slipway_snapshots::contract::environment("dev");
    let head = given
        .repository
        .head(&dev)
        .await
        .expect("read")
        .expect("a branch");
    assert_eq!(head.as_str(), OTHER);
    let content = files(&[("a", "2")]);
    let commit = slipway_snapshots::contract::by_ada(&dev, Some(&head), &content, 1);
    let answer = given.repository.commit(&commit).await;
    assert!(
        matches!(answer, Err(GitError::Corrupt { .. })),
        "{answer:?}"
    );
}
