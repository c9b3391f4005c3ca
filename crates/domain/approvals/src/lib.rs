//! Approvals: the question whether a deployment may be carried out, and people's answers to it.
//!
//! A [request](ApprovalRequest) binds the digest of what will happen. What somebody answers is a [decision](Decision), of
//! which each principal makes one for each request. Who may answer is decided by [`may_decide`] and nowhere else, and
//! whether the answers suffice by [`enough`], when they are given and again when the deployment is about to begin.
//!
//! A [freeze window](FreezeWindow) says when deployments don't begin, whoever agreed to them; [`standing`] says which windows
//! stand at a moment, and when they open again.

pub mod four_eyes;
pub mod freeze;
pub mod queries;
pub mod request;

pub use four_eyes::{Person, Voter, WhyNot, may_decide};
pub use freeze::{
    FreezeAction, FreezeFilter, FreezeOverride, FreezePlace, FreezeQueries, FreezeRepository,
    FreezeScope, FreezeWindow, StandingFreeze, standing,
};
pub use queries::{ApprovalFilter, ApprovalPlace, ApprovalQueries};
pub use request::{
    ApprovalRepository, ApprovalRequest, Decision, NotDecided, NotEnough, RequestState, StateKind,
    Verdict, enough,
};
