//! Notifications: webhooks, what happened that they may be told of, and how each of them is told.
//!
//! What happens is written into the outbox in the transaction in which it happens; later each event becomes a delivery for
//! each webhook that wants it, and a delivery is attempted until it succeeds or is given up. Here are the decisions: which
//! webhook wants what, what a message says, when an attempt is due and what its outcome means.

mod courier;
mod delivery;
mod email;
mod event;
mod message;
mod queries;
mod slack;
mod webhook;

pub use courier::{Courier, NotAllowed, Parcel};
pub use delivery::{
    ANSWER_KEPT, Attempt, Delivery, DeliveryState, Outcome, PROBLEM_KEPT, RETENTION, Schedule,
    ScheduleError,
};
pub use email::Letter;
pub use event::{EventKind, Facts, Occurrence, Subject};
pub use message::{Message, MessageData, MessageDeployment};
pub use queries::{
    Claimed, DeliveryFilter, NewEvent, NotificationQueries, NotificationRepository, PendingWork,
};
pub use slack::slack_payload;
pub use webhook::{
    Address, AddressError, Filter, MAX_RECIPIENTS, MAX_WEBHOOKS, Reference, ReferenceError, Target,
    Url, UrlError, Webhook,
};
