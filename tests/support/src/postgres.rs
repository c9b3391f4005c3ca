//! A `PostgreSQL` for tests: the one that `SLIPWAY_TEST_POSTGRES_URL` names, else a throw-away cluster that this process
//! starts and that ends with it, however it ends.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};

/// A database of a test's own, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

/// An empty database; `None`, and a line that says why, where there is no `PostgreSQL`.
///
/// # Panics
///
/// Where a `PostgreSQL` is there and does not work, and with `SLIPWAY_TEST_REQUIRE=all` where there is none.
pub async fn database() -> Option<TestDatabase> {
    Some(create(server()?, "").await)
}

async fn create(server: &str, template: &str) -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("slipway_test_{}_{number}", std::process::id());
    let created = run(server, &format!("CREATE DATABASE {name} {template}")).await;
    assert!(created.is_ok(), "can't create {name}: {created:?}");
    TestDatabase {
        url: with_database(server, &name),
        name,
    }
}

impl TestDatabase {
    /// Where it is, as `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Another database with the same in it. Nobody may be connected to this one.
    ///
    /// # Panics
    ///
    /// Where somebody is.
    #[expect(
        clippy::expect_used,
        reason = "a database was made on the server before"
    )]
    pub async fn copy(&self) -> Self {
        let server = server().expect("a server");
        create(server, &format!("TEMPLATE {}", self.name)).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(server) = server() else { return };
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread of its own, because this one runs the test's runtime. What fails here is left for the cluster's end.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.is_ok_and(|runtime| runtime.block_on(run(server, &drop_it)).is_ok())
        });
        drop(dropped.join());
    }
}

async fn run(server: &str, statement: &str) -> Result<(), sqlx::Error> {
    let options: PgConnectOptions = server.parse()?;
    let mut connection = options.disable_statement_logging().connect().await?;
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// The URL with another database in it.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let authority = address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    format!("{authority}/{name}?{parameters}")
}

/// The server's URL. One server per process.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<(String, Option<Cluster>)>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("SLIPWAY_TEST_POSTGRES_URL") {
            return Some((url, None));
        }
        let Some(binaries) = binaries() else {
            crate::skip(
                "no PostgreSQL: SLIPWAY_TEST_POSTGRES_URL is not set, and there is no initdb in PATH or under \
                 /usr/lib/postgresql",
            );
            return None;
        };
        let cluster = Cluster::start(&binaries);
        Some((cluster.url.clone(), Some(cluster)))
    });
    server.as_ref().map(|(url, _)| url.as_str())
}

/// The directory of the newest `PostgreSQL`'s programs.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let mut installed: Vec<_> = versions.filter(|bin| bin.join("initdb").exists()).collect();
    installed.sort();
    installed.pop().or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|bin| bin.join("initdb").exists())
    })
}

/// Runs the cluster until its standard input ends, which it does when this process ends, even where that is killed.
///
/// The locale sorts unlike bytes where the server can, so that a missing COLLATE shows. Durability is off: what these
/// tests prove does not need it.
const SCRIPT: &str = r#"
bin=$1
# Where this process's parent is gone already, writing to it must not end the script before its trap.
trap '' PIPE
trap 'exit 1' HUP INT TERM
dir=$(mktemp -d /tmp/slipway-postgres.XXXXXX) || exit 1
trap '"$bin/pg_ctl" stop -D "$dir/data" -m immediate -w; rm -rf "$dir"' EXIT
init() { "$bin/initdb" -D "$dir/data" --username=postgres --auth=trust --encoding=UTF8 --no-sync "$@" > "$dir/log"; }
init --locale=C.UTF-8 --locale-provider=icu --icu-locale=en || { rm -rf "$dir/data"; init --locale=C.UTF-8; } || exit 1
"$bin/pg_ctl" start -D "$dir/data" -l "$dir/log" -w -o "-c listen_addresses='' -c unix_socket_directories=$dir \
  -c fsync=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB" > /dev/null < /dev/null || exit 1
echo "$dir"
read -r end_of_input
"#;

#[derive(Debug)]
struct Cluster {
    url: String,
    /// Holds the pipe whose end ends the cluster.
    _keeper: Child,
}

impl Cluster {
    fn start(binaries: &Path) -> Self {
        let mut command = if is_root() {
            // initdb refuses root.
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command
            .args(["-c", SCRIPT, "sh"])
            .arg(binaries)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the tests; the cluster ends after them.
            .process_group(0);
        let mut keeper = start(&mut command);
        let mut directory = String::new();
        let read = keeper
            .stdout
            .take()
            .map(|output| BufReader::new(output).read_line(&mut directory));
        let directory = directory.trim();
        assert!(
            matches!(read, Some(Ok(_))) && !directory.is_empty(),
            "the PostgreSQL cluster did not start; try {} by hand",
            binaries.join("initdb").display()
        );
        Self {
            url: format!("postgres://postgres@localhost/postgres?host={directory}"),
            _keeper: keeper,
        }
    }
}

#[expect(clippy::panic, reason = "tests fail where their PostgreSQL does")]
fn start(command: &mut Command) -> Child {
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("can't start a PostgreSQL cluster with {command:?}: {error}"),
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|of_this_process| {
        use std::os::unix::fs::MetadataExt;
        of_this_process.uid() == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_replaced_and_the_rest_kept() {
        assert_eq!(
            with_database("postgres://u:p@h:5/postgres?sslmode=disable", "x"),
            "postgres://u:p@h:5/x?sslmode=disable"
        );
        assert_eq!(with_database("postgres://h", "x"), "postgres://h/x?");
    }

    #[tokio::test]
    async fn a_database_answers_and_goes() {
        let Some(database) = database().await else {
            return;
        };
        let url = database.url().to_owned();
        run(&url, "CREATE TABLE thing (id INT)")
            .await
            .expect("a fresh database");
        drop(database);
        assert!(run(&url, "SELECT 1").await.is_err());
    }
}
