//! Approvals: the question whether a deployment may be carried out, and people's answers to it.
//!
//! A [policy](Policy) says who has to agree to what; those that are about an environment apply [together](Effective). A
//! [request](ApprovalRequest) binds the digest of what will happen, and keeps the rules and the people who could answer
//! as they were when it was opened. What somebody answers is a [decision](Decision), of which each person makes one for
//! each request. Who may answer is decided by [`may_decide`] and nowhere else, who counts for what by [`tally()`], and
//! whether that suffices by [`ApprovalRequest::enough`], again when the deployment is about to begin.
//!
//! A [freeze window](FreezeWindow) says when deployments don't begin, whoever agreed to them; [`standing`] says which windows
//! stand at a moment, and when they open again.

pub mod answers;
pub mod four_eyes;
pub mod freeze;
pub mod overriding;
pub mod policy;
pub mod queries;
pub mod repository;
pub mod request;
pub mod rule;
pub mod tally;

pub use answers::{AtStart, NotDecided, NotEnough, NotWithdrawn, Progress};
pub use four_eyes::{Person, Voter, WhyNot, may_decide};
pub use freeze::{
    FreezeAction, FreezeFilter, FreezeOverride, FreezePlace, FreezeQueries, FreezeRepository,
    FreezeScope, FreezeWindow, StandingFreeze, standing,
};
pub use overriding::{Finding, NotOverridden, NotReviewed, Override, Review, Withdrawal};
pub use policy::{
    Asked, Effective, Governed, Policy, PolicyPlace, PolicyQueries, PolicyRepository,
    RequiredCheck, Scope, SoundTerms, Source, Terms, TermsFault, stage_rule,
};
pub use queries::{ApprovalFilter, ApprovalPlace, ApprovalQueries};
pub use repository::ApprovalRepository;
pub use request::{ApprovalRequest, Decision, IllegalStep, RequestState, StateKind, Verdict};
pub use rule::{Eligible, Rule, Subject, VoterRole};
pub use tally::{Counted, Tally, Vote, tally};
