//! What the port promises.

use slipway_kernel::Timestamp;
use slipway_snapshots::{
    GitError, GitStore,
    git::{Committed, FileChange, Files, NewCommit},
};

use crate::world::{World, commit, files, production, sha, writes};

#[tokio::test]
async fn what_was_committed_comes_back() {
    let Some(mut world) = World::new().await else {
        return;
    };
    assert_eq!(world.head().await, None);
    let before = files(&[
        ("manifest.json", "{}"),
        ("workflows/a.json", "{\"name\":\"Grüße, 世界 🚀\"}\r\n"),
        ("workflows/a/b.json", ""),
        ("workflows/a-b.json", "1"),
        ("workflows/only/here.json", "2"),
    ]);
    let first = world.commit(None, &before).await;
    assert_eq!(world.head().await, Some(first.clone()));
    assert_eq!(world.branch().await, first.as_str());
    assert_eq!(world.cloned().await, before);

    // One changed, one added, two gone, of which one was the last in its folder.
    let after = files(&[
        ("manifest.json", "{\"version\":2}"),
        ("workflows/a.json", "{\"name\":\"Grüße, 世界 🚀\"}\r\n"),
        ("workflows/a/b.json", ""),
        ("workflows/new.json", "3"),
    ]);
    let second = world.commit(Some(&first), &after).await;
    assert_eq!(world.cloned().await, after);

    for _ in 0..2 {
        let read = world.store.read(&first).await.expect("read");
        assert_eq!(read, Some(before.clone()));
        let read = world.store.read(&second).await.expect("read");
        assert_eq!(read, Some(after.clone()));
        let one = world.store.read_file(&second, "workflows/new.json").await;
        assert_eq!(one.expect("read"), Some("3".into()));
        for missing in ["workflows", "workflows/only/here.json", "../manifest.json"] {
            let one = world.store.read_file(&second, missing).await;
            assert_eq!(one.expect("read"), None, "{missing}");
        }
        let changes = world.store.compare(&first, &second).await;
        assert_eq!(
            changes.expect("compared"),
            Some(vec![
                FileChange::Changed("manifest.json".to_owned()),
                FileChange::Removed("workflows/a-b.json".to_owned()),
                FileChange::Added("workflows/new.json".to_owned()),
                FileChange::Removed("workflows/only/here.json".to_owned()),
            ])
        );
        // And again by a store that has to read everything.
        world.restart();
    }
    world.finish(2).await;
}

#[tokio::test]
async fn git_shows_who_committed_what_and_when() {
    let Some(world) = World::new().await else {
        return;
    };
    let content = files(&[("a", "b")]);
    let message = "Schnappschuss vor der Freigabe\n\nAngefordert von Zoë.\n";
    let new = NewCommit {
        environment: &production(),
        parent: None,
        files: &content,
        message,
        author: (" Zoë Müller, ", "zoe@example.com"),
        at: Timestamp::parse("2026-07-01T02:03:04.999999+02:00").expect("a time"),
    };
    let made = world.store.commit(&new).await.expect("committed");
    let Committed::New(made) = made else {
        panic!("{made:?}");
    };
    let format = "--format=%an|%ae|%ad|%cn|%ce|%cd|%B";
    let shown = ["log", "-1", "--date=raw", format, made.as_str()];
    assert_eq!(
        world.server.git(&shown).await,
        format!(
            "Zoë Müller|zoe@example.com|1782864184 +0000|Zoë Müller|zoe@example.com|1782864184 +0000|{}",
            message.trim_end()
        )
    );
    let read = world.store.read(&made).await.expect("read");
    assert_eq!(read, Some(content.clone()));
    world.finish(1).await;
}

#[tokio::test]
async fn nothing_is_written_where_nothing_changed() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let content = files(&[("a/b.json", "{}"), ("c.json", "[]")]);
    let first = world.commit(None, &content).await;
    world.server.forget();
    let again = world.try_commit(Some(&first), &content).await;
    assert_eq!(
        again.expect("committed"),
        Committed::Unchanged(first.clone())
    );
    assert_eq!(writes(&world.server.recorded()), 0);
    assert_eq!(world.server.recorded().len(), 1, "the branch is read");
    world.restart();
    let again = world.try_commit(Some(&first), &content).await;
    assert_eq!(again.expect("committed"), Committed::Unchanged(first));
    assert_eq!(writes(&world.server.recorded()), 0);
    world.finish(1).await;
}

#[tokio::test]
async fn every_content_is_kept_as_it_is() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let mut content = files(&[("empty", ""), ("nul", "a\0b"), ("lines", "a\r\nb\n\n")]);
    content.insert("binary".to_owned(), (0..=255).collect::<Vec<u8>>().into());
    content.insert("large".to_owned(), vec![b'x'; 3 << 20].into());
    content.insert("same".to_owned(), vec![b'x'; 3 << 20].into());
    let made = world.commit(None, &content).await;
    assert_eq!(world.cloned().await, content);
    world.restart();
    let read = world.store.read(&made).await.expect("read");
    assert_eq!(read, Some(content));
    world.finish(1).await;
}

#[tokio::test]
async fn a_branch_may_become_empty_and_full_again() {
    let Some(world) = World::new().await else {
        return;
    };
    let content = files(&[("a/b", "c")]);
    let first = world.commit(None, &content).await;
    let second = world.commit(Some(&first), &Files::new()).await;
    let read = world.store.read(&second).await.expect("read");
    assert_eq!(read, Some(Files::new()));
    let third = world.commit(Some(&second), &content).await;
    let changes = world.store.compare(&first, &third).await;
    assert_eq!(changes.expect("compared"), Some(Vec::new()));
    world.finish(3).await;
}

#[tokio::test]
async fn a_file_may_take_a_folders_place_and_give_it_back() {
    let Some(world) = World::new().await else {
        return;
    };
    let folder = files(&[("a/b", "1"), ("a/c/d", "2"), ("e", "3"), ("f", "4")]);
    let file = files(&[("a", "1"), ("e/g", "3"), ("f", "4")]);
    let first = world.commit(None, &folder).await;
    let second = world.commit(Some(&first), &file).await;
    assert_eq!(world.cloned().await, file);
    let third = world.commit(Some(&second), &folder).await;
    assert_eq!(world.cloned().await, folder);
    let read = world.store.read(&third).await.expect("read");
    assert_eq!(read, Some(folder));
    world.finish(3).await;
}

#[tokio::test]
async fn environments_have_branches_of_their_own() {
    let Some(world) = World::new().await else {
        return;
    };
    let staging = "staging".parse().expect("a slug");
    let content = files(&[("a", "b")]);
    let first = world.commit(None, &content).await;
    assert_eq!(world.store.head(&staging).await.expect("a head"), None);
    let new = NewCommit {
        environment: &staging,
        parent: None,
        files: &content,
        message: "Snapshot of production\n\nMade by a test.",
        author: ("Ada Lovelace", "ada@example.com"),
        at: Timestamp::parse("2026-01-31T12:00:00Z").expect("a time"),
    };
    // The same but for the fraction of a second, which Git doesn't keep.
    let made = world.store.commit(&new).await.expect("committed");
    assert_eq!(made, Committed::New(first));
    assert!(world.store.head(&staging).await.expect("a head").is_some());
    world.finish(1).await;
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_none() {
    let Some(world) = World::new().await else {
        return;
    };
    let made = world.commit(None, &files(&[("a", "b")])).await;
    let missing = sha("0123456789012345678901234567890123456789");
    assert_eq!(world.store.read(&missing).await.expect("read"), None);
    let one = world.store.read_file(&missing, "a").await;
    assert_eq!(one.expect("read"), None);
    for (earlier, later) in [(&made, &missing), (&missing, &made)] {
        let compared = world.store.compare(earlier, later).await;
        assert_eq!(compared.expect("compared"), None);
    }
    world.finish(1).await;
}

#[tokio::test]
async fn what_git_can_not_keep_is_refused_before_anything_is_asked() {
    let Some(world) = World::new().await else {
        return;
    };
    let refused = async |files: &Files, message: &str, author, at: &str| {
        let new = NewCommit {
            environment: &production(),
            parent: None,
            files,
            message,
            author,
            at: Timestamp::parse(at).expect("a time"),
        };
        let refused = world.store.commit(&new).await;
        assert!(
            matches!(refused, Err(GitError::Refused { .. })),
            "{refused:?}"
        );
    };
    let good = files(&[("a", "b")]);
    let (ada, now) = (("Ada", "ada@example.com"), "2026-01-31T12:00:00Z");
    for path in ["", "/a", "a//b", "../a", "a/.GIT/config", "a b", "ä"] {
        refused(&files(&[(path, "b")]), "m", ada, now).await;
    }
    refused(&files(&[("a", "b"), ("a/c", "d")]), "m", ada, now).await;
    refused(&good, "m\0", ada, now).await;
    refused(&good, "m", ("A\nB", "a@b"), now).await;
    refused(&good, "m", ("Ada", "a@b> 0"), now).await;
    refused(&good, "m", (" ", "a@b"), now).await;
    refused(&good, "m", ada, "1969-12-31T23:59:59Z").await;
    assert_eq!(world.server.everything().len(), 0);
    world.finish(0).await;
}

#[tokio::test]
async fn another_expected_parent_is_told_what_the_branch_points_to() {
    let Some(world) = World::new().await else {
        return;
    };
    let (one, two) = (files(&[("a", "1")]), files(&[("a", "2")]));
    let moved = async |parent, files| {
        let before = world.branch().await;
        world.server.forget();
        let refused = world.try_commit(parent, files).await;
        assert_eq!(writes(&world.server.recorded()), 0);
        assert_eq!(world.branch().await, before);
        match refused {
            Err(GitError::Moved { found }) => found,
            other => panic!("{other:?}"),
        }
    };
    let nowhere = sha("0123456789012345678901234567890123456789");
    assert_eq!(moved(Some(&nowhere), &one).await, None);
    let first = world.commit(None, &one).await;
    assert_eq!(moved(None, &two).await, Some(first.clone()));
    assert_eq!(moved(None, &one).await, Some(first.clone()));
    let second = world.commit(Some(&first), &two).await;
    assert_eq!(moved(Some(&first), &one).await, Some(second.clone()));
    // Somebody takes the branch back: moving it forward would undo that.
    let back = ["update-ref", "refs/heads/env/production", first.as_str()];
    world.server.git(&back).await;
    assert_eq!(moved(Some(&second), &one).await, Some(first.clone()));
    let again = commit(&world.store, Some(&first), &two).await;
    assert_eq!(again.expect("committed"), Committed::New(second));
    world.finish(2).await;
}
