//! Why a call was refused, in the words of `slipway.errors.v1`: one match per error of the use cases, and no `_` in any.

use std::fmt::Display;
use std::time::Duration;

use slipway_api::errors::v1::ErrorReason;
use slipway_application::CommandError;
use slipway_application::audit::AuditError;
use slipway_application::authentication::AuthenticationError;
use slipway_application::ledger::{LedgerError, TimeAhead, TimesAhead, WatchError};
use slipway_application::projects::ProjectError;
use slipway_audit::Resource;
use slipway_identity::{Denied, NotVerified};
use slipway_kernel::StoreError;
use slipway_kernel::object::ObjectError;
use slipway_kernel::revision::EtagMismatch;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::cli::explain;
use crate::transport::ERROR_DOMAIN;

/// How much is said about faulty fields, in bytes. A status travels in headers, of which many clients take 16 KiB, and
/// these words stand in it twice, escaped and in base64.
const MAX_WORDS: usize = 2_048;

/// How much of a list of names stands beside a reason, in bytes.
const MAX_NAMES: usize = 1_024;

/// A refusal on its way to the caller.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The gRPC code.
    pub(super) code: Code,
    /// The reason.
    pub(super) reason: ErrorReason,
    /// For people.
    pub(super) message: String,
    details: Box<Details>,
}

/// What stands beside the reason. Boxed, so that a refusal stays small on its way up.
#[derive(Debug, Default)]
struct Details {
    metadata: Vec<(&'static str, String)>,
    violations: Vec<(String, String)>,
    unmet: Vec<Unmet>,
    resource: Option<(&'static str, String)>,
    retry_after: Option<Duration>,
    /// What went wrong inside, for the log only.
    fault: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What has to hold and does not.
#[derive(Debug)]
pub(super) struct Unmet {
    /// A word for programs.
    pub(super) reason: &'static str,
    /// What it is about; empty where it is about all of it.
    pub(super) subject: String,
    /// For people.
    pub(super) message: String,
}

impl Refusal {
    /// A refusal with nothing beside its reason. Of a message that is too long for headers the end is missing.
    pub(super) fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_WORDS {
            message.truncate(message.floor_char_boundary(MAX_WORDS));
            message.push('…');
        }
        Self::whole(code, reason, message)
    }

    fn whole(code: Code, reason: ErrorReason, message: String) -> Self {
        Self {
            code,
            reason,
            message,
            details: Box::default(),
        }
    }

    /// A message with faulty fields: all of them, each with what is allowed. Of very many the last are only counted.
    pub(super) fn fields(mut violations: Vec<(String, String)>) -> Self {
        let mut room = MAX_WORDS;
        let fitting = violations
            .iter()
            .take_while(|(field, what)| {
                let length = field.len() + what.len();
                room.checked_sub(length)
                    .inspect(|left| room = *left)
                    .is_some()
            })
            .count()
            .max(1);
        if let Some((field, _)) = violations.get(fitting).cloned() {
            let more = violations.len() - fitting;
            violations.truncate(fitting);
            violations.push((field, format!("is one of {more} further faulty fields")));
        }
        let words: Vec<_> = violations
            .iter()
            .map(|(field, what)| format!("{field}: {what}"))
            .collect();
        let message = format!("the request is not valid: {}", words.join("; "));
        let mut refusal = Self::whole(Code::InvalidArgument, ErrorReason::InvalidField, message);
        refusal.details.violations = violations;
        refusal
    }

    /// About this resource.
    pub(super) fn about(mut self, kind: &'static str, name: impl Display) -> Self {
        self.details.resource = Some((kind, format!("{name}")));
        self
    }

    /// Caused by this field.
    pub(super) fn field(mut self, field: &str) -> Self {
        self.details
            .violations
            .push((field.to_owned(), self.message.clone()));
        self
    }

    /// With this beside the reason.
    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.details.metadata.push((key, value.into()));
        self
    }

    /// With these names beside the reason, as many of them as fit.
    pub(super) fn with_names<'a>(
        self,
        key: &'static str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut listed = String::new();
        for (place, name) in names.into_iter().enumerate() {
            if listed.len() + name.len() >= MAX_NAMES {
                break;
            }
            if place > 0 {
                listed.push(',');
            }
            listed.push_str(name);
        }
        self.with(key, listed)
    }

    /// Because none of this holds: as many of it as fit, and how many it is in the metadata `count`.
    pub(super) fn unmet(mut self, unmet: impl IntoIterator<Item = Unmet>) -> Self {
        let mut room = MAX_WORDS;
        let mut count = 0_usize;
        for unmet in unmet {
            count += 1;
            let length = unmet.reason.len() + unmet.subject.len() + unmet.message.len();
            if let Some(left) = room.checked_sub(length) {
                room = left;
                self.details.unmet.push(unmet);
            } else {
                room = 0;
            }
        }
        self.with("count", count.to_string())
    }

    /// To be tried again after this time.
    pub(super) fn retry_after(mut self, delay: Duration) -> Self {
        self.details.retry_after = Some(delay);
        self
    }

    /// A fault of ours: the caller gets a name to tell the operator, the log gets the rest.
    pub(super) fn internal(fault: impl std::error::Error + Send + Sync + 'static) -> Self {
        let message = "the server could not carry this out; tell the operator the correlation_id";
        let mut refusal = Self::new(Code::Internal, ErrorReason::Internal, message);
        refusal.details.fault = Some(Box::new(fault));
        refusal
    }

    /// The reason's name without the enum's prefix, as `google.rpc.ErrorInfo` bears it.
    pub(super) fn reason_name(&self) -> &'static str {
        let name = self.reason.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }

    /// What it is about, where it says so.
    pub(super) fn resource(&self) -> Option<Resource> {
        let (kind, name) = self.details.resource.as_ref()?;
        Some(Resource::new(kind, name))
    }

    /// Whether it was decided. What merely went wrong, here or at the same time as something else, was not.
    pub(super) fn is_decision(&self) -> bool {
        self.details.fault.is_none()
            && !matches!(
                self.reason,
                ErrorReason::StoreConflict
                    | ErrorReason::ShuttingDown
                    | ErrorReason::EngineUnavailable
                    | ErrorReason::EngineRefused
            )
    }

    /// Whether the caller may not, or may not even know whether there is such a thing.
    pub(super) fn is_denial(&self) -> bool {
        matches!(
            self.reason,
            ErrorReason::PermissionMissing
                | ErrorReason::ProjectNotFound
                | ErrorReason::PrincipalNotFound
                | ErrorReason::TokenNotFound
        )
    }

    /// The status that the caller gets.
    pub(super) fn into_status(self, correlation_id: &str) -> Status {
        let reason = self.reason_name();
        let mut metadata: std::collections::HashMap<String, String> = self
            .details
            .metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        if let Some(fault) = &self.details.fault {
            tracing::error!(
                correlation_id,
                fault = explain(&**fault),
                "{reason}: {}",
                self.message
            );
            metadata.insert("correlation_id".to_owned(), correlation_id.to_owned());
        }
        if let Some((kind, name)) = &self.details.resource {
            metadata.insert("resource".to_owned(), format!("{kind} {name}"));
        }
        if let Some((field, _)) = self.details.violations.first() {
            metadata.insert("field".to_owned(), field.clone());
        }
        let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
        for (field, description) in self.details.violations {
            details.add_bad_request_violation(field, description);
        }
        if self.code == Code::FailedPrecondition {
            let subject = self
                .details
                .resource
                .as_ref()
                .map_or(String::new(), |(kind, name)| format!("{kind} {name}"));
            if self.details.unmet.is_empty() {
                details.add_precondition_failure_violation(reason, subject, self.message.clone());
            }
            for unmet in self.details.unmet {
                details.add_precondition_failure_violation(
                    unmet.reason,
                    unmet.subject,
                    unmet.message,
                );
            }
        }
        if let Some(delay) = self.details.retry_after {
            details.set_retry_info(Some(delay));
        }
        if let Some((kind, name)) = self.details.resource {
            details.set_resource_info(kind, name, "", self.message.clone());
        }
        Status::with_error_details(self.code, self.message, details)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::new(
                Code::Aborted,
                ErrorReason::StoreConflict,
                "another change got in between and nothing was done; try again",
            ),
            StoreError::Unavailable(_) => Self {
                code: Code::Unavailable,
                reason: ErrorReason::StoreUnavailable,
                message: "the database can't be reached; try again, with the same request_id"
                    .to_owned(),
                ..Self::internal(error)
            },
            StoreError::Inconsistent { .. } | StoreError::Fault(_) => Self::internal(error),
        }
    }
}

impl From<ObjectError> for Refusal {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Unavailable(_) => Self {
                code: Code::Unavailable,
                reason: ErrorReason::StoreUnavailable,
                message: "the object store can't be reached; try again, with the same request_id"
                    .to_owned(),
                ..Self::internal(error)
            },
            ObjectError::Corrupt { .. } => Self::internal(error),
        }
    }
}

impl From<AuthenticationError> for Refusal {
    fn from(error: AuthenticationError) -> Self {
        let message = error.to_string();
        let reason = match error {
            AuthenticationError::Unknown => ErrorReason::TokenInvalid,
            AuthenticationError::Revoked => ErrorReason::TokenRevoked,
            AuthenticationError::Expired | AuthenticationError::ProofExpired => {
                ErrorReason::TokenExpired
            }
            AuthenticationError::Disabled => ErrorReason::PrincipalDisabled,
            AuthenticationError::IdentityUnknown { .. }
            | AuthenticationError::IdentityAmbiguous { .. } => ErrorReason::IdentityUnknown,
            AuthenticationError::EmailTaken { .. } => ErrorReason::IdentityEmailTaken,
            AuthenticationError::NotVerified(not_verified) => return not_verified.into(),
            AuthenticationError::Store(error) => return error.into(),
        };
        Self::new(Code::Unauthenticated, reason, message)
    }
}

impl From<NotVerified> for Refusal {
    fn from(error: NotVerified) -> Self {
        let message = error.to_string();
        let (reason, issuer) = match error {
            NotVerified::Malformed => {
                return Self::new(Code::Unauthenticated, ErrorReason::TokenInvalid, message);
            }
            NotVerified::Unavailable { issuer } => {
                let reason = ErrorReason::TokenIssuerUnavailable;
                return Self::new(Code::Unavailable, reason, message).with("issuer", issuer);
            }
            NotVerified::UnknownIssuer { issuer } => (ErrorReason::TokenIssuerUnknown, issuer),
            NotVerified::Refused { issuer, .. } => (ErrorReason::TokenRefused, issuer),
            NotVerified::Expired { issuer } => (ErrorReason::TokenExpired, issuer),
            NotVerified::NotYetValid { issuer } => (ErrorReason::TokenNotYetValid, issuer),
        };
        Self::new(Code::Unauthenticated, reason, message).with("issuer", issuer)
    }
}

impl From<EtagMismatch> for Refusal {
    fn from(error: EtagMismatch) -> Self {
        Self::new(Code::Aborted, ErrorReason::EtagMismatch, error.to_string())
            .with("etag", error.given)
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        let message = error.to_string();
        match error {
            CommandError::ProjectNotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::ProjectNotFound, message)
                    .about("project", slug)
            }
            CommandError::ProjectArchived { slug } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::ProjectArchived,
                message,
            )
            .about("project", slug),
            CommandError::Denied(denied) => {
                let refusal = Self::new(
                    Code::PermissionDenied,
                    ErrorReason::PermissionMissing,
                    message,
                );
                match denied {
                    Denied::RoleMissing { command, roles } => {
                        refusal.with("command", command).with(
                            "roles",
                            roles
                                .iter()
                                .map(|role| role.as_str())
                                .collect::<Vec<_>>()
                                .join(","),
                        )
                    }
                    Denied::TenantAdminOnly { command } => refusal
                        .with("command", command)
                        .with("roles", "TENANT_ADMIN"),
                    Denied::NotVisible => refusal,
                }
            }
            CommandError::MayNotAsk { slug } => Self::new(
                Code::PermissionDenied,
                ErrorReason::RequesterNotEligible,
                message,
            )
            .about("environment", slug),
            CommandError::RequestIdReused { request_id } => {
                Self::new(Code::InvalidArgument, ErrorReason::RequestIdReused, message)
                    .field("request_id")
                    .with("request_id", request_id)
            }
            CommandError::Store(error) => error.into(),
            CommandError::Canonical(error) => Self::internal(error),
        }
    }
}

impl From<ProjectError> for Refusal {
    fn from(error: ProjectError) -> Self {
        let message = error.to_string();
        match error {
            ProjectError::AlreadyExists { slug } => Self::new(
                Code::AlreadyExists,
                ErrorReason::ProjectAlreadyExists,
                message,
            )
            .about("project", slug),
            ProjectError::Etag(error) => error.into(),
            ProjectError::Command(error) => error.into(),
        }
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        let message = error.to_string();
        let not_found = |reason| Self::new(Code::NotFound, reason, message.clone());
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            LedgerError::ApplicationNotFound { key } => {
                not_found(ErrorReason::ApplicationNotFound).about("application", key)
            }
            LedgerError::VersionNotFound {
                application,
                version,
            } => not_found(ErrorReason::VersionNotFound)
                .about("version", format!("{application} {version}")),
            LedgerError::VersionElsewhere {
                application,
                version,
            } => unfit(ErrorReason::VersionNotOfApplication)
                .about("version", format!("{application} {version}")),
            LedgerError::EnvironmentNotFound { slug } => {
                not_found(ErrorReason::EnvironmentNotFound).about("environment", slug)
            }
            LedgerError::ApplicationArchived { key } => {
                unfit(ErrorReason::ApplicationArchived).about("application", key)
            }
            LedgerError::EnvironmentArchived { slug } => {
                unfit(ErrorReason::EnvironmentArchived).about("environment", slug)
            }
            LedgerError::EnvironmentGoverned { slug, kind } => {
                unfit(ErrorReason::EnvironmentGoverned)
                    .about("environment", slug)
                    .with("kind", kind.as_str())
            }
            LedgerError::VersionDeprecated {
                application,
                version,
            } => unfit(ErrorReason::VersionDeprecated)
                .about("version", format!("{application} {version}")),
            LedgerError::ExternalIdReused { external_id, id } => {
                Self::new(Code::AlreadyExists, ErrorReason::ExternalIdReused, message)
                    .field("report.external_id")
                    .with("external_id", external_id.to_string())
                    .about("deployment_record", id)
            }
            LedgerError::InFuture(_) => Self::new(
                Code::InvalidArgument,
                ErrorReason::DeploymentTimeInFuture,
                message,
            )
            .field("report.deployed_time"),
            LedgerError::RecordNotFound { id } => {
                not_found(ErrorReason::RecordNotFound).about("deployment_record", id)
            }
            LedgerError::AlreadyRetracted { id } => {
                unfit(ErrorReason::RecordAlreadyRetracted).about("deployment_record", id)
            }
            LedgerError::NothingDeployed {
                application,
                environment,
            } => not_found(ErrorReason::NothingDeployed)
                .about("cell", format!("{application} {environment}")),
            LedgerError::TimesAhead(TimesAhead(times)) => {
                let violation = |ahead: &TimeAhead| (ahead.field.to_owned(), ahead.to_string());
                Self::fields(times.iter().map(violation).collect())
            }
            LedgerError::Object(error) => error.into(),
            LedgerError::ContentMissing { .. } => Self::internal(error),
            LedgerError::Command(error) => error.into(),
        }
    }
}

impl From<WatchError> for Refusal {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Authentication(error) => error.into(),
            WatchError::Ledger(error) => error.into(),
        }
    }
}

impl From<AuditError> for Refusal {
    fn from(error: AuditError) -> Self {
        let message = error.to_string();
        match error {
            AuditError::ChainEmpty { project } => {
                Self::new(Code::NotFound, ErrorReason::AuditChainEmpty, message)
                    .about("audit_chain", project.map(String::from).unwrap_or_default())
            }
            AuditError::EnvironmentNotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::EnvironmentNotFound, message)
                    .about("environment", slug)
            }
            AuditError::ApplicationNotFound { key } => {
                Self::new(Code::NotFound, ErrorReason::ApplicationNotFound, message)
                    .about("application", key)
            }
            AuditError::ReportTooLarge => Self::new(
                Code::FailedPrecondition,
                ErrorReason::ReportTooLarge,
                message,
            ),
            AuditError::Command(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_unless_they_would_not_fit_into_headers() {
        let faults = |count: usize| {
            (0..count)
                .map(|at| (format!("items[{at}]"), "is required".to_owned()))
                .collect::<Vec<_>>()
        };
        assert!(Refusal::fields(faults(20)).message.contains("items[19]"));

        let status = Refusal::fields(faults(100_000)).into_status("");
        assert!(status.message().ends_with("further faulty fields"));
        assert!(status.message().len() + status.details().len() < 8 * 1024);
        let huge = vec![("notes".to_owned(), "x".repeat(5_000))];
        assert!(Refusal::fields(huge).message.contains("notes"));
    }

    #[test]
    fn what_is_too_long_for_headers_is_cut() {
        let names: Vec<_> = (0..150).map(|n| format!("{n:0>128}")).collect();
        let message = format!("it lacks ä{}", names.join(", "));
        let refusal = Refusal::new(
            Code::FailedPrecondition,
            ErrorReason::ChecksMissing,
            message,
        )
        .about("deployment", 1)
        .with_names("checks", names.iter().map(String::as_str));
        assert_eq!(refusal.details.metadata, [("checks", names[..7].join(","))]);
        let status = refusal.into_status("id");
        assert!(status.message().ends_with('…'));
        let size = status.message().len() + status.details().len() * 4 / 3;
        assert!(size < 12_000, "{size}");
    }
}
