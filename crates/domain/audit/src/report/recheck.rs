//! Counting four eyes anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use slipway_approvals::{ApprovalRequest, Decision, Person, StateKind, Verdict};
use slipway_deployments::State;
use slipway_kernel::{PrincipalId, Timestamp};

use super::{DeploymentFacts, Entry, Exception, Finding, FourEyes};

/// How far the clocks of servers may be apart before their order says something.
const CLOCKS_APART: Duration = Duration::from_mins(1);

/// A deployment's entry: what four eyes come to by the facts, and what is out of the ordinary.
pub(super) fn recheck(facts: DeploymentFacts, people: &HashMap<PrincipalId, Person>) -> Entry {
    let mut check = Check {
        people,
        facts: &facts,
        exceptions: Vec::new(),
    };
    check.run();
    let mut exceptions = check.exceptions;
    exceptions.sort();
    exceptions.dedup();
    let four_eyes = four_eyes(&facts, &exceptions);
    Entry::Deployment {
        facts: Box::new(facts),
        four_eyes,
        exceptions,
    }
}

fn four_eyes(facts: &DeploymentFacts, exceptions: &[Exception]) -> FourEyes {
    let violated = |exception: &Exception| matches!(exception, Exception::Violation { .. });
    let request = facts.request();
    if exceptions.iter().any(violated) {
        FourEyes::Violated
    } else if request.is_some_and(|request| request.overridden.is_some()) {
        FourEyes::Overridden
    } else if request.is_none() {
        FourEyes::NotRequired
    } else if carried_out(facts) {
        FourEyes::Met
    } else {
        FourEyes::NotCarriedOut
    }
}

/// Whether it began after people were asked last. One whose plan had changed began, found that out, and waits again with
/// nothing touched.
fn carried_out(facts: &DeploymentFacts) -> bool {
    let began = |state| {
        matches!(
            state,
            State::Running
                | State::Canceling
                | State::Compensating
                | State::InDoubt
                | State::Succeeded
                | State::RolledBack
        )
    };
    let last = |is: &dyn Fn(State) -> bool| {
        let mut states = facts.history.iter();
        states.rposition(|transition| is(transition.state))
    };
    let asked = last(&|state| matches!(state, State::PendingApproval | State::Approved));
    began(facts.deployment.state) || last(&began) > asked
}

struct Check<'a> {
    people: &'a HashMap<PrincipalId, Person>,
    facts: &'a DeploymentFacts,
    exceptions: Vec<Exception>,
}

impl Check<'_> {
    fn run(&mut self) {
        for request in &self.facts.requests {
            self.overrides(request);
        }
        if !self.facts.freezes.is_empty() {
            self.exceptions.push(Exception::FreezeCrossed);
        }
        let Some(request) = self.facts.request() else {
            self.without_request();
            return;
        };
        let sound = self.answers(request);
        if carried_out(self.facts) {
            self.settled(request, sound);
        }
    }

    fn behind(&self, principal: PrincipalId) -> PrincipalId {
        let person = self.people.get(&principal);
        person.map_or(principal, |person| person.behind())
    }

    fn find(&mut self, finding: Finding, principal: Option<PrincipalId>) {
        self.exceptions.push(Exception::Violation {
            finding,
            principal,
            rule: None,
        });
    }

    fn find_rule(&mut self, finding: Finding, rule: String) {
        self.exceptions.push(Exception::Violation {
            finding,
            principal: None,
            rule: Some(rule),
        });
    }

    /// Nobody was asked.
    fn without_request(&mut self) {
        if !carried_out(self.facts) {
            return;
        }
        if self.facts.deployment.approval_required {
            self.find(Finding::NotApproved, None);
        }
        for rule in &self.facts.unasked {
            self.find_rule(Finding::NotAsked, rule.to_string());
        }
    }

    fn overrides(&mut self, request: &ApprovalRequest) {
        let Some(overridden) = &request.overridden else {
            return;
        };
        self.exceptions.push(Exception::Overridden);
        let Some(review) = &overridden.review else {
            self.exceptions.push(Exception::OverrideNotReviewed);
            return;
        };
        let reviewer = self.behind(review.principal);
        let makers = self.facts.makers.iter();
        let had_a_part = makers.map(|maker| maker.behind()).any(|of| of == reviewer);
        if had_a_part || self.behind(overridden.principal) == reviewer {
            self.find(Finding::ReviewedOwn, Some(review.principal));
        }
    }

    /// Looks at each approval that stands, and answers with those that may count.
    fn answers(&mut self, request: &ApprovalRequest) -> Vec<Decision> {
        let requester = self.behind(self.facts.deployment.requested_by);
        let makers = self.facts.makers.iter();
        let makers: HashSet<_> = makers.map(|maker| maker.behind()).collect();
        let mut seen: BTreeMap<PrincipalId, PrincipalId> = BTreeMap::new();
        let mut sound = Vec::new();
        for made in &request.decisions {
            if made.verdict != Verdict::Approve || made.withdrawn.is_some() {
                continue;
            }
            let by = made.principal;
            let person = self.behind(by);
            if person != made.person {
                self.find(Finding::OtherPerson, Some(by));
            }
            let twice = seen.insert(person, by).is_some();
            let finding = if person == requester {
                Some(Finding::ApprovedByRequester)
            } else if makers.contains(&person) {
                Some(Finding::ApprovedByMaker)
            } else {
                twice.then_some(Finding::ApprovedTwice)
            };
            match finding {
                Some(finding) => self.find(finding, Some(by)),
                None => sound.push(Decision {
                    person,
                    ..made.clone()
                }),
            }
        }
        sound
    }

    /// What must hold of a request whose deployment was carried out.
    fn settled(&mut self, request: &ApprovalRequest, sound: Vec<Decision>) {
        if request.state.kind() != StateKind::Approved {
            self.find(Finding::NotApproved, None);
        }
        if request.digest != self.facts.deployment.plan_digest {
            self.find(Finding::OtherPlan, None);
        }
        self.times(request);
        if request.overridden.is_some() {
            return;
        }
        let counted = ApprovalRequest {
            decisions: sound,
            ..request.clone()
        };
        let tally = counted.settled();
        for (asked, people) in request.rules.iter().zip(&tally.counted) {
            if people.len() < usize::from(asked.rule.required) {
                self.find_rule(Finding::TooFew, asked.rule.name.to_string());
            }
        }
    }

    fn times(&mut self, request: &ApprovalRequest) {
        let Some(began) = self.facts.deployment.started_at else {
            return;
        };
        let after = |time: Timestamp, than: Timestamp| time > than.plus(CLOCKS_APART);
        let agreed = request.decisions.iter();
        let agreed = agreed
            .filter(|made| made.verdict == Verdict::Approve && made.withdrawn.is_none())
            .map(|made| made.at);
        let overridden = request.overridden.iter().map(|overridden| overridden.at);
        if agreed.chain(overridden).any(|at| after(at, began)) {
            self.find(Finding::ApprovedLate, None);
        }
        if after(began, request.expires_at) {
            self.find(Finding::ApprovalExpired, None);
        }
    }
}
