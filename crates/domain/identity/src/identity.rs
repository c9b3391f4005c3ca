//! Identities: what identity providers and certificates call a principal.

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;
use slipway_kernel::{PrincipalId, Sha256, StoreError, Text, Timestamp, TokenId};

use crate::{Membership, Principal};

/// Who says who somebody is: an identity provider by its URL, exactly as its tokens name it, or [`CERTIFICATE`].
pub type IssuerName = Text<512>;
/// What an issuer calls somebody, exactly as given.
pub type Subject = Text<255>;

/// The issuer of identities that are names in client certificates: `dns:ci.example.org`, `email:…`, `uri:…`, `cn:…`.
pub const CERTIFICATE: &str = "certificate";

/// What tells identities apart. An e-mail address is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct IdentityKey {
    /// Who says so.
    pub issuer: IssuerName,
    /// What it calls the principal.
    pub subject: Subject,
}

impl fmt::Display for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of `{}`", self.subject, self.issuer)
    }
}

/// An identity and the principal that it stands for. A principal has at most one of each identity provider, and any
/// number of certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it is told by.
    pub key: IdentityKey,
    /// Whom it stands for.
    pub principal: PrincipalId,
    /// Whether it is why its principal administers the installation: nobody else said so.
    pub tenant_admin: bool,
    /// When the newest token was issued whose groups were carried over; older ones change nothing.
    pub asserted_at: Option<Timestamp>,
    /// When it was linked to the principal.
    pub created_at: Timestamp,
}

/// What an issuer gives a principal in a project, beside what was set by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Who gave it.
    pub issuer: IssuerName,
    /// What was given.
    pub membership: Membership,
}

/// An identity with its principal and all that this may do: what authentication needs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The identity.
    pub identity: Identity,
    /// The principal it stands for.
    pub principal: Principal,
    /// Whether that is a service account whose owner was shut out, and with the owner it.
    pub owner_disabled: bool,
    /// What that principal may do, project by project, whoever gave it.
    pub memberships: Vec<Membership>,
}

/// What a caller proved who it is with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// One of Slipway's own tokens.
    Token(TokenId),
    /// A token of an identity provider, or a client certificate.
    Proof(Box<Proof>),
}

/// A token of an identity provider, or a client certificate, that was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The SHA-256 of what was shown.
    pub digest: Sha256,
    /// Whose it is.
    pub key: IdentityKey,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

impl Credential {
    /// Slipway's own token, where it is one.
    pub const fn token(&self) -> Option<TokenId> {
        match self {
            Self::Token(id) => Some(*id),
            Self::Proof(_) => None,
        }
    }
}

/// Whether somebody administers the installation, and whether an identity is why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Administers {
    /// Whether its principal does.
    pub principal: bool,
    /// Whether this identity is why.
    pub identity: bool,
}

impl Administers {
    /// What becomes of it when the issuer says `asserted`, where other identities of the principal are why or not. Who was
    /// made an administrator by hand stays one.
    #[must_use]
    pub const fn asserted(self, others: bool, asserted: bool) -> Self {
        let by_hand = self.principal && !self.identity && !others;
        let identity = asserted && !by_hand;
        Self {
            principal: by_hand || others || identity,
            identity,
        }
    }
}

/// Changes identities, inside a unit of work.
#[async_trait]
pub trait IdentityRepository: Send {
    /// Adds an identity. An adapter MUST answer `false`, and change nothing, where the key is taken, or where the
    /// principal has another identity of that identity provider.
    async fn insert(&mut self, identity: &Identity) -> Result<bool, StoreError>;

    /// The identity with this key. An adapter MUST lock it until the unit of work ends.
    async fn get(&mut self, key: &IdentityKey) -> Result<Option<Identity>, StoreError>;

    /// All identities of a principal, by issuer and subject.
    async fn of_principal(&mut self, id: PrincipalId) -> Result<Vec<Identity>, StoreError>;

    /// Saves what an issuer asserted: `tenant_admin` and `asserted_at`.
    async fn assert(&mut self, identity: &Identity) -> Result<(), StoreError>;

    /// Removes an identity; nothing happens where there is none.
    async fn remove(&mut self, key: &IdentityKey) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way that leads from a principal that was, or was not, made an administrator by hand, with two issuers that
    /// change their minds: what is true in the end is what anybody says by then.
    #[test]
    fn issuers_take_back_what_they_gave_and_no_more() {
        for by_hand in [false, true] {
            for said in 0..256_u32 {
                let (mut principal, mut flags) = (by_hand, [false; 2]);
                let mut says = [false; 2];
                for step in 0..8 {
                    let (who, what) = (step % 2, said >> step & 1 == 1);
                    let before = Administers {
                        principal,
                        identity: flags[who],
                    };
                    let after = before.asserted(flags[1 - who], what);
                    (principal, flags[who], says[who]) = (after.principal, after.identity, what);
                    assert_eq!(
                        principal,
                        by_hand || says[0] || says[1],
                        "{by_hand} {said:b}"
                    );
                }
            }
        }
    }
}
