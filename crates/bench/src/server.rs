//! The real server: the binary `slipway` of the release build, as a process of its own.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::Failure;
use crate::client::Callers;
use crate::database::{Backend, Database};
use crate::postgres::Postgres;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The binary: built by the cargo that runs this, else beside this binary.
///
/// Both packages are named so that cargo builds with the same features as it built this with, and so links only.
pub(crate) async fn binary() -> Result<PathBuf, Failure> {
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--package",
            "slipway-server",
            "--package",
            "slipway-bench",
            "--bins",
        ]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if !build.status().await?.success() {
            return Err("the server can't be built".into());
        }
    }
    let this = std::env::current_exe()?;
    let binary = this.with_file_name("slipway");
    if binary.exists() {
        return Ok(binary);
    }
    Err(format!(
        "no server at {}: cargo build --release --package slipway-server",
        binary.display()
    )
    .into())
}

/// A running server and its state. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it runs on.
    pub(crate) database: Database,
    // The process ends before its state goes.
    child: Child,
    binary: PathBuf,
    settings: Vec<(String, String)>,
    state: TempDir,
}

impl Server {
    /// Starts on a new database, with the logs that a server has unless told otherwise, into a file. `settings` are
    /// variables of its environment.
    pub(crate) async fn start(
        binary: &Path,
        backend: Backend,
        postgres: &Postgres,
        settings: Vec<(String, String)>,
    ) -> Result<Self, Failure> {
        let state = TempDir::new()?;
        let database = match backend {
            Backend::Sqlite => Database::Sqlite(state.path().join("slipway.db")),
            Backend::Postgres => Database::Postgres(postgres.create().await?),
        };
        let address = free_address()?;
        let child = spawn(binary, state.path(), &database, address, &settings)?;
        let mut server = Self {
            address,
            database,
            child,
            binary: binary.to_owned(),
            settings,
            state,
        };
        server.answers().await?;
        Ok(server)
    }

    /// Starts a stopped one on the state it left, and does not wait for it.
    pub(crate) fn start_again(&mut self) -> Result<(), Failure> {
        self.address = free_address()?;
        self.child = spawn(
            &self.binary,
            self.state.path(),
            &self.database,
            self.address,
            &self.settings,
        )?;
        Ok(())
    }

    /// Waits for the first answer to a call with the administrator's token.
    pub(crate) async fn answers(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended with {status}: {}", self.log_tail()).into());
            }
            let Err(error) = self.ask().await else {
                return Ok(());
            };
            if begin.elapsed() > PATIENCE {
                return Err(format!(
                    "no answer within {PATIENCE:?}: {error}; {}",
                    self.log_tail()
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn ask(&self) -> Result<(), Failure> {
        use slipway_api::identity::v1::{
            WhoAmIRequest, identity_service_client::IdentityServiceClient,
        };
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", self.address))?;
        let channel = endpoint.connect().await?;
        let mut request = tonic::Request::new(WhoAmIRequest::default());
        let token = crate::client::bearer(&self.token()?)?;
        request.metadata_mut().insert("authorization", token);
        IdentityServiceClient::new(channel)
            .who_am_i(request)
            .await?;
        Ok(())
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        let text = std::fs::read_to_string(self.state.path().join("admin.token"))?;
        Ok(text.trim().to_owned())
    }

    /// Callers over so many connections.
    pub(crate) async fn callers(&self, connections: usize) -> Result<Callers, Failure> {
        Callers::connect(&self.address.to_string(), &self.token()?, connections).await
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> Result<u32, Failure> {
        self.child.id().ok_or_else(|| "the server has ended".into())
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        Ok(kibibytes.ok_or("/proc/PID/status has no VmRSS")? * 1024)
    }

    /// How long it was on a processor so far, in seconds: a measure that other work on the machine leaves alone.
    pub(crate) fn processor_seconds(&self) -> Result<f64, Failure> {
        /// Linux counts in hundredths of a second, whatever its own clock ticks in.
        const PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        // Behind the name in parentheses, which may hold anything; user and system time are fields 14 and 15.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
        let times = fields
            .into_iter()
            .flat_map(|fields| fields.split_whitespace().skip(11).take(2));
        let ticks: Result<Vec<f64>, _> = times.map(str::parse).collect();
        Ok(ticks?.iter().sum::<f64>() / PER_SECOND)
    }

    /// Where its files lie.
    pub(crate) fn directory(&self) -> &Path {
        self.state.path()
    }

    /// Ends the process as an operator would, and waits for it.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }

    /// Stops it, and drops its database where that would stay. Errors in its log fail the run.
    pub(crate) async fn end(mut self, postgres: &Postgres) -> Result<(), Failure> {
        self.stop().await?;
        if let Some(error) = self.first_error() {
            return Err(format!("the server logged {error}").into());
        }
        match &self.database {
            Database::Postgres(url) => postgres.drop_database(url).await,
            Database::Sqlite(_) => Ok(()),
        }
    }

    fn first_error(&self) -> Option<String> {
        let log = std::fs::read_to_string(self.state.path().join("log")).ok()?;
        log.lines()
            .find(|line| line.contains("\"level\":\"ERROR\""))
            .map(str::to_owned)
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.state.path().join("log")).unwrap_or_default();
        log.lines().rev().take(3).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    /// A benchmark that failed never ended its server, whose log goes with it.
    fn drop(&mut self) {
        if let Some(error) = self.first_error() {
            eprintln!("bench: the server logged {error}");
        }
    }
}

fn spawn(
    binary: &Path,
    state: &Path,
    database: &Database,
    address: SocketAddr,
    settings: &[(String, String)],
) -> Result<Child, Failure> {
    let log = std::fs::File::create(state.join("log"))?;
    let mut command = Command::new(binary);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| is_setting(name)) {
        command.env_remove(name);
    }
    command
        .arg("serve")
        .current_dir(state)
        .env("SLIPWAY__STATE__DIR", state)
        .env("SLIPWAY__DATABASE__URL", database.url())
        .env("SLIPWAY__SERVER__LISTEN", address.to_string())
        .env("SLIPWAY__SERVER__METRICS_LISTEN", "off")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

fn is_setting(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("SLIPWAY_")
}

/// An address on which nobody listens just now.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
