//! A server that answers as GitHub's REST API does where a Git store needs it: repository, refs, blobs, trees, commits,
//! comparisons, files of an empty repository, and an App's installation tokens. What it keeps is a bare Git repository
//! on disk, which Git itself reads and writes; its hashes are Git's.
//!
//! It listens on 127.0.0.1 only, keeps every request and answer, and can be told to fail as GitHub or a network does
//! ([`Fault`]). [`description::Description`] compares what it saw with GitHub's own description of its API.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "it runs in tests, where a panic is how a fault of its own shows"
)]

pub mod description;

mod access;
mod answers;
mod fault;
mod git;
mod routes;
mod server;

pub use access::{Access, App};
pub use fault::{Fault, When};
pub use server::{Options, Recorded, StandIn};

/// Whether Git is here. Where it is not, says in one line that tests are skipped.
///
/// # Panics
///
/// Where it is not, with `SLIPWAY_TEST_REQUIRE=all`.
pub fn available() -> bool {
    let found = std::process::Command::new("git").arg("--version").output();
    let works = found.is_ok_and(|output| output.status.success());
    if !works {
        slipway_test_support::skip(
            "`git` is not installed, and GitHub's stand-in keeps its objects by it",
        );
    }
    works
}
