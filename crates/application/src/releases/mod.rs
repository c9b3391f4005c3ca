//! Releases: chosen versions that become current in an environment, all of them at one moment or none.
//!
//! `facts` reads what a release names, `create` asks for it, `inline` carries it out in the unit of work of whoever says
//! so: a person by `execute`, or whoever agreed last.

mod create;
mod execute;
mod facts;
mod inline;

pub use create::{CreateRelease, Made, Wanted, create_release};
pub use execute::{ExecuteDeployment, execute_deployment};
pub use facts::{Finding, Severity};
