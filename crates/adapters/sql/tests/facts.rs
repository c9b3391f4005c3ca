//! Facts stay as they were written, whoever has the database open: the database itself refuses to change them.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use slipway_sql::{Options, migrate};
use slipway_test_support::postgres::database;

const FACTS: [(&str, &str); 4] = [
    ("deployment_record", "notes = 'x'"),
    ("record_retraction", "reason = 'x'"),
    ("audit_event", "command = 'x'"),
    ("audit_chain", "chained_at = 0"),
];

/// One fact in each table, in the words of both dialects: `ID(n)` is a UUID.
const ROWS: &str = "
    INSERT INTO project (id, slug, display_name, description, created_at, revision)
        VALUES (ID(1), 'shop', 'Shop', '', 0, 1);
    INSERT INTO person (id, display_name) VALUES (ID(2), 'Ann');
    INSERT INTO principal (id, kind, tenant_admin, created_at) VALUES (ID(2), 'USER', FALSE, 0);
    INSERT INTO environment (id, project_id, slug, display_name, description, tier, position, created_at, revision)
        VALUES (ID(3), ID(1), 'prod', 'Prod', '', 'PRODUCTION', 0, 0, 1);
    INSERT INTO application (id, project_id, key, kind, display_name, description, created_at, revision)
        VALUES (ID(4), ID(1), 'cart', 'SERVICE', 'Cart', '', 0, 1), (ID(5), ID(1), 'till', 'SERVICE', 'Till', '', 0, 1);
    INSERT INTO version (id, project_id, application_id, identifier, dependencies, attributes, notes, author_id,
        created_by, created_at) VALUES (ID(6), ID(1), ID(4), '1.0', '[]', '{}', '', ID(2), ID(2), 0);
    INSERT INTO audit_event (id, chain_id, at, principal_id, command, outcome, resource_kind, resource_name, facts,
        correlation_id, repeat_count) VALUES (ID(7), ID(1), 0, ID(2), 'X', 'ALLOWED', 'x', '', '[]', '', 1);
    INSERT INTO audit_chain (chain_id, position, event_id, event_sequence, hash, chained_at)
        SELECT ID(1), 1, ID(7), sequence, HASH, 0 FROM audit_event";
const RECORD: &str = "INSERT INTO deployment_record (id, project_id, application_id, version_id, environment_id, kind,
    deployed_at, reported_at, recorded_at, reporter_id, notes, attributes)
    VALUES (ID(ROW), ID(1), ID(APP), ID(6), ID(3), 'DEPLOYED', 0, 0, 0, ID(2), '', '{}')";
const RETRACTION: &str =
    "INSERT INTO record_retraction (record_sequence, record_id, project_id, retracted_at,
    retracted_by, reason) SELECT sequence, ID(8), ID(1), 0, ID(2), '' FROM deployment_record";

fn spell(text: &str, sqlite: bool) -> String {
    let hash = if sqlite {
        "zeroblob(32)"
    } else {
        r"decode(repeat('00', 32), 'hex')"
    };
    let mut text = text.replace("HASH", hash);
    for n in 1..=9 {
        let uuid = if sqlite {
            format!("X'{n:032x}'")
        } else {
            format!("lpad('{n}', 32, '0')::uuid")
        };
        text = text.replace(&format!("ID({n})"), &uuid);
    }
    text
}

#[tokio::test]
async fn sqlite_refuses_to_change_facts() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options::sqlite_file(&directory.path().join("slipway.db"));
    refuses(&options, &["UPDATE {} SET {set}", "DELETE FROM {}"]).await;
}

#[tokio::test]
async fn postgres_refuses_to_change_facts() {
    if let Some(database) = database().await {
        let options = Options::new(database.url());
        let statements = [
            "UPDATE {} SET {set}",
            "DELETE FROM {}",
            "TRUNCATE {} CASCADE",
        ];
        refuses(&options, &statements).await;
    }
}

async fn refuses(options: &Options, statements: &[&str]) {
    migrate(options).await.expect("migrated");
    let connection = Database::connect(&options.url).await.expect("connected");
    let sqlite = options.url.starts_with("sqlite");
    let run = |text: String| run(&connection, spell(&text, sqlite));
    let record = |row: &str, app: &str| RECORD.replace("ROW", row).replace("APP", app);
    run(ROWS.to_owned()).await.expect("the catalog");
    run(record("8", "4")).await.expect("a record");
    run(RETRACTION.to_owned()).await.expect("its retraction");
    let foreign = run(record("9", "5"))
        .await
        .expect_err("a version of another application");
    assert!(foreign.to_lowercase().contains("foreign key"), "{foreign}");
    for (table, set) in FACTS {
        for statement in statements {
            let statement = statement.replace("{}", table).replace("{set}", set);
            let error = run(statement.clone()).await.expect_err(&statement);
            assert!(error.contains("append-only"), "{statement}: {error}");
        }
    }
    if sqlite {
        let replace = "REPLACE INTO audit_event SELECT * FROM audit_event".to_owned();
        let replace = format!("PRAGMA recursive_triggers = on; {replace}");
        let error = run(replace).await.expect_err("replaces");
        assert!(error.contains("append-only"), "{error}");
    }
}

async fn run(connection: &DatabaseConnection, statement: String) -> Result<(), String> {
    let result = connection.execute_unprepared(&statement).await;
    result.map(|_| ()).map_err(|error| error.to_string())
}
