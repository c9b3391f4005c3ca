//! Nothing but what has the right hash is handed out, and nothing else is committed.

use serde_json::Value;
use slipway_github_stand_in::{Fault, When};
use slipway_snapshots::{GitError, GitStore, git::Committed};

use crate::world::{World, commit, files, sha};

/// What is done to an answer.
type Damage = fn(&mut Value);

const OTHER: &str = "0123456789012345678901234567890123456789";

#[tokio::test]
async fn what_is_read_is_verified_from_the_commit_down() {
    let content = files(&[("a", "1"), ("b/c", "2")]);
    let damages: [(&str, Damage); 9] = [
        ("/git/commits/", |commit| commit["message"] = "other".into()),
        ("/git/commits/", |commit| {
            commit["author"]["name"] = "Eve".into();
        }),
        ("/git/commits/", |commit| {
            commit["tree"]["sha"] = OTHER.into();
        }),
        ("/git/trees/", |tree| tree["sha"] = OTHER.into()),
        ("/git/trees/", |tree| tree["tree"][0]["sha"] = OTHER.into()),
        ("/git/trees/", |tree| {
            tree["tree"][0]["path"] = "../a".into();
        }),
        ("/git/trees/", |tree| {
            tree["tree"][0]["mode"] = "100755".into();
        }),
        ("/git/trees/", |tree| {
            drop(tree["tree"].as_array_mut().expect("entries").pop());
        }),
        ("/git/blobs/", |blob| blob["content"] = "MQo=".into()),
    ];
    for (part, damage) in damages {
        let Some(mut world) = World::new().await else {
            return;
        };
        let made = world.commit(None, &content).await;
        world.restart();
        world
            .server
            .plan(When::first("GET", part), Fault::Alter(damage));
        let refused = world.store.read(&made).await;
        assert!(
            matches!(refused, Err(GitError::Corrupt { .. })),
            "{part}: {refused:?}"
        );
        // A damaged answer is not remembered.
        let read = world.store.read(&made).await.expect("read");
        assert_eq!(read, Some(content.clone()));
        world.finish(1).await;
    }
}

#[tokio::test]
async fn a_missing_object_is_damage() {
    let content = files(&[("a", "1")]);
    for part in ["/git/trees/", "/git/blobs/"] {
        let Some(mut world) = World::new().await else {
            return;
        };
        let made = world.commit(None, &content).await;
        world.restart();
        world
            .server
            .plan(When::first("GET", part), Fault::Status(404));
        let refused = world.store.read_file(&made, "a").await;
        assert!(
            matches!(refused, Err(GitError::Corrupt { .. })),
            "{part}: {refused:?}"
        );
        world.finish(1).await;
    }
}

#[tokio::test]
async fn an_object_that_github_makes_otherwise_is_not_committed() {
    for part in ["/git/blobs", "/git/trees", "/git/commits"] {
        let Some(world) = World::new().await else {
            return;
        };
        let first = world.commit(None, &files(&[("a", "\0")])).await;
        let damage = Fault::Alter(|made| made["sha"] = OTHER.into());
        world.server.plan(When::first("POST", part), damage);
        let refused = world
            .try_commit(Some(&first), &files(&[("a", "\0\0")]))
            .await;
        assert!(
            matches!(refused, Err(GitError::Corrupt { .. })),
            "{part}: {refused:?}"
        );
        assert_eq!(world.branch().await, first.as_str());
        world.finish(1).await;
    }
}

#[tokio::test]
async fn what_people_push_is_read_and_verified_too() {
    let Some(world) = World::new().await else {
        return;
    };
    // Half past five hours east of Greenwich, and a line break after the message.
    let theirs = world
        .server
        .somebody_commits("env/production", "Größe/übrig.txt", "1")
        .await;
    let found = world.head().await.expect("a head");
    assert_eq!(found, sha(&theirs));
    let read = world.store.read(&found).await.expect("read");
    assert_eq!(read, Some(files(&[("Größe/übrig.txt", "1")])));
    // Ours holds what it is told and nothing else.
    let ours = files(&[("a", "1")]);
    let made = world.commit(Some(&found), &ours).await;
    assert_eq!(world.cloned().await, ours);

    let tree = world
        .server
        .git(&["rev-parse", &format!("{made}^{{tree}}")])
        .await;
    let zones = format!(
        "tree {tree}\nparent {made}\nauthor A <a@b> 1700000000 -0330\ncommitter C <c@d> 1700000001 +1400\n\nTwo zones\n"
    );
    let signed = format!(
        "tree {tree}\nparent {made}\nauthor A <a@b> 1700000000 -0330\ncommitter C <c@d> 1700000001 +0200\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n wsBc\n =abcd\n -----END PGP SIGNATURE-----\n \n\nSigned\n"
    );
    for body in [zones, signed] {
        let pushed = sha(&world.server.write_object("commit", body.as_bytes()).await);
        let read = world.store.read(&pushed).await.expect("read");
        assert_eq!(read, Some(ours.clone()), "{body}");
    }
    world.finish(2).await;
}

#[tokio::test]
async fn executables_links_and_modules_of_others_are_no_trouble() {
    let Some(world) = World::new().await else {
        return;
    };
    let ours = files(&[("keep", "1")]);
    let first = world.commit(None, &ours).await;
    let blob = world.server.write_object("blob", b"run").await;
    let keep = world.server.write_object("blob", b"1").await;
    let mut tree = Vec::new();
    for (mode, name, id) in [
        ("100755", "execute", &blob),
        ("100755", "keep", &keep),
        ("120000", "link", &blob),
        ("160000", "module", &first.as_str().to_owned()),
    ] {
        tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        for pair in id.as_bytes().chunks(2) {
            let digits = std::str::from_utf8(pair).expect("digits");
            tree.push(u8::from_str_radix(digits, 16).expect("a byte"));
        }
    }
    let tree = world.server.write_object("tree", &tree).await;
    let body = format!(
        "tree {tree}\nparent {first}\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nOthers\n"
    );
    let pushed = sha(&world.server.write_object("commit", body.as_bytes()).await);
    let point = ["update-ref", "refs/heads/env/production", pushed.as_str()];
    world.server.git(&point).await;
    let read = world.store.read(&pushed).await.expect("read");
    assert_eq!(
        read,
        Some(files(&[("execute", "run"), ("keep", "1"), ("link", "run")]))
    );
    // The same content, but no executable: ours is committed as it is always.
    let made = commit(&world.store, Some(&pushed), &ours).await;
    let Ok(Committed::New(made)) = made else {
        panic!("{made:?}");
    };
    let listed = world.server.git(&["ls-tree", "-r", made.as_str()]).await;
    assert_eq!(listed, format!("100644 blob {keep}\tkeep"));
    world.finish(3).await;
}

#[tokio::test]
async fn a_listing_that_github_truncates_is_walked() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let content = files(&[("a/b/c", "1"), ("a/d", "2"), ("e/f/g/h", "3"), ("i", "4")]);
    let first = world.commit(None, &content).await;
    world.server.truncate_listings(3);
    world.restart();
    let read = world.store.read(&first).await.expect("read");
    assert_eq!(read, Some(content.clone()));
    let mut changed = content;
    changed.remove("e/f/g/h");
    world.commit(Some(&first), &changed).await;
    assert_eq!(world.cloned().await, changed);
    world.finish(2).await;
}
