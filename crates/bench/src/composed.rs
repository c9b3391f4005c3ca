//! Servers in this process, put together as the binary does it, with a part left out where a benchmark asks what it
//! costs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use slipway_api::ledger::v1 as ledger;
use slipway_application::Context;
use slipway_application::bootstrap::bootstrap;
use slipway_identity::TokenSecret;
use slipway_kernel::{Key, ProjectId, Slug, TokenId};
use slipway_server::config::Config;
use slipway_server::grpc::Api;
use slipway_server::serve::{Listening, Process, Services};
use slipway_server::system::SystemSecrets;
use slipway_server::tasks::Tasks;
use slipway_server::wiring;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::service::RoutesBuilder;
use tonic::{Response, Status};

use crate::Failure;
use crate::client::PROJECT;
use crate::database::{Backend, Database};
use crate::postgres::Postgres;
use crate::silent::Silent;

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Nothing.
    Complete,
    /// Who calls, and whether it may. `ResolveVersion` is all that is served.
    Unguarded,
    /// The audit trail.
    Unaudited,
}

/// A database with its first administrator, and the configuration of servers on it.
pub(crate) struct Composed {
    /// What they run on.
    pub(crate) database: Database,
    config: Config,
    state: TempDir,
}

impl Composed {
    /// Makes the schema and the administrator.
    pub(crate) async fn start(backend: Backend, postgres: &Postgres) -> Result<Self, Failure> {
        let state = TempDir::new()?;
        let database = match backend {
            Backend::Sqlite => Database::Sqlite(state.path().join("slipway.db")),
            Backend::Postgres => Database::Postgres(postgres.create().await?),
        };
        let file = state.path().join("slipway.toml");
        std::fs::write(
            &file,
            format!(
                "[state]\ndir = '{}'\n[database]\nurl = '{}'\n[server]\nlisten = '127.0.0.1:0'\nmetrics_listen = 'off'\n",
                state.path().display(),
                database.url()
            ),
        )?;
        let config = Config::load(Some(&file))?;
        wiring::migrate(&config).await?;
        let context = wiring::context(&config, &Process::new()).await?;
        let token = wiring::token_file(&config);
        bootstrap(&context, |secret| {
            wiring::write_private(&token, secret.reveal())
        })
        .await?;
        Ok(Self {
            database,
            config,
            state,
        })
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> Result<String, Failure> {
        let text = std::fs::read_to_string(self.state.path().join("admin.token"))?;
        Ok(text.trim().to_owned())
    }

    /// What use cases and executors work with, with connections of its own.
    pub(crate) async fn context(&self) -> Result<Arc<Context>, Failure> {
        wiring::context(&self.config, &Process::new()).await
    }

    /// Makes tokens of the administrator, by SQL directly.
    pub(crate) async fn make_tokens(&self, count: usize) -> Result<Vec<String>, Failure> {
        use slipway_identity::SecretSource;
        let process = Process::new();
        let backend = self.database.backend();
        let mut secrets = Vec::with_capacity(count);
        let mut statements = Vec::new();
        for _ in 0..count.div_ceil(500) {
            let mut rows = Vec::new();
            for _ in 0..500 {
                let id = TokenId::new(&*process.ids);
                let secret = TokenSecret::mint(id, SystemSecrets.secret());
                let digest = hexadecimal(secret.digest().as_bytes());
                let id = id.uuid().simple().to_string();
                rows.push(match backend {
                    Backend::Sqlite => format!("(x'{id}', x'{digest}')"),
                    Backend::Postgres => format!("('{id}'::uuid, '\\x{digest}'::bytea)"),
                });
                secrets.push(secret.reveal().to_owned());
            }
            statements.push(format!(
                "INSERT INTO token (id, principal_id, name, digest, created_at) \
                 SELECT n.column1, p.id, 'benchmark', n.column2, 0 FROM (VALUES {}) AS n, \
                 (SELECT id FROM principal ORDER BY created_at LIMIT 1) p",
                rows.join(", ")
            ));
        }
        self.database.fill(&statements).await?;
        Ok(secrets)
    }

    /// Serves, on an address and with connections of its own.
    pub(crate) async fn serve(&self, variant: Variant) -> Result<Serving, Failure> {
        let process = Process::new();
        let listening = Listening::bind(&self.config).await?;
        let address = listening.address()?;
        let mut context = wiring::context(&self.config, &process).await?;
        if variant == Variant::Unaudited {
            context = Arc::new(Context::new(
                Arc::new(Silent(Arc::clone(&context.store))),
                Arc::clone(&context.objects),
                Arc::clone(&context.clock),
                Arc::clone(&context.ids),
                Arc::clone(&context.secrets),
            ));
        }
        let routes = if variant == Variant::Unguarded {
            let slug: Slug = PROJECT.parse()?;
            let project = context
                .reader()
                .project(&slug)
                .await?
                .ok_or("the first project is missing")?;
            let mut routes = RoutesBuilder::default();
            routes.add_service(Unguarded {
                context: Arc::clone(&context),
                project: project.id,
            });
            routes
        } else {
            Api::new(Arc::clone(&context), &process, &self.config.limits)
                .services(&self.config.limits)
        };
        let services = Services {
            routes,
            descriptor_sets: vec![slipway_api::FILE_DESCRIPTOR_SET],
            ..Services::default()
        };
        let (stop, stopped) = oneshot::channel();
        let config = self.config.clone();
        let task = tokio::spawn(async move {
            let tasks = Tasks::start(context, &process, &config);
            let served = listening
                .serve(
                    &config,
                    &process,
                    services,
                    async move { drop(stopped.await) },
                )
                .await;
            process.shutdown.begin();
            tasks.finish().await;
            Ok(served?)
        });
        Ok(Serving {
            address,
            stop,
            task,
        })
    }

    /// Drops the database where that would stay.
    pub(crate) async fn end(self, postgres: &Postgres) -> Result<(), Failure> {
        match &self.database {
            Database::Postgres(url) => postgres.drop_database(url).await,
            Database::Sqlite(_) => Ok(()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A server that runs.
pub(crate) struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Failure>>,
}

impl Serving {
    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Drains it; its callers must be gone.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        drop(self.stop);
        self.task.await?
    }
}

/// `ResolveVersion` for everybody: the names are parsed, the same query runs, the same answer is sent.
#[derive(Clone)]
struct Unguarded {
    context: Arc<Context>,
    project: ProjectId,
}

impl NamedService for Unguarded {
    const NAME: &'static str = "slipway.ledger.v1.LedgerService";
}

impl tower::Service<http::Request<Body>> for Unguarded {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let resolve = Resolve(self.clone());
        Box::pin(async move {
            let codec = tonic_prost::ProstCodec::default();
            Ok(Grpc::new(codec).unary(resolve, request).await)
        })
    }
}

struct Resolve(Unguarded);

impl UnaryService<ledger::ResolveVersionRequest> for Resolve {
    type Response = ledger::ResolveVersionResponse;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<ledger::ResolveVersionRequest>) -> Self::Future {
        let Unguarded { context, project } = self.0.clone();
        Box::pin(async move {
            let message = request.into_inner();
            let refused =
                |error: &dyn std::fmt::Display| Status::invalid_argument(error.to_string());
            let _: Slug = message.project.parse().map_err(|error| refused(&error))?;
            let environment: Slug = message
                .environment
                .parse()
                .map_err(|error| refused(&error))?;
            let application: Key = message
                .application
                .parse()
                .map_err(|error| refused(&error))?;
            let resolved = context
                .reader()
                .resolve(project, &application, &environment)
                .await;
            let version = resolved
                .map_err(|error| Status::internal(error.to_string()))?
                .ok_or_else(|| Status::not_found("nothing is deployed there"))?;
            let (seconds, nanos) = version.deployed_at.seconds_and_nanos();
            Ok(Response::new(ledger::ResolveVersionResponse {
                unchanged: false,
                etag: version.record.uuid().simple().to_string(),
                version: version.identifier.into(),
                digest: version
                    .digest
                    .map(|digest| format!("{digest:?}"))
                    .unwrap_or_default(),
                record_id: version.record.to_string(),
                deployed_time: Some(prost_types::Timestamp { seconds, nanos }),
                content_type: version.media_type.map(String::from).unwrap_or_default(),
                content: None,
            }))
        })
    }
}
