//! The door that every call enters and leaves by: authentication, the rate limit, and what becomes of refusals.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use slipway_api::errors::v1::ErrorReason;
use slipway_application::audit::{self, note_refusal};
use slipway_application::authentication::{
    authenticate, authenticate_again, authenticate_certificate, authenticate_issued,
};
use slipway_application::tokens::TokenError;
use slipway_application::{Call, Context};
use slipway_audit::Resource;
use slipway_identity::{Caller, Command, TokenSecret};
use slipway_kernel::{PrincipalId, Sha256, Slug};
use tonic::{Code, Request, Response, Status};

use super::Api;
use super::certificate;
use super::refusal::Refusal;
use crate::transport::RequestId;

/// An authenticated call, between entering and leaving.
pub(super) struct Session {
    context: Arc<Context>,
    command: Command,
    caller: Arc<Caller>,
    correlation_id: String,
    /// The project that the call is about, as given; empty where it is about none.
    project: String,
}

impl Api {
    /// Authenticates the caller of a command.
    pub(super) async fn enter<T>(
        &self,
        command: Command,
        request: Request<T>,
    ) -> Result<(Session, T), Status> {
        let (metadata, extensions, message) = request.into_parts();
        let correlation_id = correlation_id(&extensions);
        let caller = self
            .authenticated(metadata.as_ref(), &extensions, &correlation_id)
            .await?;
        let session = Session {
            context: Arc::clone(&self.context),
            command,
            caller,
            correlation_id,
            project: String::new(),
        };
        Ok((session, message))
    }

    /// Passes where a known caller makes the call.
    pub(super) async fn known(&self, parts: &http::request::Parts) -> Result<(), Status> {
        let correlation_id = correlation_id(&parts.extensions);
        self.authenticated(&parts.headers, &parts.extensions, &correlation_id)
            .await
            .map(drop)
    }

    /// Passes where the headers of a call are a known caller's. [`Self::enter`] comes when the message has arrived, which
    /// is for the caller to say; strangers must not make the server wait for one, and keep what has arrived of it.
    pub(super) async fn foresee(&self, parts: &http::request::Parts) -> Result<(), Status> {
        let correlation_id = correlation_id(&parts.extensions);
        self.identified(&parts.headers, &parts.extensions, &correlation_id)
            .await
            .map(drop)
    }

    /// Who makes the call, within the rate that it may.
    async fn authenticated(
        &self,
        headers: &HeaderMap,
        extensions: &http::Extensions,
        correlation_id: &str,
    ) -> Result<Arc<Caller>, Status> {
        let caller = self.identified(headers, extensions, correlation_id).await?;
        let principal = caller.principal;
        tracing::Span::current().record("principal", tracing::field::display(principal));
        self.rate_limit
            .check(principal.uuid())
            .map_err(|status| *status)?;
        Ok(caller)
    }

    /// Who makes the call.
    async fn identified(
        &self,
        headers: &HeaderMap,
        extensions: &http::Extensions,
        correlation_id: &str,
    ) -> Result<Arc<Caller>, Status> {
        self.caller(headers, extensions, correlation_id)
            .await
            .map_err(|refusal| {
                self.metrics.unauthenticated.inc();
                refusal.into_status(correlation_id)
            })
    }

    /// Who makes the call: by the token that came with it, or else by the certificate of the connection.
    async fn caller(
        &self,
        headers: &HeaderMap,
        extensions: &http::Extensions,
        correlation_id: &str,
    ) -> Result<Arc<Caller>, Refusal> {
        let refused = |reason, message: &str| Refusal::new(Code::Unauthenticated, reason, message);
        let Some(header) = headers.get(AUTHORIZATION) else {
            let Some(shown) = certificate::shown(extensions) else {
                return Err(refused(
                    ErrorReason::TokenMissing,
                    "send a token as `authorization: Bearer <token>` metadata",
                ));
            };
            let digest = Sha256::of_bytes(&shown);
            let read = || certificate::read(&shown);
            return Ok(authenticate_certificate(&self.context, digest, read).await?);
        };
        let token = header
            .to_str()
            .ok()
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        if let Some(Ok(secret)) = token.map(str::parse::<TokenSecret>) {
            return Ok(authenticate(&self.context, &secret).await?);
        }
        // Slipway's own tokens have no dot.
        match token {
            Some(token) if token.contains('.') => {
                Ok(authenticate_issued(&self.context, token, correlation_id).await?)
            }
            _ => Err(refused(
                ErrorReason::TokenInvalid,
                "the authorization metadata is not `Bearer` and a Slipway token; check that it was copied \
                 completely",
            )),
        }
    }
}

fn correlation_id(extensions: &http::Extensions) -> String {
    extensions
        .get::<RequestId>()
        .map(|id| id.as_str().to_owned())
        .unwrap_or_default()
}

impl Session {
    /// Passes where the caller may give the command in this project, before anything else of the request is looked at.
    /// A malformed slug is left to be found with all other faults.
    pub(super) async fn admit(&mut self, project: &str) -> Result<(), Refusal> {
        project.clone_into(&mut self.project);
        if let Ok(slug) = project.parse::<Slug>() {
            self.context
                .authorise_in(&self.call(""), self.command, &slug)
                .await?;
        }
        Ok(())
    }

    /// Passes where the caller may give the command to the installation.
    pub(super) fn admit_to_installation(&self) -> Result<(), Refusal> {
        Ok(Context::authorise_installation(
            &self.call(""),
            self.command,
        )?)
    }

    /// Passes where the caller may give the command about this principal; empty is the caller. A malformed id is left to
    /// be found with all other faults.
    pub(super) async fn admit_on(&self, principal: &str) -> Result<(), Refusal> {
        let Ok(id) = principal.parse::<PrincipalId>() else {
            return Ok(());
        };
        let call = self.call("");
        let found = self.context.authorise_on(&call, self.command, id).await?;
        found
            .map(drop)
            .ok_or_else(|| TokenError::PrincipalNotFound { id }.into())
    }

    /// The call, for the use case. `request_id` is the message's field; empty where the caller gave none.
    pub(super) fn call<'a>(&'a self, request_id: &'a str) -> Call<'a> {
        Call {
            caller: &self.caller,
            correlation_id: &self.correlation_id,
            request_id: Some(request_id).filter(|id| !id.is_empty()),
        }
    }

    /// What the use cases work with.
    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Authenticates the caller again, in a call that lasts: what it may do is what it may do by now.
    pub(super) async fn renew(&mut self) -> Result<(), Refusal> {
        self.caller = authenticate_again(&self.context, &self.caller.credential).await?;
        Ok(())
    }

    /// The answer, or the refusal in the form that callers get.
    pub(super) async fn leave<T>(self, result: Result<T, Refusal>) -> Result<Response<T>, Status> {
        match result {
            Ok(answer) => Ok(Response::new(answer)),
            Err(refusal) => Err(self.refused(refusal).await),
        }
    }

    /// A refusal in the form that callers get. It is written into the audit trail first; where that fails, the caller
    /// is refused all the same.
    pub(super) async fn refused(&self, refusal: Refusal) -> Status {
        self.note(&refusal).await;
        refusal.into_status(&self.correlation_id)
    }

    /// Writes a refusal into the audit trail, if it was decided; equal ones are counted.
    pub(super) async fn note(&self, refusal: &Refusal) {
        if refusal.is_decision() {
            let project = self.project.parse::<Slug>().ok();
            let noted = audit::Refusal {
                caller: &self.caller,
                command: self.command,
                project: project.as_ref(),
                resource: refusal.resource().unwrap_or_else(|| match &project {
                    Some(slug) => Resource::new("project", slug),
                    None => Resource::new("installation", &""),
                }),
                reason: refusal.reason_name(),
                denied: refusal.is_denial(),
                correlation_id: &self.correlation_id,
            };
            if let Err(error) = note_refusal(&self.context, noted).await {
                tracing::error!(
                    correlation_id = self.correlation_id,
                    error = crate::cli::explain(&error),
                    "a refusal is not in the audit trail yet"
                );
            }
        }
    }
}

/// One unary method: enter, handle, leave. The handler is an
/// `async fn(&Api, &mut Session, Message) -> Result<Answer, Refusal>`.
macro_rules! unary {
    ($api:expr, $command:ident, $request:expr, $handler:path) => {{
        let (mut session, message) = $api
            .enter(slipway_identity::Command::$command, $request)
            .await?;
        let result = $handler($api, &mut session, message).await;
        session.leave(result).await
    }};
}
pub(super) use unary;
