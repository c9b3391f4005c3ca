//! Principals: users and service accounts.

use async_trait::async_trait;
use slipway_kernel::{
    PrincipalId, StoreError, Text, Timestamp,
    text::{DisplayName, Reason},
};

/// An e-mail address as given: at most 254 bytes, unique in the installation without regard to case. Slipway sends
/// nothing to it and does not decide by it.
pub type Email = Text<254>;

/// Somebody or something that can be authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its identifier.
    pub id: PrincipalId,
    /// A person or a machine.
    pub kind: PrincipalKind,
    /// What people call it. Kept apart from everything immutable, so that it can be erased.
    pub display_name: DisplayName,
    /// Where to reach the person; kept like the name.
    pub email: Option<Email>,
    /// Whether it may do everything in the whole installation.
    pub tenant_admin: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when and why its tokens are refused.
    pub disabled: Option<Disabled>,
}

/// A person or a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A machine that acts for somebody. What it does counts as its owner's doing for four eyes.
    ServiceAccount {
        /// The user who answers for it.
        owner: PrincipalId,
    },
}

/// A principal was shut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Changes principals, inside a unit of work.
#[async_trait]
pub trait PrincipalRepository: Send {
    /// Adds a principal. An adapter MUST answer `false`, and change nothing, where its e-mail address is another's.
    async fn insert(&mut self, principal: &Principal) -> Result<bool, StoreError>;

    /// Whether an e-mail address is some principal's, compared without regard to case.
    async fn has_email(&mut self, email: &Email) -> Result<bool, StoreError>;

    /// Says whether a principal administers the installation.
    async fn set_tenant_admin(&mut self, id: PrincipalId, is: bool) -> Result<(), StoreError>;

    /// The principal with this identifier.
    async fn get(&mut self, id: PrincipalId) -> Result<Option<Principal>, StoreError>;

    /// Shuts a principal out. An adapter MUST answer `false`, and change nothing, where it is already.
    async fn disable(&mut self, id: PrincipalId, disabled: &Disabled) -> Result<bool, StoreError>;

    /// How many principals that are not disabled may administer the installation. An adapter MUST lock them until the
    /// unit of work ends, so that two of them can't shut each other out at once.
    async fn count_tenant_admins(&mut self) -> Result<u64, StoreError>;
}
