//! The contract: what every Git store must do, case by case. A store binds it in its own tests with
//! [`git_store_contract!`](crate::git_store_contract).
//!
//! Each case gets a repository without branches of environments. What runs at once in a case are futures of one task.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use slipway_kernel::{Slug, Timestamp};

use crate::{CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit};

/// Makes one `#[tokio::test]` per case. The argument names an `async fn() -> Option<T>` in the same module, where `T` has
/// a method `store(&self) -> &dyn GitStore`; where it answers `None`, the case is skipped.
#[macro_export]
macro_rules! git_store_contract {
    ($fixture:ident) => {
        $crate::git_store_contract! { @cases $fixture
            a_branch_begins_with_its_first_commit,
            a_commit_has_the_hash_that_git_gives_it,
            crumbs_around_an_author_are_cut_off,
            what_has_not_changed_is_not_committed,
            a_branch_that_moved_is_left_alone,
            one_of_many_at_once_wins,
            environments_are_apart,
            commits_stay_readable,
            going_back_is_a_commit_too,
            content_comes_back_byte_for_byte,
            one_file_is_read_alone,
            what_does_not_exist_is_none,
            differences_are_told_by_path,
            a_file_and_a_folder_change_places,
            a_few_changes_among_many_files,
            what_git_can_not_keep_is_refused,
        }
    };
    (@cases $fixture:ident $($case:ident,)+) => {
        mod contract {$(
            #[tokio::test]
            async fn $case() {
                if let Some(fixture) = super::$fixture().await {
                    $crate::contract::$case(fixture.store()).await;
                }
            }
        )+}
    };
}

const ADA: (&str, &str) = ("Ada Lovelace", "ada@example.com");

/// An environment.
pub fn environment(slug: &str) -> Slug {
    slug.parse().expect("a slug")
}

/// Files from paths and contents.
pub fn files(files: &[(&str, &str)]) -> Files {
    let owned = |(path, content): &(&str, &str)| {
        (
            (*path).to_owned(),
            Bytes::copy_from_slice(content.as_bytes()),
        )
    };
    files.iter().map(owned).collect()
}

/// A commit by Ada, at a time of its own for each second given.
pub fn by_ada<'a>(
    environment: &'a Slug,
    parent: Option<&'a CommitSha>,
    files: &'a Files,
    second: i64,
) -> NewCommit<'a> {
    NewCommit {
        environment,
        parent,
        files,
        message: "Back up dev",
        author: ADA,
        // Parts of a second are no part of a commit.
        at: Timestamp::from_micros((1_750_000_000 + second) * 1_000_000 + 999_999).expect("a time"),
    }
}

/// Commits what must be new, and answers with its hash.
pub async fn commit(store: &dyn GitStore, commit: &NewCommit<'_>) -> CommitSha {
    match store.commit(commit).await.expect("committed") {
        Committed::New(sha) => sha,
        Committed::Unchanged(sha) => panic!("nothing was committed: {sha}"),
    }
}

async fn head(store: &dyn GitStore, environment: &Slug) -> Option<CommitSha> {
    store.head(environment).await.expect("read")
}

async fn read(store: &dyn GitStore, sha: &CommitSha) -> Files {
    store.read(sha).await.expect("read").expect("a commit")
}

fn moved_to(answer: Result<Committed, GitError>) -> Option<CommitSha> {
    match answer {
        Err(GitError::Moved { found }) => found,
        other => panic!("not told that the branch moved: {other:?}"),
    }
}

/// There is no branch before, and it holds the files after.
pub async fn a_branch_begins_with_its_first_commit(store: &dyn GitStore) {
    let dev = environment("dev");
    assert_eq!(head(store, &dev).await, None);
    let files = files(&[("workflows/ping.json", "{}\n"), ("README.md", "Hello.\n")]);
    let sha = commit(store, &by_ada(&dev, None, &files, 0)).await;
    assert_eq!(head(store, &dev).await, Some(sha.clone()));
    assert_eq!(read(store, &sha).await, files);
    assert!(!store.location().is_empty());
}

/// The hashes were computed by Git itself: names that sort around a folder's, a parent, what is not ASCII.
pub async fn a_commit_has_the_hash_that_git_gives_it(store: &dyn GitStore) {
    let dev = environment("dev");
    let readme = "Snapshots of dev.\n";
    let first = files(&[
        ("README.md", readme),
        ("workflows-old", readme),
        ("workflows.md", readme),
        ("workflows/ping.json", "{\n  \"name\": \"Ping\"\n}\n"),
    ]);
    let root = commit(store, &by_ada(&dev, None, &first, 0)).await;
    assert_eq!(root.as_str(), "c88c09740843ff10ebce7fed731321413569978f");
    let second = files(&[("workflows/pong.json", "{\n  \"name\": \"Pong\"\n}\n")]);
    let mut child = by_ada(&dev, Some(&root), &second, 1);
    child.author = ("Zoë Müller, Dr.", ADA.1);
    child.message = "Promote „Pong“ 🚀\n\nAsked for by Zoë.\n";
    let child = commit(store, &child).await;
    assert_eq!(child.as_str(), "0cac72974c4e965a2638b93b6be3f4b713f803c7");
}

/// As Git does it, so that hashes agree.
pub async fn crumbs_around_an_author_are_cut_off(store: &dyn GitStore) {
    let files = files(&[("a", "a")]);
    let (dev, prod) = (environment("dev"), environment("prod"));
    let plain = commit(store, &by_ada(&dev, None, &files, 0)).await;
    let mut crumbs = by_ada(&prod, None, &files, 0);
    crumbs.author = (" \"Ada Lovelace\", ", "ada@example.com;");
    assert_eq!(commit(store, &crumbs).await, plain);
}

/// Whoever asks, and whatever the message says.
pub async fn what_has_not_changed_is_not_committed(store: &dyn GitStore) {
    let dev = environment("dev");
    let files = files(&[("workflows/a.json", "{}"), ("b.json", "[]")]);
    let sha = commit(store, &by_ada(&dev, None, &files, 0)).await;
    let mut again = by_ada(&dev, Some(&sha), &files, 60);
    again.message = "Another";
    let answer = store.commit(&again).await.expect("answered");
    assert_eq!(answer, Committed::Unchanged(sha.clone()));
    assert_eq!(head(store, &dev).await, Some(sha));
}

/// The expected parent is what decides, also where nothing would change.
pub async fn a_branch_that_moved_is_left_alone(store: &dyn GitStore) {
    let dev = environment("dev");
    let (one, two, three) = (
        files(&[("a", "1")]),
        files(&[("a", "2")]),
        files(&[("a", "3")]),
    );
    let first = commit(store, &by_ada(&dev, None, &one, 0)).await;
    let second = commit(store, &by_ada(&dev, Some(&first), &two, 1)).await;
    for files in [&one, &two, &three] {
        for parent in [None, Some(&first)] {
            let late = store.commit(&by_ada(&dev, parent, files, 2)).await;
            assert_eq!(moved_to(late), Some(second.clone()));
        }
    }
    assert_eq!(head(store, &dev).await, Some(second.clone()));
    let gone = environment("gone");
    let answer = store.commit(&by_ada(&gone, Some(&second), &three, 2)).await;
    assert_eq!(moved_to(answer), None);
    assert_eq!(head(store, &gone).await, None);
}

/// Eight commits with one parent: one is made, seven are told, nobody's is lost; with a parent and without.
pub async fn one_of_many_at_once_wins(store: &dyn GitStore) {
    let dev = environment("dev");
    let mut parent = None;
    for round in 0..3 {
        let contents: Vec<Files> = (0..8)
            .map(|n| files(&[("a", &format!("{round} {n}")), ("same", "same")]))
            .collect();
        let commits: Vec<NewCommit<'_>> = contents
            .iter()
            .map(|files| by_ada(&dev, parent.as_ref(), files, round))
            .collect();
        let answers = join_all(commits.iter().map(|commit| store.commit(commit))).await;
        let winner = head(store, &dev).await.expect("a branch");
        let mut won = 0;
        for (answer, files) in answers.into_iter().zip(&contents) {
            match answer {
                Ok(answer) => {
                    assert_eq!(answer, Committed::New(winner.clone()));
                    assert_eq!(&read(store, &winner).await, files);
                    won += 1;
                }
                Err(_) => assert_eq!(moved_to(answer), Some(winner.clone())),
            }
        }
        assert_eq!(won, 1);
        parent = Some(winner);
    }
}

/// A commit to one leaves the others' branches alone; the same commit has the same hash in both.
pub async fn environments_are_apart(store: &dyn GitStore) {
    let (dev, prod) = (environment("dev"), environment("dev-eu"));
    let files = files(&[("a", "1")]);
    let first = commit(store, &by_ada(&dev, None, &files, 0)).await;
    assert_eq!(head(store, &prod).await, None);
    let same = commit(store, &by_ada(&prod, None, &files, 0)).await;
    assert_eq!(same, first);
    let other = commit(
        store,
        &by_ada(
            &prod,
            Some(&same),
            &Files::from([("b".to_owned(), Bytes::new())]),
            1,
        ),
    )
    .await;
    assert_eq!(head(store, &dev).await, Some(first));
    assert_eq!(head(store, &prod).await, Some(other));
}

/// An earlier commit is what it was after later ones.
pub async fn commits_stay_readable(store: &dyn GitStore) {
    let dev = environment("dev");
    let mut made: Vec<(CommitSha, Files)> = Vec::new();
    for n in 0..5 {
        let files = files(&[("count", &n.to_string()), ("folder/same", "same")]);
        let parent = made.last().map(|(sha, _)| sha);
        let sha = commit(store, &by_ada(&dev, parent, &files, n)).await;
        made.push((sha, files));
    }
    for (sha, files) in &made {
        assert_eq!(&read(store, sha).await, files);
    }
}

/// To the files of an earlier commit, which are there already.
pub async fn going_back_is_a_commit_too(store: &dyn GitStore) {
    let dev = environment("dev");
    let (one, two) = (files(&[("f/a", "1"), ("f/b", "2")]), files(&[("f/a", "3")]));
    let first = commit(store, &by_ada(&dev, None, &one, 0)).await;
    let second = commit(store, &by_ada(&dev, Some(&first), &two, 1)).await;
    let third = commit(store, &by_ada(&dev, Some(&second), &one, 2)).await;
    assert_ne!(third, first);
    assert_eq!(read(store, &third).await, one);
    let same = store.compare(&first, &third).await.expect("compared");
    assert_eq!(same, Some(Vec::new()));
}

/// Empty, large, of any bytes, with line ends of any kind.
pub async fn content_comes_back_byte_for_byte(store: &dyn GitStore) {
    let dev = environment("dev");
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let files = Files::from([
        ("empty".to_owned(), Bytes::new()),
        ("every-byte".to_owned(), every_byte.into()),
        ("lines".to_owned(), Bytes::from_static(b"a\r\nb\rc\n\n d")),
        (
            "names/unicode.json".to_owned(),
            "{\"name\": \"Müller 👩‍🚀 e\u{301} 東京\u{0}\u{feff}\"}".into(),
        ),
        (
            "nested/a/b/c/d.e_f-g".to_owned(),
            Bytes::from_static(b"deep"),
        ),
        ("same".to_owned(), Bytes::new()),
    ]);
    let sha = commit(store, &by_ada(&dev, None, &files, 0)).await;
    assert_eq!(read(store, &sha).await, files);
}

/// And what is no file is none.
pub async fn one_file_is_read_alone(store: &dyn GitStore) {
    let dev = environment("dev");
    let files = files(&[("top", "1"), ("f/g/deep.json", "ü\n"), ("f/empty", "")]);
    let sha = commit(store, &by_ada(&dev, None, &files, 0)).await;
    for (path, content) in &files {
        let found = store.read_file(&sha, path).await.expect("read");
        assert_eq!(found.as_ref(), Some(content), "{path}");
    }
    for none in [
        "f",
        "f/g",
        "other",
        "f/other",
        "top/x",
        "",
        "/top",
        "top/",
        "f//empty",
        "../top",
        "f/./empty",
    ] {
        let found = store.read_file(&sha, none).await.expect("read");
        assert_eq!(found, None, "{none}");
    }
}

/// A hash that no commit has, and one that a tree has.
pub async fn what_does_not_exist_is_none(store: &dyn GitStore) {
    let dev = environment("dev");
    let files = files(&[("a", "1")]);
    let sha = commit(store, &by_ada(&dev, None, &files, 0)).await;
    let unknown: CommitSha = "0123456789abcdef0123456789abcdef01234567"
        .parse()
        .expect("a hash");
    // The blob `1`, which is in the repository and is no commit.
    let blob: CommitSha = "56a6051ca2b02b04ef92d5150c9ef600403cb1de"
        .parse()
        .expect("a hash");
    for none in [&unknown, &blob] {
        assert_eq!(store.read(none).await.expect("read"), None);
        assert_eq!(store.read_file(none, "a").await.expect("read"), None);
        assert_eq!(store.compare(&sha, none).await.expect("compared"), None);
        assert_eq!(store.compare(none, &sha).await.expect("compared"), None);
    }
}

/// Added, removed, changed and renamed files, in order, both ways.
pub async fn differences_are_told_by_path(store: &dyn GitStore) {
    let dev = environment("dev");
    let earlier = files(&[
        ("README.md", "same"),
        ("workflows/changed.json", "1"),
        ("workflows/old-name.json", "renamed"),
        ("workflows/removed.json", "3"),
        ("workflows/same.json", "4"),
        ("workflows/sub/gone.json", "5"),
    ]);
    let later = files(&[
        ("README.md", "same"),
        ("added/with/folders.json", "6"),
        ("workflows/changed.json", "2"),
        ("workflows/new-name.json", "renamed"),
        ("workflows/same.json", "4"),
    ]);
    let first = commit(store, &by_ada(&dev, None, &earlier, 0)).await;
    let second = commit(store, &by_ada(&dev, Some(&first), &later, 1)).await;
    assert_eq!(read(store, &second).await, later);
    let (added, removed, changed) = (
        |path: &str| FileChange::Added(path.to_owned()),
        |path: &str| FileChange::Removed(path.to_owned()),
        |path: &str| FileChange::Changed(path.to_owned()),
    );
    let forth = store.compare(&first, &second).await.expect("compared");
    let expected = vec![
        added("added/with/folders.json"),
        changed("workflows/changed.json"),
        added("workflows/new-name.json"),
        removed("workflows/old-name.json"),
        removed("workflows/removed.json"),
        removed("workflows/sub/gone.json"),
    ];
    assert_eq!(forth, Some(expected));
    let back = store.compare(&second, &first).await.expect("compared");
    let expected = vec![
        removed("added/with/folders.json"),
        changed("workflows/changed.json"),
        removed("workflows/new-name.json"),
        added("workflows/old-name.json"),
        added("workflows/removed.json"),
        added("workflows/sub/gone.json"),
    ];
    assert_eq!(back, Some(expected));
    let same = store.compare(&first, &first).await.expect("compared");
    assert_eq!(same, Some(Vec::new()));
}

/// With neighbours whose names sort between the two.
pub async fn a_file_and_a_folder_change_places(store: &dyn GitStore) {
    let dev = environment("dev");
    let earlier = files(&[("a", "file"), ("a-b", "x"), ("b.d", "x"), ("b/c", "folder")]);
    let later = files(&[("a-b", "x"), ("a/c", "folder"), ("b", "file"), ("b.d", "x")]);
    let first = commit(store, &by_ada(&dev, None, &earlier, 0)).await;
    let second = commit(store, &by_ada(&dev, Some(&first), &later, 1)).await;
    assert_eq!(read(store, &first).await, earlier);
    assert_eq!(read(store, &second).await, later);
    let changes = store.compare(&first, &second).await.expect("compared");
    let expected = vec![
        FileChange::Removed("a".to_owned()),
        FileChange::Added("a/c".to_owned()),
        FileChange::Added("b".to_owned()),
        FileChange::Removed("b/c".to_owned()),
    ];
    assert_eq!(changes, Some(expected));
}

/// As a snapshot is: most is as it was.
pub async fn a_few_changes_among_many_files(store: &dyn GitStore) {
    let dev = environment("dev");
    let mut all: Files = (0..300)
        .map(|n| {
            (
                format!("workflows/w{n:03}.json"),
                Bytes::from(format!("{{\"n\": {n}}}\n")),
            )
        })
        .collect();
    let first = commit(store, &by_ada(&dev, None, &all, 0)).await;
    assert_eq!(read(store, &first).await, all);
    for n in [0, 150, 299] {
        all.insert(
            format!("workflows/w{n:03}.json"),
            Bytes::from_static(b"changed"),
        );
    }
    let second = commit(store, &by_ada(&dev, Some(&first), &all, 1)).await;
    assert_eq!(read(store, &second).await, all);
    let changes = store.compare(&first, &second).await.expect("compared");
    let paths = [0, 150, 299].map(|n| FileChange::Changed(format!("workflows/w{n:03}.json")));
    assert_eq!(changes.as_deref(), Some(&paths[..]));
}

/// Paths, authors, messages and times, before anything is written.
pub async fn what_git_can_not_keep_is_refused(store: &dyn GitStore) {
    let dev = environment("dev");
    let good = files(&[("a", "1")]);
    let mut refused = BTreeSet::new();
    let mut expect_refusal = |answer: Result<Committed, GitError>, what: &str| match answer {
        Err(GitError::Refused { message }) => {
            assert!(refused.insert(message.clone()), "said before: {message}");
        }
        other => panic!("{what} was not refused: {other:?}"),
    };
    for path in [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        ".git/config",
        "a/.Git",
        "a b",
        "ä",
        "a\\b",
    ] {
        let files = files(&[(path, "1")]);
        expect_refusal(store.commit(&by_ada(&dev, None, &files, 0)).await, path);
    }
    let both = files(&[("a", "1"), ("a/b", "2")]);
    expect_refusal(
        store.commit(&by_ada(&dev, None, &both, 0)).await,
        "a file that is a folder",
    );
    for author in [
        ("A\nB", "a@b"),
        ("A", "a>b"),
        ("A<", "b"),
        (" , ", "a@b"),
        ("A\0", "b"),
    ] {
        let mut commit = by_ada(&dev, None, &good, 0);
        commit.author = author;
        expect_refusal(store.commit(&commit).await, author.0);
    }
    let mut nul = by_ada(&dev, None, &good, 0);
    nul.message = "a\0b";
    expect_refusal(store.commit(&nul).await, "a message with NUL");
    let mut early = by_ada(&dev, None, &good, 0);
    early.at = Timestamp::from_micros(-1).expect("a time");
    expect_refusal(store.commit(&early).await, "a time before 1970");
    assert_eq!(head(store, &dev).await, None);
}
