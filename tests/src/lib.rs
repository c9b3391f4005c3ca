//! What the black-box tests stand on: a real server process per database, clients that remember what they saw, and
//! the ways to say what an answer must be.
//!
//! Nothing here knows how the server works inside: it knows the contract in `proto/`, the environment variables of the
//! configuration, and the files that the server promises to leave in its state directory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "all of this is test code: what must not happen ends the test, with the reason"
)]

pub mod backend;
pub mod client;
pub mod clock;
pub mod contract;
pub mod coverage;
pub mod mailbox;
pub mod raw;
pub mod receiver;
pub mod refusal;
pub mod server;
pub mod world;

pub use backend::Backend;
pub use client::Client;
pub use clock::{ago, now};
pub use mailbox::Mailbox;
pub use receiver::Receiver;
pub use refusal::{Granted, Refused};
pub use server::Server;
pub use world::{Project, World};
