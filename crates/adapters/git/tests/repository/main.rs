//! A repository beside Git itself, other processes, damage and full disks.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what a test starts from works, or the test fails"
)]

mod damage;
mod failures;
mod given;
mod killed;
mod with_git;
