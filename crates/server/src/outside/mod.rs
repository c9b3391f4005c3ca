//! What lies outside of the database, as the configuration allows it: workflow engines and Git repositories.

mod engines;
mod repositories;

pub use engines::AllowedEngines;
pub use repositories::{GitHubRepositories, LocalRepositories};
