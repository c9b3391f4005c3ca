//! What a message says, as JSON in the form that the Standard Webhooks specification proposes.

use serde::{Deserialize, Serialize};
use slipway_kernel::{DeploymentId, PrincipalId, RiskLevel, Slug, Tier, Timestamp};

use crate::{EventKind, Occurrence};

/// A message. It holds ids and never people's names, which can be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// When.
    #[serde(with = "rfc3339")]
    pub timestamp: Timestamp,
    /// What it happened to.
    pub data: MessageData,
}

/// What something happened to, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageData {
    /// The project.
    pub project: Slug,
    /// The environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Slug>,
    /// How much depends on the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<MessageDeployment>,
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

/// A deployment, in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageDeployment {
    /// Its identifier.
    #[serde(rename = "deployment_id")]
    pub id: DeploymentId,
    /// Its number in its project.
    pub number: i64,
    /// Its kind.
    pub kind: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How risky it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskLevel>,
    /// Who asked for it.
    pub requested_by: PrincipalId,
}

impl Message {
    /// What is told of an event.
    pub fn of(event: &Occurrence) -> Self {
        let (subject, facts) = (&event.subject, &event.facts);
        Self {
            kind: event.kind,
            timestamp: event.at,
            data: MessageData {
                project: event.project_slug.clone(),
                environment: Some(subject.environment_slug.clone()),
                tier: Some(subject.tier),
                deployment: Some(MessageDeployment {
                    id: subject.deployment,
                    number: subject.number,
                    kind: subject.kind.clone(),
                    name: facts.name.clone(),
                    risk: facts.risk,
                    requested_by: subject.requested_by,
                }),
                problem_reason: facts.problem_reason.clone(),
                by: facts.by,
                reason: facts.reason.clone(),
            },
        }
    }

    /// A message that tries a webhook.
    pub const fn test(project: Slug, by: PrincipalId, now: Timestamp) -> Self {
        Self {
            kind: EventKind::Test,
            timestamp: now,
            data: MessageData {
                project,
                environment: None,
                tier: None,
                deployment: None,
                problem_reason: None,
                by: Some(by),
                reason: None,
            },
        }
    }

    /// What happened in one line, for people: `shop: deployment 7 to prod succeeded`.
    pub fn headline(&self) -> String {
        let data = &self.data;
        let project = &data.project;
        let (Some(deployment), Some(environment)) = (&data.deployment, &data.environment) else {
            return format!("{project}: this is a test of a webhook");
        };
        let number = deployment.number;
        let name = deployment
            .name
            .as_ref()
            .filter(|name| !name.is_empty())
            .map(|name| format!(" ({})", one_line(name)));
        format!(
            "{project}: deployment {number}{} to {environment} {}",
            name.unwrap_or_default(),
            self.kind.in_words()
        )
    }

    /// What else is known, for people: each with its name, in an order that stays.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let data = &self.data;
        let deployment = data.deployment.as_ref();
        let details = [
            ("Event", Some(self.kind.to_string())),
            ("Time", Some(self.timestamp.to_string())),
            ("Tier", data.tier.map(|tier| tier.to_string())),
            (
                "Kind",
                deployment.map(|deployment| one_line(&deployment.kind)),
            ),
            (
                "Risk",
                deployment
                    .and_then(|deployment| deployment.risk)
                    .map(|risk| risk.to_string()),
            ),
            ("Problem", data.problem_reason.as_deref().map(one_line)),
            ("Reason", data.reason.as_deref().map(one_line)),
        ];
        let known = |(name, value): (_, Option<String>)| value.map(|value| (name, value));
        details.into_iter().filter_map(known).collect()
    }
}

/// The text in one line: it goes into subjects and tables.
fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

impl EventKind {
    /// What a deployment did, for people.
    const fn in_words(self) -> &'static str {
        match self {
            Self::PendingApproval => "waits for approval",
            Self::Approved => "is approved",
            Self::Queued => "is queued",
            Self::Running => "is running",
            Self::Canceling => "is being canceled",
            Self::Compensating => "is being undone",
            Self::InDoubt => "is in doubt: somebody has to look",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "was canceled",
            Self::Rejected => "was rejected",
            Self::Expired => "expired: nobody answered in time",
            Self::RolledBack => "was rolled back",
            Self::ApprovalOverridden => "goes on without its approvals: they were overridden",
            Self::FreezeOverridden => "goes on in a freeze, which was overridden",
            Self::Test => "is a test",
        }
    }
}

mod rfc3339 {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use slipway_kernel::Timestamp;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        Timestamp::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use slipway_kernel::{EnvironmentId, ProjectId};
    use uuid::Uuid;

    use super::*;
    use crate::{Facts, Subject};

    /// A deployment of high risk to production failed.
    pub(crate) fn occurrence() -> Occurrence {
        let uuid = Uuid::from_u128;
        Occurrence {
            sequence: 5,
            project: ProjectId::from_uuid(uuid(1)),
            project_slug: "shop".parse().expect("a slug"),
            kind: EventKind::Failed,
            subject: Subject {
                deployment: DeploymentId::from_uuid(uuid(2)),
                number: 7,
                kind: "PROMOTION".to_owned(),
                requested_by: PrincipalId::from_uuid(uuid(3)),
                environment: EnvironmentId::from_uuid(uuid(4)),
                environment_slug: "prod".parse().expect("a slug"),
                tier: Tier::Production,
            },
            facts: Facts {
                name: Some("spring\nsale".to_owned()),
                risk: Some(RiskLevel::High),
                problem_reason: Some("PLAN_CHANGED".to_owned()),
                ..Facts::default()
            },
            at: Timestamp::parse("2026-01-31T12:00:00.5Z").expect("a time"),
        }
    }

    #[test]
    fn a_message_is_what_the_documentation_shows() {
        let message = Message::of(&occurrence());
        let json = serde_json::to_string_pretty(&message).expect("JSON");
        assert_eq!(
            json,
            r#"{
  "type": "deployment.failed",
  "timestamp": "2026-01-31T12:00:00.5Z",
  "data": {
    "project": "shop",
    "environment": "prod",
    "tier": "PRODUCTION",
    "deployment": {
      "deployment_id": "00000000-0000-0000-0000-000000000002",
      "number": 7,
      "kind": "PROMOTION",
      "name": "spring\nsale",
      "risk": "HIGH",
      "requested_by": "00000000-0000-0000-0000-000000000003"
    },
    "problem_reason": "PLAN_CHANGED"
  }
}"#
        );
        let back: Message = serde_json::from_str(&json).expect("a message");
        assert_eq!(back, message);
    }

    #[test]
    fn people_read_one_line() {
        let message = Message::of(&occurrence());
        assert_eq!(
            message.headline(),
            "shop: deployment 7 (spring sale) to prod failed"
        );
        let details: Vec<_> = message.details();
        assert_eq!(
            details.last(),
            Some(&("Problem", "PLAN_CHANGED".to_owned()))
        );
        let test = Message::test(
            "shop".parse().expect("a slug"),
            PrincipalId::from_uuid(Uuid::from_u128(1)),
            occurrence().at,
        );
        assert_eq!(test.headline(), "shop: this is a test of a webhook");
        let words = EventKind::ALL.map(EventKind::in_words);
        assert!(words.iter().all(|words| !words.is_empty()));
    }
}
