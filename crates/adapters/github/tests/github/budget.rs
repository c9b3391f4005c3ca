//! What a snapshot costs.

use bytes::Bytes;
use slipway_github_stand_in::Recorded;
use slipway_snapshots::git::Files;

use crate::world::{World, count};

fn workflows(content: impl Fn(usize) -> Bytes) -> Files {
    (0..1_000)
        .map(|i| (format!("workflows/{:02}/{i:04}.json", i % 20), content(i)))
        .chain([("manifest.json".to_owned(), content(1_000))])
        .collect()
}

/// Ten workflows and the manifest have changed.
fn change(files: &mut Files, content: impl Fn(usize) -> Bytes) {
    for i in (0..1_000).step_by(100) {
        files.insert(format!("workflows/{:02}/{i:04}.json", i % 20), content(i));
    }
    files.insert("manifest.json".to_owned(), content(1_000));
}

fn blobs_and_others(recorded: &[Recorded]) -> (usize, usize) {
    let blobs = count(recorded, "POST", "/git/blobs");
    (blobs, recorded.len() - blobs)
}

#[tokio::test]
async fn a_snapshot_of_1000_workflows_costs_what_changed_and_four_calls() {
    let Some(mut world) = World::new().await else {
        return;
    };
    let padding = " ".repeat(2_000);
    let text = |version: &'static str| {
        let padding = &padding;
        move |i: usize| Bytes::from(format!("{{\"version\":\"{version}\",\"i\":{i}}}{padding}"))
    };
    let mut files = workflows(text("one"));
    let first = world.commit(None, &files).await;
    // A first snapshot must not take as many requests as it has files: GitHub allows 80 a minute that make content.
    let asked = world.server.recorded();
    assert!(asked.len() <= 20, "{} requests", asked.len());

    change(&mut files, text("two"));
    world.server.forget();
    let second = world.commit(Some(&first), &files).await;
    let (blobs, others) = blobs_and_others(&world.server.recorded());
    assert!(blobs <= 11 && others <= 4, "{blobs} blobs, {others} others");

    // What the parent holds is asked once after a restart.
    change(&mut files, text("three"));
    world.restart();
    world.server.forget();
    world.commit(Some(&second), &files).await;
    let asked = world.server.recorded();
    let (blobs, others) = blobs_and_others(&asked);
    assert!(blobs <= 11 && others <= 6, "{blobs} blobs, {others} others");
    assert_eq!(count(&asked, "GET", "/git/trees"), 1);
    assert_eq!(world.cloned().await, files);
    world.finish(3).await;
}

#[tokio::test]
async fn content_that_is_no_text_costs_one_call_each() {
    let Some(world) = World::new().await else {
        return;
    };
    let binary = |version: u8| {
        move |i: usize| {
            Bytes::from(format!("{i}").into_bytes())
                .into_iter()
                .chain([0xff, version])
                .collect::<Bytes>()
        }
    };
    let mut files: Files = workflows(binary(1)).into_iter().take(60).collect();
    files.insert("manifest.json".to_owned(), binary(1)(1_000));
    let first = world.commit(None, &files).await;
    let changed: Vec<String> = files.keys().take(11).cloned().collect();
    for path in &changed {
        files.insert(path.clone(), path.bytes().chain([0xff]).collect());
    }
    world.server.forget();
    world.commit(Some(&first), &files).await;
    assert_eq!(blobs_and_others(&world.server.recorded()), (11, 4));
    assert_eq!(world.cloned().await, files);

    // What is only renamed is there already.
    let second = world.head().await.expect("a head");
    let content = files.remove(&changed[0]).expect("a file");
    files.insert("renamed".to_owned(), content);
    world.server.forget();
    world.commit(Some(&second), &files).await;
    assert_eq!(blobs_and_others(&world.server.recorded()), (0, 4));
    world.finish(3).await;
}
