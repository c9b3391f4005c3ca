//! What people answer, and whether that is enough.

use std::collections::BTreeSet;

use slipway_kernel::{PrincipalId, Sha256, Slug, Timestamp};

use crate::{
    ApprovalRequest, Asked, Counted, Decision, Eligible, Person, RequestState, Rule, StateKind,
    Tally, Verdict, Vote, Voter, WhyNot, Withdrawal, may_decide, tally,
};

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// It does not wait for answers any more.
    #[error("it is {state}")]
    NotPending {
        /// Where it is.
        state: StateKind,
    },
    /// The same person answered before, be it withdrawn or not.
    #[error("you answered it before")]
    AlreadyDecided,
    /// What was looked at is not what would happen.
    #[error("what would happen is not what was looked at")]
    OtherDigest,
    /// The rule named is none of the request's.
    #[error("no rule is called `{0}`")]
    UnknownRule(Slug),
    /// This one may not answer.
    #[error("who answers {0}")]
    WhyNot(#[from] WhyNot),
}

/// Why an approval was not withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotWithdrawn {
    /// The request is over.
    #[error("it is {state}")]
    Over {
        /// Where it is.
        state: StateKind,
    },
    /// The person did not approve, or has withdrawn before.
    #[error("you have no approval there to withdraw")]
    Nothing,
}

/// Why what was answered does not suffice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEnough {
    /// It was not approved, or is not the last request any more.
    #[error("the approval request is {state}")]
    NotApproved {
        /// Where it is.
        state: StateKind,
    },
    /// It was approved too long ago.
    #[error("the approval has expired")]
    Expired,
    /// Something else was agreed to.
    #[error("what would happen is not what was agreed to")]
    OtherDigest,
    /// Of those who agreed, too few count any more.
    #[error("of those who agreed too few count any more for the rule `{rule}`")]
    TooFew {
        /// The rule.
        rule: Slug,
    },
    /// What has to be met by now is more than what was asked.
    #[error("the rule `{rule}` has to be met by now, and is not")]
    Stricter {
        /// The rule.
        rule: Slug,
    },
    /// Who let it pass without those who were asked may not any more.
    #[error("who overrode the approval may not any more")]
    Override,
}

/// What is known when a deployment is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct AtStart<'a> {
    /// What would happen.
    pub digest: Sha256,
    /// What would have to be met if people were asked now.
    pub current: &'a [Rule],
    /// Who decided, as they are now.
    pub voters: &'a [Voter],
    /// Who may not.
    pub excluded: &'a [Person],
    /// When.
    pub now: Timestamp,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Who counts for which rule, in the order of the request's rules.
    pub tally: Tally,
    /// Who could still count for each rule: whoever was asked, may answer, and has not.
    pub can: Vec<Vec<PrincipalId>>,
    /// For each rule how many would be missing though everybody who can agreed.
    pub short: Vec<usize>,
}

impl ApprovalRequest {
    fn counted(&self) -> Vec<Counted<'_>> {
        self.rules.iter().map(Asked::counted).collect()
    }

    /// The approvals that were given to what would happen and not withdrawn, of those voters.
    fn votes<'a>(&'a self, voters: &'a [Voter]) -> Vec<Vote<'a>> {
        let vote = |made: &'a Decision| {
            let is_voter = |voter: &&Voter| voter.person.principal == made.principal;
            let counts = made.verdict == Verdict::Approve
                && made.withdrawn.is_none()
                && made.digest == self.digest;
            let voter = voters.iter().find(is_voter).filter(|_| counts)?;
            Some(Vote {
                voter,
                rule: made.rule.as_ref(),
            })
        };
        self.decisions.iter().filter_map(vote).collect()
    }

    /// Who counts for which rule, by what is known of the voters now.
    pub fn tally(&self, voters: &[Voter], excluded: &[Person]) -> Tally {
        tally(&self.counted(), &self.votes(voters), excluded)
    }

    /// Who counted for which rule when it was settled, whatever became of them since: by those who were asked.
    pub fn settled(&self) -> Tally {
        let voters: Vec<_> = self.decisions.iter().map(voter_then).collect();
        let rules: Vec<_> = self.rules.iter().map(rule_then).collect();
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| Counted {
                rule,
                candidates: None,
            })
            .collect();
        tally(&rules, &self.votes(&voters), &[])
    }

    /// How far it is, and who can still answer: `people` are all who may be in the project.
    pub fn progress(&self, people: &[Voter], excluded: &[Person]) -> Progress {
        let rules = self.counted();
        let votes = self.votes(people);
        let decided = |voter: &&Voter| {
            let person = voter.person.behind();
            self.decisions.iter().any(|made| made.person == person)
        };
        let open: Vec<&Voter> = people.iter().filter(|voter| !decided(voter)).collect();
        let can = |rule: &Counted<'_>| {
            let alone = [*rule];
            let may = |voter: &&&Voter| may_decide(voter, &alone, excluded).is_ok();
            let found = open.iter().filter(may);
            found.map(|voter| voter.person.principal).collect()
        };
        let all = votes.iter().copied();
        let all: Vec<_> = all
            .chain(open.iter().map(|voter| Vote { voter, rule: None }))
            .collect();
        let most = tally(&rules, &all, excluded);
        let short = rules.iter().zip(&most.counted);
        Progress {
            tally: tally(&rules, &votes, excluded),
            can: rules.iter().map(can).collect(),
            short: short
                .map(|(rule, people)| usize::from(rule.rule.required) - people.len())
                .collect(),
        }
    }

    /// Takes an answer. One rejection ends the request; it is approved as soon as every rule has as many people as it
    /// needs. The voters are those who decided and who does now, as they are now.
    pub fn decide(
        mut self,
        decision: Decision,
        voters: &[Voter],
        excluded: &[Person],
    ) -> Result<Self, NotDecided> {
        let now = decision.at;
        let decided = |made: &Decision| made.person == decision.person;
        if self.decisions.iter().any(decided) {
            return Err(NotDecided::AlreadyDecided);
        }
        let state = self.state_at(now);
        if state != StateKind::Pending {
            return Err(NotDecided::NotPending { state });
        }
        self.may_answer(&decision, voters, excluded)?;
        if decision.digest != self.digest {
            return Err(NotDecided::OtherDigest);
        }
        let verdict = decision.verdict;
        self.decisions.push(decision);
        if verdict == Verdict::Reject {
            self.state = RequestState::Rejected { at: now };
        } else if self.tally(voters, excluded).is_met() {
            self.state = RequestState::Approved { at: now };
        }
        Ok(self)
    }

    /// Passes where who decides may count for the rule named, or for any.
    fn may_answer(
        &self,
        decision: &Decision,
        voters: &[Voter],
        excluded: &[Person],
    ) -> Result<(), NotDecided> {
        let mut rules = self.counted();
        if let Some(name) = &decision.rule {
            rules.retain(|rule| rule.rule.name == *name);
            if rules.is_empty() {
                return Err(NotDecided::UnknownRule(name.clone()));
            }
        }
        let is_voter = |voter: &&Voter| voter.person.principal == decision.principal;
        let voter = voters.iter().find(is_voter).ok_or(WhyNot::NotEligible)?;
        Ok(may_decide(voter, &rules, excluded)?)
    }

    /// Takes an approval back. Where too few are left, the request waits again.
    pub fn withdraw(
        mut self,
        person: PrincipalId,
        withdrawal: Withdrawal,
        voters: &[Voter],
        excluded: &[Person],
    ) -> Result<Self, NotWithdrawn> {
        let state = self.state_at(withdrawal.at);
        if !matches!(state, StateKind::Pending | StateKind::Approved) {
            return Err(NotWithdrawn::Over { state });
        }
        let counts = |made: &&mut Decision| {
            made.person == person && made.verdict == Verdict::Approve && made.withdrawn.is_none()
        };
        let made = self.decisions.iter_mut().find(counts);
        made.ok_or(NotWithdrawn::Nothing)?.withdrawn = Some(withdrawal);
        if self.overridden.is_none() && !self.tally(voters, excluded).is_met() {
            self.state = RequestState::Pending;
        }
        Ok(self)
    }

    /// Passes where what was answered suffices for what would happen now: by what was asked, and by what would be asked
    /// now, with people who still count.
    pub fn enough(&self, start: &AtStart<'_>) -> Result<(), NotEnough> {
        let state = self.state.kind();
        if state != StateKind::Approved {
            return Err(NotEnough::NotApproved { state });
        }
        if self.is_overdue(start.now) {
            return Err(NotEnough::Expired);
        }
        if self.digest != start.digest {
            return Err(NotEnough::OtherDigest);
        }
        if let Some(overridden) = &self.overridden {
            let counts = overridden.still_counts(start.voters);
            return counts.then_some(()).ok_or(NotEnough::Override);
        }
        let votes = self.votes(start.voters);
        if let Some(rule) = unmet(&self.counted(), &votes, start.excluded) {
            return Err(NotEnough::TooFew { rule });
        }
        let current = start.current.iter().map(|rule| Counted {
            rule,
            candidates: None,
        });
        let current: Vec<_> = current.collect();
        match unmet(&current, &votes, start.excluded) {
            Some(rule) => Err(NotEnough::Stricter { rule }),
            None => Ok(()),
        }
    }
}

/// Somebody who decided, as far as the decision tells.
fn voter_then(made: &Decision) -> Voter {
    Voter {
        person: Person {
            principal: made.principal,
            owner: Some(made.person),
        },
        disabled: false,
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
    }
}

/// A rule of those who were asked, by name.
fn rule_then(asked: &Asked) -> Rule {
    Rule {
        eligible: Eligible {
            principals: asked.candidates.iter().copied().collect(),
            ..Eligible::default()
        },
        ..asked.rule.clone()
    }
}

/// The first rule for which too few count.
fn unmet(rules: &[Counted<'_>], votes: &[Vote<'_>], excluded: &[Person]) -> Option<Slug> {
    let tally = tally(rules, votes, excluded);
    let short = |(rule, people): &(&Counted<'_>, &Vec<PrincipalId>)| {
        people.len() < usize::from(rule.rule.required)
    };
    let (rule, _) = rules.iter().zip(&tally.counted).find(short)?;
    Some(rule.rule.name.clone())
}
