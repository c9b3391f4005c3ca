//! Releases: chosen versions that become current in an environment, all of them at one moment or none.
//!
//! `source` says what a release is made of, `facts` reads what that names, `create` asks for it, `base` compares it with what is
//! current later. `start` looks whether it may begin, and `inline` carries it out, both in the unit of work of whoever says so: a
//! person by `execute`, whoever agreed last, or the server itself (`due`).
//! What writes `workflows` into an engine, as `drafted` finds, is left to the executor instead (`queue`).

mod base;
mod create;
mod drafted;
mod due;
mod error;
mod execute;
mod facts;
pub(crate) mod fall;
pub(crate) mod inline;
mod queue;
pub(crate) mod rollback;
mod source;
pub(crate) mod start;
pub(crate) mod workflows;

pub use create::{CreateRelease, Made, create_release};
pub use due::start_due_releases;
pub use error::ReleaseError;
pub use execute::{ExecuteDeployment, execute_deployment};
pub use source::Source;
