//! What a policy says, and what it may not say.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use slipway_kernel::{RiskLevel, Slug, Tier, text::CheckName};

use crate::{
    Eligible, Rule,
    rule::{MAX_NAMED, MAX_REQUIRED},
};

/// The most rules of a policy.
pub const MAX_RULES: usize = 50;
/// The most checks that a policy asks for.
pub const MAX_CHECKS: usize = 50;
/// How long a request waits, and an approval counts, where no policy says so.
pub const DEFAULT_EXPIRY: Duration = Duration::from_hours(7 * 24);
/// The shortest time that a policy may give people.
pub const MIN_EXPIRY: Duration = Duration::from_mins(1);
/// The longest.
pub const MAX_EXPIRY: Duration = Duration::from_hours(90 * 24);
/// The longest time that a policy may let lie between a request and its start.
pub const MAX_WAIT: Duration = Duration::from_hours(30 * 24);

/// What has to hold before anything changes an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Who has to agree, each rule to be met by itself.
    pub rules: Vec<Rule>,
    /// What has to be reported as passed.
    pub required_checks: Vec<RequiredCheck>,
    /// How long a request waits, and an approval counts, from when it was opened.
    #[serde(with = "seconds")]
    pub expire_after: Duration,
    /// How long there is at least between a request and its start.
    #[serde(with = "seconds")]
    pub wait: Duration,
    /// Whether reports of deployments are refused that nobody asked for here.
    pub refuse_reports: bool,
    /// Whether people are asked about going back to what was approved for the environment before.
    pub rollback_needs_approval: bool,
    /// Who may ask for deployments besides administrators.
    pub requesters: Eligible,
}

/// A check that has to be reported as passed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequiredCheck {
    /// What it is called.
    pub name: CheckName,
    /// It is required of what is at least so risky.
    pub from_risk: RiskLevel,
}

impl Default for Terms {
    /// Nothing has to hold.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            required_checks: Vec::new(),
            expire_after: DEFAULT_EXPIRY,
            wait: Duration::ZERO,
            refuse_reports: false,
            rollback_needs_approval: false,
            requesters: Eligible::default(),
        }
    }
}

/// What terms may not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsFault {
    /// More rules than a policy may have.
    #[error("has {given} rules; at most {MAX_RULES} are allowed")]
    TooManyRules {
        /// How many were given.
        given: usize,
    },
    /// More checks than a policy may have.
    #[error("has {given} checks; at most {MAX_CHECKS} are allowed")]
    TooManyChecks {
        /// How many were given.
        given: usize,
    },
    /// Two rules of one name.
    #[error("is called `{name}`, as another rule of the policy is")]
    RuleNamedTwice {
        /// The rule's place, from 0.
        rule: usize,
        /// The name.
        name: Slug,
    },
    /// Two checks of one name.
    #[error("is called `{name}`, as another check of the policy is")]
    CheckNamedTwice {
        /// The check's place, from 0.
        check: usize,
        /// The name.
        name: CheckName,
    },
    /// A rule that asks for nobody or too many.
    #[error("asks for {required} people; 1 to {MAX_REQUIRED} are allowed")]
    Required {
        /// The rule's place, from 0.
        rule: usize,
        /// How many it asks for.
        required: u8,
    },
    /// A rule that names nobody.
    #[error("names nobody; name principals, roles or groups")]
    NobodyNamed {
        /// The rule's place, from 0.
        rule: usize,
    },
    /// More names than a rule, or the list of requesters, may have.
    #[error("names {given}; at most {MAX_NAMED} are allowed")]
    TooManyNamed {
        /// The rule's place, from 0; `None` where it is the requesters.
        rule: Option<usize>,
        /// How many were given.
        given: usize,
    },
    /// A request would end too soon or too late.
    #[error("must be between 1 minute and 90 days")]
    Expiry,
    /// A deployment would wait for too long.
    #[error("must be at most 30 days, and shorter than `expire_after`")]
    Wait,
}

/// Terms that say nothing they may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SoundTerms(Terms);

impl SoundTerms {
    /// These terms, or all that they may not say.
    pub fn new(terms: Terms) -> Result<Self, Vec<TermsFault>> {
        let faults = terms.faults();
        if faults.is_empty() {
            Ok(Self(terms))
        } else {
            Err(faults)
        }
    }
}

impl From<SoundTerms> for Terms {
    fn from(sound: SoundTerms) -> Self {
        sound.0
    }
}

impl Terms {
    /// What is built in for a tier, as long as it has no policy of its own.
    pub fn built_in(tier: Tier) -> Self {
        let (name, required, eligible) = match tier {
            Tier::Development | Tier::Testing => return Self::default(),
            Tier::Staging => {
                let leads = Eligible {
                    groups: [Slug::known("lead")].into(),
                    ..Eligible::default()
                };
                ("lead", 1, leads)
            }
            Tier::Production => {
                let two = Eligible::administrators_and([Slug::known("tech-lead")]);
                ("two-people", 2, two)
            }
        };
        let rule = Rule {
            name: Slug::known(name),
            required,
            eligible,
            from_risk: RiskLevel::Low,
            kinds: BTreeSet::new(),
        };
        Self {
            rules: vec![rule],
            ..Self::default()
        }
    }

    /// Whether somebody has to agree, or something has to be reported, at whatever risk.
    pub fn govern(&self) -> bool {
        !self.rules.is_empty() || !self.required_checks.is_empty()
    }

    /// All that these terms may not say.
    fn faults(&self) -> Vec<TermsFault> {
        let mut faults = Vec::new();
        if self.rules.len() > MAX_RULES {
            let given = self.rules.len();
            faults.push(TermsFault::TooManyRules { given });
        }
        if self.required_checks.len() > MAX_CHECKS {
            let given = self.required_checks.len();
            faults.push(TermsFault::TooManyChecks { given });
        }
        let mut names = BTreeSet::new();
        for (at, rule) in self.rules.iter().enumerate() {
            if !names.insert(&rule.name) {
                let name = rule.name.clone();
                faults.push(TermsFault::RuleNamedTwice { rule: at, name });
            }
            if !(1..=MAX_REQUIRED).contains(&rule.required) {
                let required = rule.required;
                faults.push(TermsFault::Required { rule: at, required });
            }
            if rule.eligible.is_empty() {
                faults.push(TermsFault::NobodyNamed { rule: at });
            }
            faults.extend(too_many(Some(at), &rule.eligible));
        }
        let mut names = BTreeSet::new();
        for (check, required) in self.required_checks.iter().enumerate() {
            if !names.insert(&required.name) {
                let name = required.name.clone();
                faults.push(TermsFault::CheckNamedTwice { check, name });
            }
        }
        faults.extend(too_many(None, &self.requesters));
        if !(MIN_EXPIRY..=MAX_EXPIRY).contains(&self.expire_after) {
            faults.push(TermsFault::Expiry);
        }
        if self.wait > MAX_WAIT || self.wait >= self.expire_after {
            faults.push(TermsFault::Wait);
        }
        faults
    }
}

fn too_many(rule: Option<usize>, eligible: &Eligible) -> Option<TermsFault> {
    let given = eligible.principals.len().max(eligible.groups.len());
    (given > MAX_NAMED).then_some(TermsFault::TooManyNamed { rule, given })
}

/// Durations as whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.as_secs().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests;
