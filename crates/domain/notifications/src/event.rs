//! What happens that webhooks may be told of.

use serde::{Deserialize, Serialize};
use slipway_kernel::{
    DeploymentId, EnvironmentId, PrincipalId, ProjectId, RiskLevel, Slug, Tier, Timestamp, words,
};

/// What kind of thing happened. Of a deployment: the state that it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventKind {
    /// It waits for people.
    PendingApproval,
    /// Enough people agreed.
    Approved,
    /// It waits for an executor.
    Queued,
    /// It is being carried out.
    Running,
    /// It is being stopped.
    Canceling,
    /// What it did is being undone.
    Compensating,
    /// Nobody can tell what became of it: a person has to look.
    InDoubt,
    /// It is done.
    Succeeded,
    /// It came to nothing, or not to all that it should have.
    Failed,
    /// It was stopped.
    Canceled,
    /// Somebody disagreed.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// A later one undid it.
    RolledBack,
    /// Somebody went around its approval.
    ApprovalOverridden,
    /// Somebody went around a freeze.
    FreezeOverridden,
    /// Somebody tries a webhook.
    Test,
}

words! {
    EventKind, "kind of event":
    PendingApproval = "deployment.pending_approval",
    Approved = "deployment.approved",
    Queued = "deployment.queued",
    Running = "deployment.running",
    Canceling = "deployment.canceling",
    Compensating = "deployment.compensating",
    InDoubt = "deployment.in_doubt",
    Succeeded = "deployment.succeeded",
    Failed = "deployment.failed",
    Canceled = "deployment.canceled",
    Rejected = "deployment.rejected",
    Expired = "deployment.expired",
    RolledBack = "deployment.rolled_back",
    ApprovalOverridden = "approval.overridden",
    FreezeOverridden = "freeze.overridden",
    Test = "webhook.test",
}

impl TryFrom<String> for EventKind {
    type Error = slipway_kernel::vocabulary::UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventKind> for String {
    fn from(kind: EventKind) -> Self {
        kind.as_str().to_owned()
    }
}

/// What is known of an event beside what it is about. A field that is absent is not known, or does not apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What the deployment is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How risky the deployment is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskLevel>,
    /// Why the deployment came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_reason: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PrincipalId>,
    /// Why somebody did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The deployment that an event is about, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its number in its project.
    pub number: i64,
    /// Its kind, in the words of the API.
    pub kind: String,
    /// Who asked for it.
    pub requested_by: PrincipalId,
    /// Where it goes.
    pub environment: EnvironmentId,
    /// What requests call that.
    pub environment_slug: Slug,
    /// How much depends on it.
    pub tier: Tier,
}

/// Something that happened, as the outbox tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Its place in the outbox. Of one deployment, what happened later has a higher one.
    pub sequence: i64,
    /// The project.
    pub project: ProjectId,
    /// What requests call it.
    pub project_slug: Slug,
    /// What happened.
    pub kind: EventKind,
    /// What it happened to.
    pub subject: Subject,
    /// What else is known.
    pub facts: Facts,
    /// When, by the database's clock.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_their_words_in_json_too() {
        for kind in EventKind::ALL {
            let json = serde_json::to_value(kind).expect("a word");
            assert_eq!(json, kind.as_str());
            assert_eq!(serde_json::from_value::<EventKind>(json).ok(), Some(kind));
        }
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let facts: Facts = serde_json::from_str(r#"{"problem_reason": null}"#).expect("facts");
        assert_eq!(facts, Facts::default());
        assert_eq!(serde_json::to_string(&facts).expect("JSON"), "{}");
    }
}
