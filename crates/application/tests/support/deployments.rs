//! Reporting deployments, and tampering with what was written.

use slipway_application::ledger::{
    CreateMissing, RecordDeployment, Report, RetractRecord, record_deployment,
    retract_deployment_record,
};
use slipway_kernel::{ApplicationKind, Attributes, RecordId, Tier, Timestamp, text::Notes};
use slipway_ledger::RecordKind;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::{Installation, by, key, slug};

/// The test clock's first moment and so many seconds, in the project's history.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_767_225_600 + seconds) * 1_000_000).expect("in range")
}

/// A deployment of the application's version to the environment.
pub fn report(application: &str, version: &str, environment: &str) -> Report {
    Report {
        application: key(application),
        version: key(version),
        environment: slug(environment),
        deployed_at: None,
        kind: RecordKind::Deployed,
        deployed_by: None,
        risk: None,
        notes: Notes::default(),
        attributes: Attributes::default(),
        external_id: None,
    }
}

/// May create whatever is missing.
pub fn everything() -> CreateMissing {
    CreateMissing {
        applications: Some(ApplicationKind::Service),
        versions: true,
        environments: Some(Tier::Development),
    }
}

impl Installation {
    /// Reports into the project `default`, as its administrator, and creates what is missing.
    pub async fn deploy(&self, report: Report) -> RecordId {
        let command = RecordDeployment {
            project: slug("default"),
            report,
            create_missing: everything(),
            validate_only: false,
        };
        record_deployment(&self.context, &by(&self.admin), command)
            .await
            .expect("recorded")
            .record
            .id
    }

    /// Takes a record back.
    pub async fn retract(&self, record: RecordId) {
        retract_deployment_record(&self.context, &by(&self.admin), retraction(record))
            .await
            .expect("retracted");
    }

    /// Runs statements on the database behind everybody's back, with no trigger in the way.
    pub async fn tamper(&self, sql: &'static str) {
        let options = SqliteConnectOptions::new()
            .filename(self.directory.path().join("state.db"))
            .foreign_keys(false)
            .pragma("ignore_check_constraints", "ON");
        let mut connection = options.connect().await.expect("opened");
        let triggers: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                .fetch_all(&mut connection)
                .await
                .expect("read");
        for trigger in triggers {
            let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
            sqlx::query(drop)
                .execute(&mut connection)
                .await
                .expect("dropped");
        }
        let changed = sqlx::query(sql)
            .execute(&mut connection)
            .await
            .expect("changed");
        assert!(changed.rows_affected() > 0, "{sql}");
        connection.close().await.expect("closed");
    }
}

/// A record to take back.
pub fn retraction(record: RecordId) -> RetractRecord {
    RetractRecord {
        project: slug("default"),
        record,
        reason: "reported for the wrong environment"
            .to_owned()
            .try_into()
            .expect("a reason"),
    }
}
