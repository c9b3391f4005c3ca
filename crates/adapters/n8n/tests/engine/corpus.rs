//! Real workflows, where they are at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use slipway_workflows::{Workflow, WorkflowEngine};

use crate::start;

/// The directory of real workflows beside the repository.
fn directory() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let place = root.join("../shared/corpus/workflows");
    place.is_dir().then_some(place)
}

fn workflows(directory: &Path) -> Vec<Workflow> {
    let mut found = Vec::new();
    for source in std::fs::read_dir(directory).expect("a directory") {
        for file in std::fs::read_dir(source.expect("an entry").path()).expect("a directory") {
            let path = file.expect("an entry").path();
            if path.extension().is_some_and(|it| it == "json") {
                let name = path.file_stem().expect("a name").to_string_lossy();
                let bytes = std::fs::read(&path).expect("a file");
                found.push(Workflow::from_json(&bytes, &name).expect("a workflow"));
            }
        }
    }
    found
}

#[tokio::test]
async fn real_workflows_come_back_as_they_were_sent() {
    let Some(directory) = directory() else {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    };
    let workflows = workflows(&directory);
    assert_eq!(workflows.len(), 35);
    let (stand_in, n8n) = start().await;
    let mut sent = BTreeMap::new();
    for mut workflow in workflows {
        workflow.description = format!("What {} is for", workflow.name);
        let id = n8n.create(&workflow).await.expect("created");
        sent.insert(id, workflow);
    }
    let tags: std::collections::BTreeSet<_> =
        sent.values().flat_map(|it| it.tags.clone()).collect();
    assert!(tags.len() >= 2);
    assert_eq!(stand_in.tags().len(), tags.len());

    let exported = n8n.export().await.expect("exported");
    assert_eq!(exported.len(), 35);
    assert!(exported.is_sorted_by(|a, b| a.id < b.id));
    for exported in exported {
        let sent = &sent[&exported.id];
        assert_eq!(exported.name, sent.name);
        assert!(!exported.archived);
        // A new workflow is inactive, whatever the document says. All else is the same.
        let mut expected = sent.clone();
        expected.active = false;
        assert_eq!(exported.workflow, Ok(expected));
    }

    stand_in.forget_calls();
    for (id, workflow) in &sent {
        n8n.update(id, workflow).await.expect("the same again");
    }
    assert_eq!(stand_in.writes(), []);

    for (id, workflow) in &sent {
        let mut renamed = workflow.clone();
        renamed.name = format!(
            "{} (2)",
            workflow.name.chars().take(100).collect::<String>()
        );
        n8n.update(id, &renamed).await.expect("renamed");
        let found = n8n.get(id).await.expect("read").expect("is there");
        renamed.active = false;
        assert_eq!(found.workflow, Ok(renamed));
        n8n.delete(id).await.expect("deleted");
    }
    assert_eq!(stand_in.effects().len(), 70);
    assert!(n8n.export().await.expect("exported").is_empty());
}
