//! Real workflows, as people exported them, where they lie beside the project.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::Value;
use slipway_workflows::{
    Credential, Difference, SecretKind, Workflow, WorkflowTarget, difference, key_for,
    workflow::MAX_BYTES,
};

const FOLDER: &str = "../../../../shared/corpus/workflows";

/// The workflows by file name, or `None` where there are none, which is said in one line.
fn documents() -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    if !folder.exists() {
        // Not println!: its output is kept from whoever runs the tests as long as they pass.
        let line = b"left out: no ../shared/corpus/workflows beside the project\n";
        drop(std::io::stderr().write_all(line));
        return None;
    }
    let files = entries(&folder)
        .into_iter()
        .flat_map(|repository| entries(&repository));
    let documents = files.filter(|file| file.extension().is_some_and(|end| end == "json"));
    let documents = documents.map(|file| {
        let name = file.file_stem().expect("a file has a name");
        (
            name.to_string_lossy().into_owned(),
            fs::read(&file).expect("a file can be read"),
        )
    });
    Some(documents.collect())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder can be read");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn workflows() -> Option<BTreeMap<String, Workflow>> {
    let documents = documents()?.into_iter().map(|(name, document)| {
        let workflow = Workflow::from_json(&document, &name);
        (name, workflow.expect("a real workflow is one"))
    });
    Some(documents.collect())
}

#[test]
fn every_one_is_read_written_and_read_again() {
    let Some(workflows) = workflows() else { return };
    assert_eq!(workflows.len(), 35);
    let named_after_file = workflows
        .iter()
        .filter(|(file, workflow)| **file == workflow.name);
    assert!(
        named_after_file.count() >= 9,
        "nine have no name of their own"
    );
    for (file, workflow) in &workflows {
        let pretty = workflow.to_pretty_json();
        assert!(pretty.len() < MAX_BYTES);
        let again = Workflow::from_json(&pretty, "").expect("a workflow");
        assert_eq!(&again, workflow, "{file}");
        assert_eq!(again.to_pretty_json(), pretty, "{file}");
        assert_eq!(again.state_hash(), workflow.state_hash(), "{file}");
        assert_eq!(
            difference(workflow, &again),
            Difference::default(),
            "{file}"
        );
    }
}

#[test]
fn the_hash_does_not_depend_on_the_order_of_keys_or_nodes() {
    let Some(documents) = documents() else { return };
    for (file, document) in documents {
        let value: Value = serde_json::from_slice(&document).expect("JSON");
        let one = Workflow::from_json(&document, &file).expect("a workflow");
        let other =
            Workflow::from_json(reversed(&value, "").as_bytes(), &file).expect("a workflow");
        assert_eq!(one.state_hash(), other.state_hash(), "{file}");
        assert!(difference(&one, &other).is_empty(), "{file}");
    }
}

/// JSON with the keys of every object, and the nodes, the other way round.
fn reversed(value: &Value, key: &str) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().rev().map(|(key, field)| {
                format!("{}: {}", Value::from(key.as_str()), reversed(field, key))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(",\n"))
        }
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(|item| reversed(item, "")).collect();
            if key == "nodes" {
                items.reverse();
            }
            format!("[{}]", items.join(", "))
        }
        plain => plain.to_string(),
    }
}

#[test]
fn no_two_are_alike() {
    let Some(workflows) = workflows() else { return };
    let hashes: BTreeMap<_, _> = workflows
        .iter()
        .map(|(file, workflow)| (workflow.document_hash(), file))
        .collect();
    assert_eq!(hashes.len(), workflows.len());
    for one in workflows.values() {
        for other in workflows.values() {
            let found = difference(one, other);
            assert_eq!(found.is_empty(), one.state_hash() == other.state_hash());
            assert!(serde_json::to_vec(&found).expect("JSON").len() < 1_000_000);
        }
    }
}

#[test]
fn their_references_are_found_and_follow() {
    let Some(workflows) = workflows() else { return };
    let references: Vec<_> = workflows.values().map(Workflow::references).collect();
    let credentials = references.iter().map(|found| found.credentials.len());
    assert_eq!(credentials.sum::<usize>(), 303);
    let targets: Vec<_> = references
        .iter()
        .flat_map(|found| &found.workflows)
        .map(|found| &found.target)
        .collect();
    assert_eq!(targets, [&WorkflowTarget::Itself; 10]);

    for (file, workflow) in &workflows {
        let same = workflow.remap(
            &|credential| {
                let id = credential.id.clone()?;
                let name = credential.name.clone();
                Some(Credential { id, name })
            },
            &|id| Some(id.clone()),
        );
        assert_eq!(same.as_ref(), Ok(workflow), "{file}");
        let used = !workflow.references().credentials.is_empty();
        assert_eq!(
            workflow.remap(&|_| None, &|_| None).is_err(),
            used,
            "{file}"
        );
    }
}

#[test]
fn secrets_are_found_and_little_else() {
    let Some(workflows) = workflows() else { return };
    let secrets: Vec<_> = workflows.values().flat_map(Workflow::secrets).collect();
    // What callers sent to a webhook stands in pinned data, with the header that let them in; where that header is a
    // stand-in (`Bearer YOUR BEARER TOKEN`), nothing is found.
    let told: Vec<_> = secrets
        .iter()
        .map(|secret| (secret.node.as_str(), secret.path.as_str(), secret.kind))
        .collect();
    let header = (
        "Webhook",
        "pinData[0].json.headers.authorization",
        SecretKind::AuthorizationHeader,
    );
    assert_eq!(told, [header; 4]);
}

#[test]
fn each_gets_a_key() {
    let Some(workflows) = workflows() else { return };
    let mut keys: Vec<String> = Vec::new();
    for workflow in workflows.values() {
        let taken = |key: &str| keys.iter().any(|taken| taken.eq_ignore_ascii_case(key));
        let key = key_for(&workflow.name, &taken);
        keys.push(key.as_str().to_owned());
    }
    assert!(
        keys.contains(&"RAG-AI-Agent-Template-V5".to_owned()),
        "{keys:?}"
    );
    assert!(keys.contains(&"bolt.diy-Expert".to_owned()), "{keys:?}");
}
