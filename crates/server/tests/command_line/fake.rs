//! A ledger in memory that keeps to the contract of imports and lists, and can be killed in the middle of one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::Stream;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::import_deployments_request::Message;
use slipway_api::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use slipway_api::ledger::v1::*;
use slipway_server::transport::refusal;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};

pub(crate) const TOKEN: &str = "secret";

/// What survives a killed server.
#[derive(Default)]
pub(crate) struct Memory {
    /// In the order of recording.
    pub(crate) records: Vec<DeploymentReport>,
    known: BTreeSet<String>,
    /// The number of the first line of each stream.
    pub(crate) first_lines: Vec<i64>,
    /// After so many batches the next one is committed and never answered.
    fails_after: Option<(usize, Sender<()>)>,
}

/// A server on its own runtime, so that it can be killed whole.
pub(crate) struct Fake {
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), Arc::default())
    }

    fn on(address: SocketAddr, memory: Arc<Mutex<Memory>>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(bind(address));
        let address = listener.local_addr().unwrap();
        let service = LedgerServiceServer::new(Ledger(memory.clone()));
        let server = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        runtime.spawn(server);
        Self {
            memory,
            address,
            runtime: Some(runtime),
        }
    }

    /// Tells when so many batches are answered, and the one after them is committed without an answer.
    pub(crate) fn fail_after(&self, batches: usize) -> Receiver<()> {
        let (sender, receiver) = channel();
        self.memory.lock().unwrap().fails_after = Some((batches, sender));
        receiver
    }

    /// Kills the server and starts another one on the same address with the same memory.
    pub(crate) fn restart(mut self) -> Self {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        Self::on(self.address, self.memory.clone())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Ledger(Arc<Mutex<Memory>>);

impl Memory {
    /// Commits a batch; versions named `refused` are refused.
    fn commit(&mut self, batch: ImportBatch) -> ImportDeploymentsResponse {
        let mut answer = ImportDeploymentsResponse::default();
        for line in batch.lines {
            answer.committed_through_line = line.line;
            let report = line.report.unwrap();
            if report.version == "refused" {
                answer.errors.push(LineError {
                    line: line.line,
                    reason: ErrorReason::VersionDeprecated.into(),
                    message: "the version is deprecated".to_owned(),
                });
            } else if self.known.insert(format!("{report:?}")) {
                answer.recorded_count += 1;
                self.records.push(report);
            } else {
                answer.already_present_count += 1;
            }
        }
        answer
    }

    /// Whether this batch is the one that is never answered.
    fn fails(&mut self) -> Option<Sender<()>> {
        match &mut self.fails_after {
            Some((0, _)) => self.fails_after.take().map(|(_, sender)| sender),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }
}

fn authenticate<T>(request: &Request<T>) -> Result<(), Status> {
    let expected = format!("Bearer {TOKEN}");
    match request.metadata().get("authorization") {
        Some(token) if token.as_bytes() == expected.as_bytes() => Ok(()),
        _ => Err(refusal(
            Code::Unauthenticated,
            ErrorReason::TokenInvalid,
            "the token is unknown",
        )),
    }
}

fn in_project(project: &str) -> Result<(), Status> {
    match project {
        "default" => Ok(()),
        _ => Err(refusal(
            Code::NotFound,
            ErrorReason::ProjectNotFound,
            format!("there is no project `{project}`"),
        )),
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl LedgerService for Ledger {
    type ImportDeploymentsStream = Answers<ImportDeploymentsResponse>;
    type WatchCurrentStateStream = Answers<WatchCurrentStateResponse>;

    async fn import_deployments(
        &self,
        request: Request<Streaming<ImportDeploymentsRequest>>,
    ) -> Result<Response<Self::ImportDeploymentsStream>, Status> {
        authenticate(&request)?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|first| first.message);
        let Some(Message::Header(header)) = first else {
            return Err(Status::invalid_argument("the header is missing"));
        };
        in_project(&header.project)?;
        let memory = self.0.clone();
        let (answers, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let mut last = 0;
            while let Ok(Some(message)) = requests.message().await {
                let Some(Message::Batch(batch)) = message.message else {
                    let status = Status::invalid_argument("a batch is expected");
                    let _ = answers.send(Err(status)).await;
                    return;
                };
                let (failing, answer) = {
                    let mut memory = memory.lock().unwrap();
                    if last == 0 {
                        memory.first_lines.push(batch.lines[0].line);
                    }
                    for line in &batch.lines {
                        assert!(line.line > last, "line numbers rise");
                        last = line.line;
                    }
                    (memory.fails(), memory.commit(batch))
                };
                if let Some(failing) = failing {
                    failing.send(()).unwrap();
                    std::future::pending::<()>().await;
                }
                if answers.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    /// Pages of three, newest first.
    async fn list_deployment_records(
        &self,
        request: Request<ListDeploymentRecordsRequest>,
    ) -> Result<Response<ListDeploymentRecordsResponse>, Status> {
        authenticate(&request)?;
        let request = request.into_inner();
        in_project(&request.project)?;
        let start: usize = request.page_token.parse().unwrap_or_default();
        let mut records: Vec<_> = (0_i64..)
            .zip(self.0.lock().unwrap().records.clone())
            .map(|(sequence, report)| DeploymentRecord {
                sequence,
                application: report.application,
                version: report.version,
                environment: report.environment,
                deployed_time: report.deployed_time,
                kind: report.kind,
                deployed_by: report.deployed_by,
                risk_level: report.risk_level,
                notes: report.notes,
                attributes: report.attributes,
                external_id: report.external_id,
                ..DeploymentRecord::default()
            })
            .collect();
        records.sort_by_key(|record| {
            let time = record.deployed_time.unwrap();
            std::cmp::Reverse((time.seconds, time.nanos, record.sequence))
        });
        let more = records.len() > start + 3;
        let page = records.into_iter().skip(start).take(3).collect();
        Ok(Response::new(ListDeploymentRecordsResponse {
            records: page,
            next_page_token: if more {
                (start + 3).to_string()
            } else {
                String::new()
            },
        }))
    }

    async fn record_deployment(
        &self,
        _: Request<RecordDeploymentRequest>,
    ) -> Result<Response<RecordDeploymentResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_deployment_record(
        &self,
        _: Request<GetDeploymentRecordRequest>,
    ) -> Result<Response<GetDeploymentRecordResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn retract_deployment_record(
        &self,
        _: Request<RetractDeploymentRecordRequest>,
    ) -> Result<Response<RetractDeploymentRecordResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_current_state(
        &self,
        _: Request<GetCurrentStateRequest>,
    ) -> Result<Response<GetCurrentStateResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn list_current_state(
        &self,
        _: Request<ListCurrentStateRequest>,
    ) -> Result<Response<ListCurrentStateResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn compare_environments(
        &self,
        _: Request<CompareEnvironmentsRequest>,
    ) -> Result<Response<CompareEnvironmentsResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn watch_current_state(
        &self,
        _: Request<WatchCurrentStateRequest>,
    ) -> Result<Response<Self::WatchCurrentStateStream>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn resolve_version(
        &self,
        _: Request<ResolveVersionRequest>,
    ) -> Result<Response<ResolveVersionResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_statistics(
        &self,
        _: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

/// The address may be taken for a moment: a client that tried to reach it while nobody listened can have been given its
/// port.
async fn bind(address: SocketAddr) -> TcpListener {
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    TcpListener::bind(address).await.unwrap()
}
