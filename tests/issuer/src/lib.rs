//! An identity provider for tests, on loopback: it signs tokens by real keys, publishes these, changes them, goes down
//! and lies.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "all of this is test code: what must not happen ends the test"
)]

mod server;
mod sign;

pub use server::{Answer, StandIn};
pub use sign::{Key, by_hand, now};
