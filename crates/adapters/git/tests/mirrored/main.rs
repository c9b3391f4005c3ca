//! A repository with a mirror: the contract, and what happens where one of the two is away, lost, behind or damaged.

#![expect(
    clippy::expect_used,
    reason = "what a test starts from works, or the test fails"
)]

mod ahead;
mod contract;
mod reading;
mod world;
