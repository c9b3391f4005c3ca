//! What the benchmarks find in a database: a catalog, and histories of any size, written by SQL directly.

use crate::Failure;
use crate::client::{APPLICATIONS, ENVIRONMENTS, VERSIONS};
use crate::database::Database;

/// The first deployment of a generated history: 2024-01-01, in microseconds.
pub(crate) const BEGIN: i64 = 1_704_067_200_000_000;
/// How long a generated history lasts: 500 days, in microseconds.
pub(crate) const LENGTH: i64 = 500 * 86_400_000_000;

/// A sequence of numbers `i`, from the first up to before the last.
pub(crate) fn numbers(from: u64, to: u64) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to})"
    )
}

/// Applications `app-0` …, environments `env-0` …, and of each application the versions `v0` ….
pub(crate) fn catalog(database: &Database, applications: u64, environments: u64) -> Vec<String> {
    let backend = database.backend();
    let (application, environment) = (backend.id("0a", "i"), backend.id("0e", "i"));
    let version = backend.id("0f", "i");
    let of = backend.id("0a", &format!("i / {VERSIONS}"));
    let project = "(SELECT id FROM project WHERE slug = 'default')";
    let somebody = "(SELECT id FROM principal ORDER BY created_at LIMIT 1)";
    vec![
        format!(
            "INSERT INTO application (id, project_id, key, kind, display_name, description, created_at, revision) \
             {} SELECT {application}, {project}, 'app-' || i, 'SERVICE', 'app-' || i, '', {BEGIN}, 1 FROM n",
            numbers(0, applications)
        ),
        format!(
            "INSERT INTO environment (id, project_id, slug, display_name, description, tier, position, created_at, revision) \
             {} SELECT {environment}, {project}, 'env-' || i, 'env-' || i, '', 'STAGING', i, {BEGIN}, 1 FROM n",
            numbers(0, environments)
        ),
        format!(
            "INSERT INTO version (id, project_id, application_id, identifier, dependencies, attributes, notes, author_id, \
             created_by, created_at) {} SELECT {version}, {project}, {of}, 'v' || (i % {VERSIONS}), '[]', '{{}}', '', \
             {somebody}, {somebody}, {BEGIN} FROM n",
            numbers(0, applications * VERSIONS)
        ),
        // Whoever claims to deploy, in generated histories.
        format!(
            "INSERT INTO person (id, project_id, display_name) SELECT {}, {project}, 'ci'",
            backend.id("0c", "1")
        ),
    ]
}

/// The catalog and one record in each cell: what most benchmarks start from.
pub(crate) async fn small(database: &Database) -> Result<(), Failure> {
    let mut statements = catalog(database, APPLICATIONS, ENVIRONMENTS);
    let history = History {
        applications: APPLICATIONS,
        first_environment: 0,
        environments: ENVIRONMENTS,
        first_record: 0,
        records: APPLICATIONS * ENVIRONMENTS,
    };
    statements.push(history.records(database));
    statements.push(current_state());
    database.fill(&statements).await
}

/// Records that go around a rectangle of cells, so that each cell gets one in each round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    pub(crate) applications: u64,
    pub(crate) first_environment: u64,
    pub(crate) environments: u64,
    /// Numbers of records must not repeat in a database.
    pub(crate) first_record: u64,
    pub(crate) records: u64,
}

impl History {
    /// The statement that adds the records, in time order.
    pub(crate) fn records(&self, database: &Database) -> String {
        let backend = database.backend();
        let cells = self.applications * self.environments;
        let rounds = self.records.div_ceil(cells);
        let application = format!(
            "((i - {0}) % {cells} % {1})",
            self.first_record, self.applications
        );
        let environment = format!(
            "({} + (i - {}) % {cells} / {})",
            self.first_environment, self.first_record, self.applications
        );
        let round = format!("((i - {}) / {cells})", self.first_record);
        let at = format!(
            "({BEGIN} + {round} * {} + i % {cells})",
            LENGTH / rounds.cast_signed()
        );
        let version = format!("{application} * {VERSIONS} + {round} % {VERSIONS}");
        insert_records(
            &numbers(self.first_record, self.first_record + self.records),
            [
                backend.id("0d", "i"),
                backend.id("0a", &application),
                backend.id("0f", &version),
                backend.id("0e", &environment),
                "'DEPLOYED'".to_owned(),
                at,
                backend.id("0c", "1"),
            ],
        )
    }
}

/// Inserts records with these columns: id, application, version, environment, kind, time, who is said to have deployed.
pub(crate) fn insert_records(numbers: &str, columns: [String; 7]) -> String {
    let [id, application, version, environment, kind, at, deployed_by] = columns;
    format!(
        "INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind, deployed_at, \
         reported_at, recorded_at, reporter_id, deployed_by_id, notes, attributes) {numbers} \
         SELECT {id}, j.id, {application}, {version}, {environment}, {kind}, {at}, {at}, {at}, p.id, {deployed_by}, '', '{{}}' \
         FROM n, (SELECT id FROM project WHERE slug = 'default') j, \
         (SELECT id FROM principal ORDER BY created_at LIMIT 1) p"
    )
}

/// The statement that makes the current state what follows from all records.
pub(crate) fn current_state() -> String {
    "INSERT INTO current_state (environment_id, application_id, project_id, application_key, environment_slug, \
     record_sequence, kind, deployed_at, version_id, record_id, deployed_by_id) \
     SELECT d.environment_id, d.application_id, d.project_id, a.key, e.slug, d.sequence, d.kind, d.deployed_at, \
     d.version_id, d.id, d.deployed_by_id FROM (SELECT *, row_number() OVER (PARTITION BY environment_id, application_id \
     ORDER BY deployed_at DESC, sequence DESC) AS place FROM deployment_record) d \
     JOIN application a ON a.id = d.application_id JOIN environment e ON e.id = d.environment_id WHERE d.place = 1"
        .to_owned()
}
