//! The use cases. Each is one function: authorise, begin, load, decide, save, audit, commit.
//!
//! This is the one door: the gRPC services, the console, the command line and background work all come through these
//! functions, so that permissions, idempotency and the audit trail hold for all of them. Nothing is enforced elsewhere.

pub mod access;
pub mod applications;
pub mod approvals;
pub mod audit;
pub mod authentication;
pub mod bootstrap;
mod change;
pub mod checks;
pub mod context;
pub mod deployments;
pub mod engines;
pub mod environments;
pub mod error;
pub mod freezes;
pub mod identities;
pub mod ledger;
pub mod memberships;
pub mod notifications;
pub mod outside;
pub mod pipelines;
pub mod principals;
pub mod projects;
pub mod releases;
pub mod requests;
mod scope;
pub mod snapshots;
pub mod templates;
pub mod tokens;
pub mod versions;

pub use access::Call;
pub use context::Context;
pub use error::CommandError;
