//! Why commands about identity are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::identities::IdentityError;
use slipway_application::memberships::MembershipError;
use slipway_application::principals::PrincipalError;
use slipway_application::tokens::TokenError;
use tonic::Code;

use crate::grpc::refusal::Refusal;

impl From<PrincipalError> for Refusal {
    fn from(error: PrincipalError) -> Self {
        let message = error.to_string();
        match error {
            PrincipalError::NotFound { id } => {
                Self::new(Code::NotFound, ErrorReason::PrincipalNotFound, message)
                    .about("principal", id)
            }
            PrincipalError::AlreadyExists => Self::new(
                Code::AlreadyExists,
                ErrorReason::PrincipalAlreadyExists,
                message,
            )
            .field("email"),
            PrincipalError::OwnerNotUser { .. } => {
                Self::fields(vec![("owner_principal_id".to_owned(), message)])
            }
            PrincipalError::OwnerDisabled { id } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::NamedPrincipalDisabled,
                message,
            )
            .about("principal", id),
            PrincipalError::LastTenantAdmin { id } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::LastTenantAdmin,
                message,
            )
            .about("principal", id),
            PrincipalError::Command(error) => error.into(),
        }
    }
}

impl From<MembershipError> for Refusal {
    fn from(error: MembershipError) -> Self {
        let message = error.to_string();
        match error {
            MembershipError::PrincipalNotFound { id } => {
                Self::new(Code::NotFound, ErrorReason::PrincipalNotFound, message)
                    .about("principal", id)
            }
            MembershipError::PrincipalDisabled { id } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::NamedPrincipalDisabled,
                message,
            )
            .about("principal", id),
            MembershipError::NotFound { principal, .. } => {
                Self::new(Code::NotFound, ErrorReason::MembershipNotFound, message)
                    .about("membership", principal)
            }
            MembershipError::FromIssuer {
                principal, issuer, ..
            } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::MembershipFromIssuer,
                message,
            )
            .about("membership", principal)
            .with("issuer", issuer),
            MembershipError::Command(error) => error.into(),
        }
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        let message = error.to_string();
        match error {
            IdentityError::PrincipalNotFound { id } => {
                Self::new(Code::NotFound, ErrorReason::PrincipalNotFound, message)
                    .about("principal", id)
            }
            IdentityError::PrincipalDisabled { id } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::NamedPrincipalDisabled,
                message,
            )
            .about("principal", id),
            IdentityError::AlreadyLinked { principal, .. } => Self::new(
                Code::AlreadyExists,
                ErrorReason::IdentityAlreadyLinked,
                message,
            )
            .about("principal", principal),
            // Its subject may be a person's address, which stays out of the audit trail.
            IdentityError::NotFound { key } => {
                Self::new(Code::NotFound, ErrorReason::IdentityNotFound, message)
                    .about("identity of", key.issuer)
            }
            IdentityError::UnknownIssuer => Self::fields(vec![("issuer".to_owned(), message)]),
            IdentityError::NoCertificateName => Self::fields(vec![("subject".to_owned(), message)]),
            IdentityError::Command(error) => error.into(),
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let message = error.to_string();
        match error {
            TokenError::PrincipalNotFound { id } => {
                Self::new(Code::NotFound, ErrorReason::PrincipalNotFound, message)
                    .about("principal", id)
            }
            TokenError::PrincipalDisabled { id } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::NamedPrincipalDisabled,
                message,
            )
            .about("principal", id),
            TokenError::NotFound { id } => {
                Self::new(Code::NotFound, ErrorReason::TokenNotFound, message).about("token", id)
            }
            TokenError::ExpiryPassed { .. } => {
                Self::fields(vec![("expire_time".to_owned(), message)])
            }
            TokenError::Command(error) => error.into(),
        }
    }
}
