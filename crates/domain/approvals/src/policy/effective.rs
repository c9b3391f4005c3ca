//! The policies that apply to an environment, together.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use slipway_kernel::{EnvironmentId, PrincipalId, RiskLevel, Slug, Tier};

use super::{RequiredCheck, Scope, Terms};
use crate::{Counted, Eligible, Rule, Subject, Tally, Vote, Voter, rule::MAX_REQUIRED, tally};

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A policy that somebody set.
    Policy(Scope),
    /// What is built in for a tier that has no policy of its own.
    BuiltIn(Tier),
    /// A stage of a pipeline into the environment.
    Stage,
}

/// A rule as people were asked: with those whose agreement counts for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Where the rule comes from.
    pub source: Source,
    /// The rule.
    pub rule: Rule,
    /// Who could count for it when people were asked, ascending. Whoever comes later does not.
    pub candidates: Vec<PrincipalId>,
}

impl Asked {
    /// Whether it asks for somebody, of candidates in their order: else it would be met by nobody, or candidates would not be
    /// found among them.
    pub fn is_sound(&self) -> bool {
        (1..=MAX_REQUIRED).contains(&self.rule.required)
            && self.candidates.is_sorted_by(|one, next| one < next)
    }

    /// The rule in a count: only the candidates count for it.
    pub fn counted(&self) -> Counted<'_> {
        Counted {
            rule: &self.rule,
            candidates: Some(&self.candidates),
        }
    }

    /// A rule asked of all who may count for it now.
    pub fn of(source: Source, rule: Rule, people: &[Voter]) -> Self {
        let eligible = |voter: &&Voter| !voter.disabled && rule.eligible.has(voter);
        let mut candidates: Vec<_> = people
            .iter()
            .filter(eligible)
            .map(|voter| voter.person.principal)
            .collect();
        candidates.sort_unstable();
        Self {
            source,
            rule,
            candidates,
        }
    }
}

/// What has to hold in an environment, by all policies that apply to it together: the stricter one wins, and rules are
/// met each by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    parts: Vec<(Source, Terms)>,
}

impl Effective {
    /// The policies among these that are about this environment, and what is built in for its tier where none of them
    /// takes its place.
    pub fn new(
        environment: EnvironmentId,
        tier: Tier,
        policies: impl IntoIterator<Item = (Scope, Terms)>,
    ) -> Self {
        let covers = |(scope, _): &(Scope, Terms)| scope.covers(environment, tier);
        let mut parts: Vec<_> = policies
            .into_iter()
            .filter(covers)
            .map(|(scope, terms)| (Source::Policy(scope), terms))
            .collect();
        let own = Source::Policy(Scope::Tier(tier));
        if parts.iter().all(|(source, _)| *source != own) {
            parts.push((Source::BuiltIn(tier), Terms::built_in(tier)));
        }
        parts.sort_by_key(|(source, _)| *source);
        Self { parts }
    }

    /// The terms that apply, and where they come from.
    pub fn parts(&self) -> &[(Source, Terms)] {
        &self.parts
    }

    fn terms(&self) -> impl Iterator<Item = &Terms> {
        self.parts.iter().map(|(_, terms)| terms)
    }

    /// Whether anything has to hold here for some deployment.
    pub fn governs(&self) -> bool {
        self.terms().any(Terms::govern)
    }

    /// Whether reports of deployments are refused.
    pub fn refuses_reports(&self) -> bool {
        self.governs() && self.terms().any(|terms| terms.refuse_reports)
    }

    /// How long a request waits, and an approval counts: the shortest time that any policy says.
    pub fn expire_after(&self) -> Duration {
        let all = self.terms().map(|terms| terms.expire_after);
        all.min().unwrap_or(super::DEFAULT_EXPIRY)
    }

    /// How long there is at least between a request and its start: the longest time that any policy says of those that
    /// want to be asked about such a deployment.
    pub fn wait(&self, goes_back: bool) -> Duration {
        let asked = self.terms().filter(|terms| terms.is_asked(goes_back));
        asked.map(|terms| terms.wait).max().unwrap_or_default()
    }

    /// Whether this one may ask for deployments here: anybody where nothing governs, else administrators and whoever a
    /// policy names.
    pub fn lets_ask(&self, voter: &Voter) -> bool {
        !self.governs()
            || voter.administers()
            || self.terms().any(|terms| terms.requesters.has(voter))
    }

    /// The checks that have to be reported as passed for what is so risky, each once.
    pub fn checks(&self, risk: RiskLevel) -> BTreeSet<&RequiredCheck> {
        let all = self.terms().flat_map(|terms| &terms.required_checks);
        all.filter(|check| risk >= check.from_risk).collect()
    }

    /// The rules that such a deployment has to meet. Where it goes back to what was approved for the environment before,
    /// only those of policies that want to be asked about that too.
    pub fn rules(&self, subject: &Subject, goes_back: bool) -> Vec<(Source, Rule)> {
        self.parts
            .iter()
            .filter(|(_, terms)| terms.is_asked(goes_back))
            .flat_map(|(source, terms)| terms.rules.iter().map(|rule| (*source, rule)))
            .filter(|(_, rule)| rule.applies_to(subject))
            .map(|(source, rule)| (source, rule.clone()))
            .collect()
    }
}

/// The rule that a stage with `approval_required` adds.
pub fn stage_rule() -> Rule {
    Rule {
        name: Slug::known("stage"),
        required: 1,
        eligible: Eligible::administrators_and([]),
        from_risk: RiskLevel::Low,
        kinds: BTreeSet::new(),
    }
}

impl Terms {
    /// Whether people are asked, be it about going back to what was approved before.
    const fn is_asked(&self, goes_back: bool) -> bool {
        !goes_back || self.rollback_needs_approval
    }

    /// The rules that these people could not meet however they answer, though nobody of them had a part in it: such a
    /// policy lets nothing pass. Rules that never apply together are not held against each other.
    pub fn unmeetable(&self, people: &[Voter]) -> Vec<&Rule> {
        let votes: Vec<_> = people
            .iter()
            .map(|voter| Vote { voter, rule: None })
            .collect();
        let mut found: Vec<&Rule> = Vec::new();
        for kind in slipway_kernel::ApplicationKind::ALL {
            let subject = Subject {
                risk: RiskLevel::Critical,
                kinds: [kind].into(),
            };
            let rules = self.rules.iter().filter(|rule| rule.applies_to(&subject));
            let counted: Vec<_> = rules
                .map(|rule| Counted {
                    rule,
                    candidates: None,
                })
                .collect();
            let Tally { counted: there, .. } = tally(&counted, &votes, &[]);
            for (rule, people) in counted.iter().zip(there) {
                let short = people.len() < usize::from(rule.rule.required);
                if short && !found.iter().any(|known| known.name == rule.rule.name) {
                    found.push(rule.rule);
                }
            }
        }
        found
    }
}
