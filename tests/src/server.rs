//! A real server process: started, killed, started again on the same state.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command as AsyncCommand};
use tonic::transport::{Channel, Endpoint};

use crate::backend::Database;
use crate::{Backend, Client};

/// How long a start may take. Generous, since many servers may start at once on a small machine.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a server may take to end after SIGTERM, draining included.
const STOP_LIMIT: Duration = Duration::from_secs(30);

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Says where the binary is. Cargo tells it to the test that it builds, not to this library.
pub fn use_binary(path: impl Into<PathBuf>) {
    BINARY.set(path.into()).expect("the binary is named once");
}

/// The binary under test.
pub fn binary() -> &'static Path {
    BINARY.get().expect("`use_binary` comes first")
}

/// One server with its state. Dropping it ends the process.
#[derive(Debug)]
pub struct Server {
    /// What it runs on.
    pub backend: Backend,
    settings: BTreeMap<String, String>,
    // The process ends before its state and its database go.
    process: Option<Child>,
    address: String,
    starts: u32,
    state: TempDir,
    database: Arc<Database>,
}

impl Server {
    /// A server on a new database.
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, &[]).await
    }

    /// A server on a new database, with further settings: `("SLIPWAY__LIMITS__MAX_CONNECTIONS", "7")`.
    pub async fn start_with(backend: Backend, settings: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().expect("a temporary directory");
        let database = Arc::new(backend.new_database(state.path()).await);
        Self::launch(backend, state, database, settings).await
    }

    /// A second server on the database, the contents and the repositories of this one.
    pub async fn replica(&self) -> Self {
        self.replica_with(&[]).await
    }

    /// A second server on the database and the contents of this one, with further settings.
    pub async fn replica_with(&self, settings: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().expect("a temporary directory");
        let database = Arc::clone(&self.database);
        let objects = self.state.path().join("objects").display().to_string();
        let git = self.state.path().join("git").display().to_string();
        let shared = [
            ("SLIPWAY__OBJECTS__DIRECTORY", objects.as_str()),
            ("SLIPWAY__GIT__DIRECTORY", git.as_str()),
        ];
        let settings = [settings, &shared].concat();
        Self::launch(self.backend, state, database, &settings).await
    }

    async fn launch(
        backend: Backend,
        state: TempDir,
        database: Arc<Database>,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut all = BTreeMap::from([
            (
                "SLIPWAY__STATE__DIR".to_owned(),
                state.path().display().to_string(),
            ),
            (
                "SLIPWAY__DATABASE__URL".to_owned(),
                database.url().to_owned(),
            ),
            ("SLIPWAY__LOG__FORMAT".to_owned(), "json".to_owned()),
            (
                "SLIPWAY__SERVER__LISTEN".to_owned(),
                "127.0.0.1:0".to_owned(),
            ),
            (
                "SLIPWAY__SERVER__METRICS_LISTEN".to_owned(),
                "127.0.0.1:0".to_owned(),
            ),
            (
                // A second server of a test shares what the first one has.
                "SLIPWAY__DATABASE__MAX_CONNECTIONS".to_owned(),
                "8".to_owned(),
            ),
            (
                "SLIPWAY__ENGINES__HOSTS".to_owned(),
                "[\"127.0.0.1\"]".to_owned(),
            ),
            (
                "SLIPWAY__ENGINES__SECRETS".to_owned(),
                "[\"env:STAND_IN_KEY\"]".to_owned(),
            ),
            (
                // What every stand-in for n8n takes.
                "STAND_IN_KEY".to_owned(),
                slipway_n8n_stand_in::Options::default().api_key,
            ),
            (
                "SLIPWAY__NOTIFICATIONS__ALLOW_PRIVATE".to_owned(),
                "[\"127.0.0.1\"]".to_owned(),
            ),
            (
                "SLIPWAY__NOTIFICATIONS__SECRETS".to_owned(),
                "[\"env:WEBHOOK_*\"]".to_owned(),
            ),
            (
                "WEBHOOK_SECRET".to_owned(),
                crate::receiver::SECRET.to_owned(),
            ),
        ]);
        if backend == Backend::Postgres {
            // Each may get a replica.
            for setting in [
                "SLIPWAY__CLUSTER",
                "SLIPWAY__OBJECTS__SHARED",
                "SLIPWAY__GIT__SHARED",
            ] {
                all.insert(setting.to_owned(), "true".to_owned());
            }
        }
        all.extend(
            settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let mut server = Self {
            backend,
            settings: all,
            process: None,
            address: String::new(),
            starts: 0,
            state,
            database,
        };
        server.restart().await;
        server
    }

    /// Starts the server on the state it has; a running one is killed first. Its address is another one afterwards.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.starts += 1;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut command = AsyncCommand::new(binary());
        command
            .arg("serve")
            .current_dir(self.state.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true);
        for name in std::env::vars_os().map(|(name, _)| name) {
            if name.to_string_lossy().starts_with("SLIPWAY__") {
                command.env_remove(name);
            }
        }
        command.envs(&self.settings);
        self.process = Some(command.spawn().expect("the server's process"));
        self.address = self.wait_for_address().await;
    }

    async fn wait_for_address(&mut self) -> String {
        let begun = Instant::now();
        while begun.elapsed() < START_LIMIT {
            if let Some(address) = listening_address(&self.log()) {
                return address;
            }
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("the server ended at start, {status}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "the server did not say where it listens within {START_LIMIT:?}:\n{}",
            self.log()
        );
    }

    /// What this start of the server has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The file that this start of the server logs to.
    pub fn log_file(&self) -> PathBuf {
        self.state
            .path()
            .join(format!("server-{}.log", self.starts))
    }

    /// The last lines of the log, for a failed test.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The directory of its files.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// Where it serves gRPC: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The token that the first start left for the administrator.
    pub fn admin_token(&self) -> String {
        let path = self.state.path().join("admin.token");
        let token =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        token.trim().to_owned()
    }

    /// A new connection to it.
    pub async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.address.clone()).unwrap();
        endpoint
            .connect_timeout(Duration::from_secs(10))
            .connect()
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}\n{}", self.address, self.log_tail()))
    }

    /// A caller with this token, on a connection of its own.
    pub async fn client(&self, token: Option<&str>) -> Client {
        Client::new(self.backend, self.channel().await, token)
    }

    /// The administrator of the installation, on a connection of its own.
    pub async fn admin(&self) -> Client {
        self.client(Some(&self.admin_token())).await
    }

    /// The process's id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Sends the process a signal: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().expect("a running server").to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.unwrap().success(), "SIG{name} to {pid}");
    }

    /// Ends the process at once, as `kill -9` does. It has no chance to tidy up.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            drop(process.kill().await);
        }
    }

    /// Asks the process to end, as a service manager does, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let mut process = self.process.take().expect("a running server");
        tokio::time::timeout(STOP_LIMIT, process.wait())
            .await
            .unwrap_or_else(|_| panic!("no end after SIGTERM:\n{}", self.log_tail()))
            .unwrap()
    }

    /// Runs a command of the command line against this server, as its administrator: what it printed, and how it ended.
    pub async fn command_line(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.command(&self.admin_token(), arguments);
        tokio::time::timeout(Duration::from_mins(10), command.output())
            .await
            .expect("the command ends in time")
            .unwrap()
    }

    /// A command of the command line against this server, with this token.
    pub fn command(&self, token: &str, arguments: &[&str]) -> AsyncCommand {
        let mut command = AsyncCommand::new(binary());
        command
            .args(arguments)
            .current_dir(self.state.path())
            .envs(&self.settings)
            .env("SLIPWAY_SERVER", &self.address)
            .env("SLIPWAY_TOKEN", token)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// What becomes of another server with the settings of this one, changed as said, that is expected to give up.
    pub async fn neighbour(&self, settings: &[(&str, &str)]) -> std::process::Output {
        let serving = AsyncCommand::new(binary())
            .arg("serve")
            .current_dir(self.state.path())
            .envs(&self.settings)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        tokio::time::timeout(Duration::from_mins(1), serving)
            .await
            .expect("it gives up in time")
            .unwrap()
    }

    /// A new folder of workflow documents, by file name without `.json`, where the server allows workflows to lie.
    pub fn workflows(&self, documents: &[(&str, serde_json::Value)]) -> PathBuf {
        let folder = self
            .state
            .path()
            .join("workflows")
            .join(crate::world::unique().to_string());
        fs::create_dir_all(&folder).unwrap();
        for (name, document) in documents {
            fs::write(folder.join(format!("{name}.json")), document.to_string()).unwrap();
        }
        folder
    }

    /// A file in the server's state directory, for a command to read.
    pub fn write_file(&self, name: &str, content: &[u8]) -> PathBuf {
        use std::io::Write as _;
        let path = self.state.path().join(name);
        File::create(&path).unwrap().write_all(content).unwrap();
        path
    }
}

/// The address that the log says gRPC is served on.
fn listening_address(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("gRPC is served"))?;
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("http://127.0.0.1:{port}"))
}
