//! The binary itself: how it starts, and what signals do to it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures_util::stream;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// A running `slipway`, killed when a test ends early.
struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
    _directory: tempfile::TempDir,
}

impl Process {
    /// Starts on free ports with these settings beside.
    fn start(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_slipway"))
            .current_dir(directory.path())
            .env("SLIPWAY__SERVER__LISTEN", "127.0.0.1:0")
            .env("SLIPWAY__SERVER__METRICS_LISTEN", "off")
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            log,
            _directory: directory,
        }
    }

    /// The first line of the log that contains `words`.
    fn line(&mut self, words: &str) -> String {
        for line in self.log.by_ref().lines() {
            let line = line.unwrap();
            if line.contains(words) {
                return line;
            }
        }
        panic!("the log ended without `{words}`");
    }

    async fn channel(&mut self) -> Channel {
        let line = self.line("gRPC is served");
        let address = line.split("127.0.0.1:").nth(1).unwrap();
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        Endpoint::from_shared(format!("http://127.0.0.1:{port}"))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the process still runs");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A unary call whose message never comes.
async fn hang(channel: Channel) -> Result<(), tonic::Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client
        .ready()
        .await
        .map_err(|error| tonic::Status::unknown(error.to_string()))?;
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    let request = tonic::Request::new(stream::pending::<HealthCheckRequest>());
    client
        .client_streaming(request, path, codec)
        .await
        .map(drop)
}

// The client has to answer while the test waits.
#[tokio::test(flavor = "multi_thread")]
async fn one_signal_drains_and_a_second_ends_at_once() {
    let mut process = Process::start(&[("SLIPWAY__SERVER__DRAIN_TIMEOUT", "60s")]);
    let channel = process.channel().await;
    let call = tokio::spawn(hang(channel));
    tokio::time::sleep(Duration::from_millis(200)).await;

    process.terminate();
    process.line("calls in flight may end");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        process.child.try_wait().unwrap().is_none(),
        "a call is in flight"
    );

    process.terminate();
    assert_eq!(process.wait().code(), Some(130));
    assert!(call.await.unwrap().is_err());
}

// The client has to answer while the test waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_stops_at_once_and_cleanly() {
    let mut process = Process::start(&[]);
    let _channel = process.channel().await;
    let began = Instant::now();
    process.terminate();
    assert!(process.wait().success());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_refused_configuration_is_told_and_ends_the_process() {
    let mut process = Process::start(&[("SLIPWAY__LIMITS__MAX_CONECTIONS", "1")]);
    let line = process.line("did you mean");
    assert!(line.contains("`limits.max_connections`"), "{line}");
    assert_eq!(process.wait().code(), Some(1));
}
