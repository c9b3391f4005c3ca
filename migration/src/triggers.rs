//! Triggers that keep what must not change, whoever asks.

use sea_orm::DbBackend;

use crate::dialect::spell;

/// What happens on `SQLite` to a row that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It stays, and the new one is left out: for rows that the server adds with `ON CONFLICT DO NOTHING`.
    Ignore,
    /// It stays, and the statement fails.
    Refuse,
}

/// What makes a row of a table the same as `NEW`, and what happens then.
///
/// `INSERT OR REPLACE` of `SQLite` removes the row that is there, and unless a connection asks for recursive triggers, it
/// removes it past the triggers that refuse DELETE. So a row that is there is found before another one takes its place.
pub(crate) type Same = (Again, &'static str);

/// What the triggers of `PostgreSQL` do. The first migration defines it.
pub(crate) const POSTGRES_FUNCTIONS: [&str; 2] = [
    "CREATE FUNCTION slipway_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP; END $$",
    "CREATE FUNCTION slipway_keep_identity() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     RAISE EXCEPTION '% keeps its identity: % never change', TG_TABLE_NAME, TG_ARGV[0]; END $$",
];

/// Rows are added, and neither changed nor removed.
pub(crate) fn append_only(backend: DbBackend, table: &str, same: &[Same]) -> Vec<String> {
    if backend == DbBackend::Postgres {
        return vec![format!(
            "CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION slipway_refuse_change()"
        )];
    }
    let mut triggers: Vec<_> = ["UPDATE", "DELETE"]
        .iter()
        .map(|verb| {
            format!(
                "CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table} \
                 BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} is refused'); END"
            )
        })
        .collect();
    let checks: Vec<_> = same
        .iter()
        .map(|(again, same)| {
            let raise = match again {
                Again::Ignore => "RAISE(IGNORE)".to_owned(),
                Again::Refuse => {
                    format!("RAISE(ABORT, '{table} is append-only: the row is there already')")
                }
            };
            format!("SELECT {raise} WHERE EXISTS (SELECT 1 FROM {table} WHERE {same});")
        })
        .collect();
    triggers.push(format!(
        "CREATE TRIGGER {table}_refuses_REPLACE BEFORE INSERT ON {table} BEGIN {} END",
        checks.join(" ")
    ));
    triggers
}

/// Rows are removed only where the condition holds, which speaks of `OLD`.
pub(crate) fn removed_only_where(backend: DbBackend, table: &str, condition: &str) -> Vec<String> {
    let refused = format!("{table} is append-only once something was done: DELETE is refused");
    if backend == DbBackend::Postgres {
        return vec![
            format!(
                "CREATE FUNCTION {table}_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF NOT ({condition}) THEN RAISE EXCEPTION '{refused}'; END IF; RETURN OLD; END $$"
            ),
            format!(
                "CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION {table}_refuse_delete()"
            ),
        ];
    }
    vec![format!(
        "CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} \
         BEGIN SELECT RAISE(ABORT, '{refused}') WHERE NOT ({condition}); END"
    )]
}

/// These columns never change.
pub(crate) fn fixed(backend: DbBackend, table: &str, columns: &str) -> String {
    if backend == DbBackend::Postgres {
        format!(
            "CREATE TRIGGER {table}_keeps_its_identity BEFORE UPDATE OF {columns} ON {table} \
             FOR EACH ROW EXECUTE FUNCTION slipway_keep_identity('{columns}')"
        )
    } else {
        format!(
            "CREATE TRIGGER {table}_keeps_its_identity BEFORE UPDATE OF {columns} ON {table} \
             BEGIN SELECT RAISE(ABORT, '{table} keeps its identity: {columns} never change'); END"
        )
    }
}

/// Every state that a deployment is given is written down, in the transaction that gives it. Whoever does that has locked
/// the deployment's row, so that two never take the same position.
pub(crate) fn transitions_written_down(backend: DbBackend) -> Vec<String> {
    let add = "INSERT INTO deployment_transition (deployment_id, position, state, at) \
               SELECT NEW.id, count(*), NEW.state, {now} \
               FROM deployment_transition WHERE deployment_id = NEW.id;";
    let moments = [
        ("added", "INSERT", "true"),
        ("moved", "UPDATE OF state", "NEW.state <> OLD.state"),
    ];
    let triggers = moments.map(|(name, moment, when)| {
        if backend == DbBackend::Postgres {
            format!(
                "CREATE TRIGGER deployment_is_{name} AFTER {moment} ON deployment FOR EACH ROW WHEN ({when}) \
                 EXECUTE FUNCTION deployment_write_transition()"
            )
        } else {
            format!(
                "CREATE TRIGGER deployment_is_{name} AFTER {moment} ON deployment WHEN {when} BEGIN {add} END"
            )
        }
    });
    let function = (backend == DbBackend::Postgres).then(|| {
        format!(
            "CREATE FUNCTION deployment_write_transition() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             {add} RETURN NULL; END $$"
        )
    });
    function
        .into_iter()
        .chain(triggers)
        .map(|statement| spell(&statement, backend))
        .collect()
}
