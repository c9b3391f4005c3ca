//! `[notifications]`: whom webhooks may tell, and how patiently.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use slipway_notifications::Schedule;
use slipway_webhooks::AllowedPlace;

use super::SecretPattern;

/// The most entries of a list.
const MAX_ENTRIES: usize = 1_000;

/// The `[notifications]` section. Projects choose where their webhooks go: to the public internet by https, and elsewhere
/// only as is listed here.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// The hosts, addresses and networks that are not public and may be told nevertheless, also by plain http: `hooks.internal`,
    /// `10.1.2.3`, `10.0.0.0/8`. Default: none.
    pub allow_private: Vec<Place>,
    /// The references to secrets that webhooks may name: `env:NAME` or `file:/path`, in which a `*` stands for any
    /// characters other than `/`. Default: none.
    pub secrets: Vec<SecretPattern>,
    /// How long one attempt may take. Default: 15 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The pauses before further attempts, after which a delivery is given up. Default: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h,
    /// 14 h, 20 h, 24 h.
    #[serde(deserialize_with = "pauses")]
    pub retry_after: Vec<Duration>,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            secrets: Vec::new(),
            timeout: Duration::from_secs(15),
            retry_after: Schedule::default().pauses().to_vec(),
        }
    }
}

/// A host, an address or a network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Place(pub AllowedPlace);

impl TryFrom<String> for Place {
    type Error = slipway_webhooks::NoPlace;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl Notifications {
    /// Whether a webhook may name this reference to a secret.
    pub fn allows_secret(&self, reference: &str) -> bool {
        self.secrets
            .iter()
            .any(|pattern| pattern.matches(reference))
    }

    /// When attempts are made.
    pub fn schedule(&self) -> Schedule {
        // What makes no schedule was refused before.
        Schedule::new(self.retry_after.clone()).unwrap_or_default()
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        for (key, count) in [
            ("allow_private", self.allow_private.len()),
            ("secrets", self.secrets.len()),
        ] {
            if count > MAX_ENTRIES {
                problems.push(format!(
                    "notifications.{key} has {count} entries; at most {MAX_ENTRIES} are allowed"
                ));
            }
        }
        super::limits::check_duration(
            "notifications.timeout",
            self.timeout,
            Duration::from_millis(100)..=Duration::from_mins(1),
            problems,
        );
        if let Err(error) = Schedule::new(self.retry_after.clone()) {
            problems.push(format!("notifications.retry_after is refused: {error}"));
        }
    }
}

fn pauses<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<Duration>, D::Error> {
    let pauses: Vec<humantime_serde::Serde<Duration>> = Deserialize::deserialize(from)?;
    let pauses = pauses.into_iter();
    Ok(pauses.map(humantime_serde::Serde::into_inner).collect())
}
