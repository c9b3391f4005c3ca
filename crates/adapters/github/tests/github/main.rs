//! The adapter against GitHub's stand-in, whose repository is a real one.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

mod access;
mod budget;
mod damage;
mod faults;
mod limits;
mod mirrored;
mod port;
mod races;
mod repository;
mod shared;
mod world;
