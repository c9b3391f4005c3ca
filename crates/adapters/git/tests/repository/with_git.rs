//! Git reads what Slipway wrote, and Slipway what Git wrote.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use slipway_git::LocalRepository;
use slipway_snapshots::contract::{by_ada, environment, files};
use slipway_snapshots::{CommitSha, Committed, Files, GitError, GitStore};

use crate::given::{Given, git, git_is_there, try_git, workflows};

fn sha(text: &str) -> CommitSha {
    text.parse().expect("a hash")
}

fn write(folder: &Path, files: &Files) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }
}

fn clone(given: &Given) -> std::path::PathBuf {
    let path = given.directory.path().join("clone");
    let from = given.path().display().to_string();
    git(given.directory.path(), &["clone", "-q", &from, "clone"]);
    path
}

#[tokio::test]
async fn a_clone_holds_what_was_committed() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    given.fsck();
    // The first as single objects, the second as a pack.
    given.commit(&workflows(3, "few"), 0).await;
    let many = workflows(200, "many");
    let head = given.commit(&many, 1).await;
    given.fsck();
    let clone = clone(&given);
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), head.as_str());
    assert_eq!(git(&clone, &["branch", "--show-current"]), "env/dev");
    for (path, content) in &many {
        assert_eq!(
            fs::read(clone.join(path)).expect("checked out"),
            &content[..]
        );
    }
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
    let log = git(&clone, &["log", "-1", "--format=%an <%ae> %at %ai %s"]);
    assert_eq!(
        log,
        "Ada Lovelace <ada@example.com> 1750000001 2025-06-15 15:06:41 +0000 Back up dev"
    );
    assert_eq!(given.git(&["rev-parse", "--is-bare-repository"]), "true");
}

#[tokio::test]
async fn only_what_changed_is_written() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let mut all = workflows(50, "first");
    all.insert("other/same.json".to_owned(), Bytes::from_static(b"{}"));
    given.commit(&all, 0).await;
    let before = given.single_objects();
    assert_eq!(before, 51 + 3 + 1);
    all.insert("workflows/w0007.json".to_owned(), Bytes::from_static(b"[]"));
    given.commit(&all, 1).await;
    // A file, its folder, the root and the commit.
    assert_eq!(given.single_objects(), before + 4);
}

/// From single objects and from packs, whatever order names have.
#[tokio::test]
async fn git_gives_the_same_commit_the_same_hash() {
    if !git_is_there() {
        return;
    }
    for count in [1, 40, 300] {
        let given = Given::new();
        let mut all = workflows(count, "same hash");
        for odd in [
            "workflows.json",
            "workflows-1",
            "workflows0",
            "A/b/c",
            "a/B",
            "a.b",
            "a-b",
            "aB/x",
        ] {
            all.insert(odd.to_owned(), Bytes::from(odd));
        }
        let head = given.commit(&all, 0).await;
        let work = given.directory.path().join("work");
        fs::create_dir(&work).expect("made");
        git(&work, &["init", "-q"]);
        write(&work, &all);
        git(&work, &["add", "-A"]);
        let tree = git(&work, &["write-tree"]);
        let commit = git(
            &work,
            &[
                "-c",
                "i18n.commitEncoding=UTF-8",
                "commit-tree",
                &tree,
                "-m",
                "Back up dev",
            ],
        );
        // Git ends the message with a line feed of its own.
        let raw = git(&work, &["cat-file", "commit", &commit]);
        fs::write(work.join("raw"), raw).expect("written");
        assert_eq!(
            git(&work, &["hash-object", "-t", "commit", "raw"]),
            head.as_str()
        );
    }
}

#[tokio::test]
async fn what_somebody_pushed_is_not_lost() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let dev = environment("dev");
    let first = given.commit(&workflows(3, "first"), 0).await;
    let clone = clone(&given);
    fs::write(clone.join("README.md"), "By hand.\n").expect("written");
    git(&clone, &["add", "-A"]);
    git(&clone, &["commit", "-q", "-m", "By hand"]);
    git(&clone, &["push", "-q"]);
    let pushed = sha(&git(&clone, &["rev-parse", "HEAD"]));
    let late = given
        .repository
        .commit(&by_ada(&dev, Some(&first), &workflows(3, "late"), 1))
        .await;
    assert!(matches!(late, Err(GitError::Moved { found: Some(found) }) if found == pushed));
    let read = given
        .repository
        .read(&pushed)
        .await
        .expect("read")
        .expect("a commit");
    assert_eq!(
        read.get("README.md"),
        Some(&Bytes::from_static(b"By hand.\n"))
    );
    let next = given.commit(&workflows(3, "next"), 2).await;
    assert_eq!(
        given.git(&["rev-parse", &format!("{next}^")]),
        pushed.as_str()
    );
}

/// Whoever wins each time, no commit that was acknowledged is missing from the branch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_commits_at_once_lose_nothing() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let dev = environment("dev");
    given.commit(&workflows(2, "first"), 0).await;
    let clone = clone(&given);
    let (mut acknowledged, mut pushed, mut committed) = (Vec::new(), 0, 0);
    for round in 0..20 {
        let parent = given
            .repository
            .head(&dev)
            .await
            .expect("read")
            .expect("a branch");
        git(&clone, &["fetch", "-q"]);
        git(&clone, &["reset", "-q", "--hard", parent.as_str()]);
        fs::write(clone.join("pushed"), round.to_string()).expect("written");
        git(&clone, &["add", "-A"]);
        git(&clone, &["commit", "-q", "-m", "By hand"]);
        let by_hand = sha(&git(&clone, &["rev-parse", "HEAD"]));
        let at = clone.clone();
        let push = tokio::task::spawn_blocking(move || try_git(&at, &["push", "-q"]).0);
        let files = workflows(2, &format!("round {round}"));
        // A push takes some milliseconds before it moves the branch.
        tokio::time::sleep(std::time::Duration::from_millis(
            2 * u64::try_from(round).unwrap_or(0),
        ))
        .await;
        let commit = by_ada(&dev, Some(&parent), &files, round);
        match given.repository.commit(&commit).await {
            Ok(Committed::New(sha)) => {
                acknowledged.push(sha);
                committed += 1;
            }
            Err(GitError::Moved { .. }) => {}
            other => panic!("{other:?}"),
        }
        if push.await.expect("pushed or not") {
            acknowledged.push(by_hand);
            pushed += 1;
        }
    }
    let history = given.git(&["rev-list", "refs/heads/env/dev"]);
    for sha in &acknowledged {
        assert!(history.contains(sha.as_str()), "{sha} was lost");
    }
    assert_eq!(history.lines().count(), 1 + acknowledged.len());
    println!("{pushed} pushes and {committed} commits were first");
    given.fsck();
}

#[tokio::test]
async fn git_may_collect_and_pack_meanwhile() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let dev = environment("dev");
    let first = given.commit(&workflows(100, "first"), 0).await;
    let second = given.commit(&workflows(100, "second"), 1).await;
    given.git(&["gc", "-q", "--prune=now"]);
    given.git(&["pack-refs", "--all"]);
    assert!(!given.path().join("refs/heads/env/dev").exists());
    assert_eq!(
        given.repository.head(&dev).await.expect("read"),
        Some(second.clone())
    );
    assert_eq!(
        given.repository.read(&first).await.expect("read"),
        Some(workflows(100, "first"))
    );
    let late = workflows(1, "x");
    let stale = by_ada(&dev, Some(&first), &late, 2);
    assert!(matches!(
        given.repository.commit(&stale).await,
        Err(GitError::Moved { .. })
    ));
    let third = given.commit(&workflows(100, "third"), 2).await;
    assert_eq!(
        given.repository.read(&third).await.expect("read"),
        Some(workflows(100, "third"))
    );
    given.fsck();
}

#[tokio::test]
async fn very_many_single_objects_become_a_pack() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let mut commits = Vec::new();
    let mut most = 0;
    for n in 0..90 {
        let files = workflows(60, &format!("commit {n}"));
        commits.push((given.commit(&files, n).await, files));
        most = most.max(given.single_objects());
    }
    assert!(most > 2_000, "{most}");
    assert!(given.single_objects() < most);
    given.fsck();
    for (sha, files) in &commits {
        assert_eq!(
            given.repository.read(sha).await.expect("read").as_ref(),
            Some(files)
        );
    }
}

#[tokio::test]
async fn head_stays_where_people_put_it() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let (dev, prod) = (environment("dev"), environment("prod"));
    for environment in [&dev, &prod] {
        let answer = given
            .repository
            .commit(&by_ada(environment, None, &workflows(1, "x"), 0))
            .await;
        assert!(matches!(answer, Ok(Committed::New(_))));
        assert_eq!(given.git(&["symbolic-ref", "HEAD"]), "refs/heads/env/dev");
    }
    given.git(&["symbolic-ref", "HEAD", "refs/heads/env/prod"]);
    given.commit(&workflows(1, "y"), 1).await;
    assert_eq!(given.git(&["symbolic-ref", "HEAD"]), "refs/heads/env/prod");
}

/// Links, submodules and odd names, which Slipway never writes, are not taken for files; the next snapshot is made all
/// the same.
#[tokio::test]
async fn what_is_no_snapshot_is_not_read_as_one() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    given.commit(&workflows(1, "x"), 0).await;
    let clone = clone(&given);
    let push = |what: &str| {
        git(&clone, &["add", "-A"]);
        git(&clone, &["commit", "-q", "-m", what]);
        git(&clone, &["push", "-q"]);
        sha(&git(&clone, &["rev-parse", "HEAD"]))
    };
    symlink("/etc/passwd", clone.join("link")).expect("made");
    let link = push("A link");
    fs::remove_file(clone.join("link")).expect("removed");
    fs::write(clone.join("Ünsafe name"), "").expect("written");
    let name = push("A name");
    for (commit, told) in [(&link, "`link`"), (&name, "`Ünsafe name`")] {
        match given.repository.read(commit).await {
            Err(GitError::Refused { message }) => assert!(message.contains(told), "{message}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            given
                .repository
                .read_file(commit, "link")
                .await
                .expect("read"),
            None
        );
    }
    let next = given.commit(&workflows(1, "next"), 1).await;
    assert_eq!(
        given.repository.read(&next).await.expect("read"),
        Some(workflows(1, "next"))
    );
}

#[tokio::test]
async fn a_commit_is_not_what_replaces_it() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let first = given.commit(&workflows(1, "x"), 0).await;
    let second = given.commit(&workflows(1, "y"), 1).await;
    given.git(&["replace", first.as_str(), second.as_str()]);
    assert_eq!(
        given.repository.read(&first).await.expect("read"),
        Some(workflows(1, "x"))
    );
}

#[tokio::test]
async fn another_kind_of_repository_is_refused() {
    if !git_is_there() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let make = |name: &str, arguments: &[&str]| {
        let path = directory.path().join(name);
        fs::create_dir(&path).expect("made");
        git(&path, arguments);
        path
    };
    let refused = |path: &Path| {
        let answer = LocalRepository::open_or_create(path.to_owned());
        assert!(
            matches!(answer, Err(GitError::Refused { .. })),
            "{answer:?}"
        );
    };
    refused(&make(
        "sha256",
        &["init", "-q", "--bare", "--object-format=sha256"],
    ));
    let work = make("work", &["init", "-q"]);
    refused(&work);
    refused(&work.join(".git"));
    let good = make("good", &["init", "-q", "--bare"]);
    let store = LocalRepository::open_or_create(good).expect("a bare repository of Git's");
    let dev = environment("dev");
    let answer = store
        .commit(&by_ada(&dev, None, &files(&[("a", "1")]), 0))
        .await;
    assert!(matches!(answer, Ok(Committed::New(_))));
}
