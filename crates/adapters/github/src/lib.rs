//! A Git store in a repository on GitHub, by its Git Data API.
//!
//! A commit costs the content that changed and four calls more: the branch is read and must point to the expected
//! parent, a tree is made upon the parent's, a commit of it, and the branch is moved. Nobody sees a tree or a commit
//! before the branch points to it, so whatever fails before leaves nothing behind but objects that GitHub collects.
//!
//! GitHub moves a branch only forward (`force: false`), and our commit has one parent: so the branch was at that parent,
//! or somebody took it back to an ancestor in the seconds since we read it. Where GitHub's answer is a refusal, or none,
//! the branch is read again, and what it points to decides.
//!
//! Every hash is computed here and compared with GitHub's, of what is written as of what is read.

mod api;
mod listing;
mod object;
mod options;
mod pause;
mod store;
mod upload;
mod wire;

pub use octocrab::secrecy::SecretString;
pub use options::{Auth, Options, OptionsError, check_place};
pub use store::GitHub;
