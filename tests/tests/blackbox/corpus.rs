//! Real deployments, where they are at hand: a file of uploads beside the project. Import, import again, import
//! shuffled, and compare what the server says with a computation of our own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use serde::Deserialize;
use slipway_api::ledger::v1::{DeploymentReport, ListDeploymentRecordsRequest, RiskLevel};
use slipway_tests::clock::{from_micros, to_micros};
use slipway_tests::world::report_at;
use slipway_tests::{Backend, Granted, Project, World};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::case::cases;
use crate::import::{batch, header, import};

cases![
    the_matrix_of_real_uploads_is_right,
    the_command_line_imports_and_exports_the_same,
];

/// How many cells of the past are compared.
const PAST_CELLS: usize = 200;

/// One line of the file.
#[derive(Debug, Clone, Deserialize)]
struct Upload {
    application: String,
    version: String,
    environment: String,
    deployed_at: String,
    deployed_by: String,
    risk: String,
    #[serde(default)]
    notes: String,
}

impl Upload {
    fn micros(&self) -> i64 {
        let time = OffsetDateTime::parse(&self.deployed_at, &Rfc3339).unwrap();
        i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap()
    }

    fn report(&self) -> DeploymentReport {
        let risk = match self.risk.as_str() {
            "low" => RiskLevel::Low,
            "medium" => RiskLevel::Medium,
            "high" => RiskLevel::High,
            "critical" | "emergency" => RiskLevel::Critical,
            other => panic!("the risk `{other}` has no level"),
        };
        let time = from_micros(self.micros());
        DeploymentReport {
            deployed_by: self.deployed_by.clone(),
            risk_level: risk.into(),
            notes: self.notes.clone(),
            ..report_at(&self.application, &self.version, &self.environment, time)
        }
    }

    fn cell(&self) -> (String, String) {
        (self.application.clone(), self.environment.clone())
    }
}

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/debian-uploads.jsonl")
});

static UPLOADS: LazyLock<Option<Vec<Upload>>> = LazyLock::new(|| {
    let Ok(text) = std::fs::read_to_string(&*FILE) else {
        println!("skipped: no ../shared/corpus/debian-uploads.jsonl beside the project");
        return None;
    };
    let uploads = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Some(uploads.collect())
});

/// The version of each cell as of a time: the latest time counts, of equal times the last line.
fn matrix(uploads: &[Upload], as_of: i64) -> BTreeMap<(String, String), String> {
    let mut latest: BTreeMap<_, (i64, &str)> = BTreeMap::new();
    for upload in uploads {
        let time = upload.micros();
        if time > as_of {
            continue;
        }
        let entry = latest
            .entry(upload.cell())
            .or_insert((time, &upload.version));
        if entry.0 <= time {
            *entry = (time, &upload.version);
        }
    }
    latest
        .into_iter()
        .map(|(cell, (_, version))| (cell, version.to_owned()))
        .collect()
}

async fn told(project: &Project, as_of: Option<i64>) -> BTreeMap<(String, String), String> {
    project
        .matrix(as_of.map(from_micros))
        .await
        .into_iter()
        .map(|cell| ((cell.application, cell.environment), cell.version))
        .collect()
}

/// Imports all of them and counts what was recorded and what was present.
async fn import_all(project: &Project, uploads: &[Upload]) -> (usize, usize) {
    let reports: Vec<_> = uploads.iter().map(Upload::report).collect();
    let batches = reports.chunks(500).enumerate();
    let batches =
        batches.map(|(number, reports)| batch(i64::try_from(number * 500 + 1).unwrap(), reports));
    let messages = std::iter::once(header(project)).chain(batches).collect();
    let answers = import(&project.admin, messages).await.granted();
    let errors: Vec<_> = answers.iter().flat_map(|answer| &answer.errors).collect();
    assert!(errors.is_empty(), "{errors:?}");
    answers.iter().fold((0, 0), |(recorded, present), answer| {
        (
            recorded + usize::try_from(answer.recorded_count).unwrap(),
            present + usize::try_from(answer.already_present_count).unwrap(),
        )
    })
}

async fn the_matrix_of_real_uploads_is_right(backend: Backend) {
    let Some(uploads) = &*UPLOADS else { return };
    let world = World::own(backend).await;
    let project = world.project().await;
    assert_eq!(import_all(&project, uploads).await, (uploads.len(), 0));
    let expected = matrix(uploads, i64::MAX);
    assert_eq!(told(&project, None).await, expected);

    assert_eq!(import_all(&project, uploads).await, (0, uploads.len()));
    assert_eq!(told(&project, None).await, expected);

    let mut random = rand::rngs::StdRng::seed_from_u64(5);
    let mut shuffled = uploads.clone();
    shuffled.shuffle(&mut random);
    let other = world.project().await;
    assert_eq!(import_all(&other, &shuffled).await, (uploads.len(), 0));
    assert_eq!(told(&other, None).await, expected);

    compare_the_past(&project, uploads, &mut random).await;
    a_tie_at_the_latest_second(&project, uploads).await;
}

/// Cells as of the moment of an upload: of all that share their second with another of their cell, then of any.
async fn compare_the_past(project: &Project, uploads: &[Upload], random: &mut rand::rngs::StdRng) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for upload in uploads {
        *seen.entry((upload.cell(), upload.micros())).or_default() += 1;
    }
    let mut moments: Vec<_> = seen
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(moment, _)| moment.clone())
        .collect();
    let collisions = moments.len();
    let mut all: Vec<_> = uploads.iter().map(|u| (u.cell(), u.micros())).collect();
    all.shuffle(random);
    moments.extend(all.into_iter().take(PAST_CELLS - collisions));
    for ((application, environment), micros) in moments {
        let expected = matrix(uploads, micros);
        let expected = expected.get(&(application.clone(), environment.clone()));
        let cell = project
            .cell_at(&application, &environment, Some(from_micros(micros)), None)
            .await;
        assert_eq!(
            cell.as_ref().map(|cell| &cell.version),
            expected,
            "{application} in {environment} as of {micros}"
        );
    }
    println!(
        "{PAST_CELLS} cells of the past compared, {collisions} of them with uploads of the same second"
    );
}

/// Two more at the second of the latest upload: the one reported last counts.
async fn a_tie_at_the_latest_second(project: &Project, uploads: &[Upload]) {
    let latest = uploads.iter().max_by_key(|upload| upload.micros()).unwrap();
    for version in ["made-up-2", "made-up-1"] {
        let record = project
            .record(DeploymentReport {
                version: version.to_owned(),
                ..latest.report()
            })
            .await;
        let cell = project.cell(&latest.application, &latest.environment).await;
        assert_eq!(cell.unwrap().record_id, record.record_id);
        let past = project
            .cell_at(
                &latest.application,
                &latest.environment,
                record.deployed_time,
                None,
            )
            .await;
        assert_eq!(past.unwrap().version, version);
    }
}

async fn the_command_line_imports_and_exports_the_same(backend: Backend) {
    let Some(uploads) = &*UPLOADS else { return };
    let world = World::own(backend).await;
    let project = world.project().await;
    let file = FILE.display().to_string();
    let arguments = ["import", "deployments", &file, "--project", &project.slug];
    for _ in 0..2 {
        let output = world.server.command_line(&arguments).await;
        assert!(output.status.success(), "{output:?}");
    }
    let all = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(all.len(), uploads.len());
    assert_eq!(told(&project, None).await, matrix(uploads, i64::MAX));

    let output = world
        .server
        .command_line(&["export", "deployments", "--project", &project.slug])
        .await;
    assert!(output.status.success(), "{output:?}");
    let exported: Vec<Upload> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let key = |upload: &Upload| {
        (
            upload.micros(),
            upload.cell(),
            upload.version.clone(),
            upload.deployed_by.clone(),
            upload.report().risk_level,
            upload.notes.clone(),
        )
    };
    let sorted = |uploads: &[Upload]| {
        let mut keys: Vec<_> = uploads.iter().map(key).collect();
        keys.sort();
        keys
    };
    assert_eq!(sorted(&exported), sorted(uploads));
    let last = to_micros(all[0].deployed_time.unwrap());
    assert_eq!(last, uploads.iter().map(Upload::micros).max().unwrap());
}
