//! Identities: what identity providers and certificates call principals, and what that gives them.

mod assertion;
mod given;
mod link;
mod sign_in;
mod unlink;

pub use given::{given_in, given_to};
pub use link::{LinkIdentity, link_identity};
pub use unlink::{UnlinkIdentity, unlink_identity};

pub(crate) use sign_in::sign_in;

use serde_json::{Value, json};
use slipway_audit::{ChainId, Event, Outcome, Resource};
use slipway_identity::{Identity, IdentityKey, Membership};
use slipway_kernel::{EventId, PrincipalId, ProjectId, Sha256, Timestamp};

use crate::{CommandError, Context, error::meets_command_errors, memberships};

/// Why a command about an identity was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no such principal.
    #[error("there is no principal {id}")]
    PrincipalNotFound {
        /// The id given.
        id: PrincipalId,
    },
    /// The principal was shut out.
    #[error("the principal {id} is disabled and gets no further identity")]
    PrincipalDisabled {
        /// The principal.
        id: PrincipalId,
    },
    /// The identity stands for another principal, or the principal has another one of that issuer.
    #[error(
        "{key} stands for another principal already, or the principal {principal} has another identity of this issuer; \
         unlink that one first with UnlinkIdentity"
    )]
    AlreadyLinked {
        /// The identity given.
        key: IdentityKey,
        /// The principal given.
        principal: PrincipalId,
    },
    /// The identity stands for nobody.
    #[error("{key} stands for no principal")]
    NotFound {
        /// The identity given.
        key: IdentityKey,
    },
    /// This server takes no tokens of that issuer.
    #[error(
        "is neither `certificate` nor the issuer of a section [[oidc]] of this server's configuration, exactly as written \
         there"
    )]
    UnknownIssuer,
    /// A certificate has no such name.
    #[error(
        "is no name in a certificate; write `uri:…`, `email:…`, `dns:…` or `cn:…` in front of it"
    )]
    NoCertificateName,
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(IdentityError);

/// An identity as the audit trail shows it: the subject, which may be an e-mail address, by its digest only.
fn described(identity: &Identity) -> Value {
    let key = &identity.key;
    let digest = Sha256::of_bytes(format!("{}\n{}", key.issuer, key.subject).as_bytes());
    json!({
        "principal_id": identity.principal,
        "issuer": key.issuer,
        "identity_sha256": digest.to_string(),
    })
}

/// Somebody's memberships or rights changed because of an identity.
struct Doing<'a> {
    context: &'a Context,
    /// The command, as the audit trail calls it.
    command: &'static str,
    /// Who did it.
    principal: PrincipalId,
    correlation_id: &'a str,
    now: Timestamp,
}

impl Doing<'_> {
    /// The event that tells of it, in the chain of a project or of the installation.
    fn event(
        &self,
        project: Option<ProjectId>,
        resource: Resource,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Event {
        Event {
            id: EventId::new(&*self.context.ids),
            chain: ChainId(project),
            at: self.now,
            principal: self.principal,
            command: self.command.to_owned(),
            outcome: Outcome::Allowed,
            resource,
            before,
            after,
            facts: Vec::new(),
            correlation_id: self.correlation_id.to_owned(),
            repeat_count: 1,
        }
    }

    /// The event that tells what an issuer gives somebody in a project.
    fn gave(
        &self,
        identity: &Identity,
        project: ProjectId,
        before: Option<&Membership>,
        after: Option<&Membership>,
    ) -> Event {
        let told = |membership: &Membership| {
            let mut told = memberships::described(membership);
            told["issuer"] = json!(identity.key.issuer);
            told
        };
        let resource = Resource::new("membership", &identity.principal);
        self.event(Some(project), resource, before.map(told), after.map(told))
    }
}
