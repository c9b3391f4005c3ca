//! Calls that are tried again, and their answers on standard output.

use std::io::{self, Write};
use std::path::Path;

use prost::Message;
use slipway_api::deployments::v1::{Deployment, GetDeploymentRequest};
use tonic::{Response, Status};

use super::{CallArgs, json};
use crate::cli::Failure;
use crate::cli::call_error::CallError;
use crate::cli::client::Client;
use crate::cli::output::{STANDARD_STREAM, file_failure};
use crate::cli::patience::Patience;
use crate::config::Config;

/// A connection, and how answers are told.
pub(super) struct Session {
    pub(super) client: Client,
    /// The project's slug.
    pub(super) project: String,
    /// Whether the answer is told as JSON.
    pub(super) json: bool,
}

impl Session {
    pub(super) async fn open(calls: &CallArgs, config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            client: calls.client.connect(config).await?,
            project: calls.project.clone(),
            json: calls.json,
        })
    }

    /// Makes a call, again where it may succeed then: it has to bear a request id, or to change nothing.
    pub(super) async fn call<T, F>(&self, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut patience = Patience::default();
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => self.client.failed(status),
            };
            self.pause(&mut patience, error).await?;
        }
    }

    /// Waits before the next try; fails with the error where there is none.
    pub(super) async fn pause(
        &self,
        patience: &mut Patience,
        error: CallError,
    ) -> Result<(), CallError> {
        if !error.is_passing() {
            return Err(error);
        }
        let Some(pause) = patience.failed(error.pause()) else {
            return Err(error);
        };
        eprintln!(
            "slipway: {}; trying again in {}",
            error.brief(),
            humantime::format_duration(pause)
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// A deployment, by its number or id, as it is now.
    pub(super) async fn deployment(&self, name: &str) -> Result<Deployment, Failure> {
        let request = GetDeploymentRequest {
            project: self.project.clone(),
            deployment: name.to_owned(),
        };
        let answer = self
            .call(async || {
                let mut deployments = self.client.deployments();
                deployments.get_deployment(request.clone()).await
            })
            .await?;
        Ok(present(answer.deployment)?)
    }

    /// Tells an answer: the message of this type as JSON, or the words.
    pub(super) fn tell(
        &self,
        name: &str,
        message: &impl Message,
        words: &str,
    ) -> Result<(), Failure> {
        if self.json {
            print(&json::of_message(name, message)?)
        } else {
            print(&words)
        }
    }
}

/// The deployment of an answer.
pub(super) fn present(deployment: Option<Deployment>) -> Result<Deployment, &'static str> {
    deployment.ok_or("the server's answer has no deployment; is it another version?")
}

/// Writes a line or several to standard output. Whoever does not read them has the status.
pub(super) fn print(text: &impl std::fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(file_failure("written", Path::new(STANDARD_STREAM))(error).into())
        }
        _ => Ok(()),
    }
}
