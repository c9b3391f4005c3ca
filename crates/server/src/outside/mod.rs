//! What lies outside of the database, as the configuration allows it: workflow engines, Git repositories, and those who
//! are told what happens.

mod courier;
mod engines;
mod repositories;

pub use courier::AllowedCourier;
pub use engines::AllowedEngines;
pub use repositories::{GitHubRepositories, LocalRepositories};
