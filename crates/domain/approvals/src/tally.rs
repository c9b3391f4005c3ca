//! The count of who agreed: each person once over all rules, and so that as many of the needed approvals as possible
//! are there.

use std::collections::BTreeSet;

use slipway_kernel::{PrincipalId, Slug};

use crate::{Person, Rule, Voter, four_eyes::may_vote};

/// A rule in a count.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Who alone may count for it, ascending; `None` where that is not limited.
    pub candidates: Option<&'a [PrincipalId]>,
}

/// Somebody who agrees, or could.
#[derive(Debug, Clone, Copy)]
pub struct Vote<'a> {
    /// Who, as it is known now.
    pub voter: &'a Voter,
    /// The rule that it was given for; `None` where it counts for whichever needs it.
    pub rule: Option<&'a Slug>,
}

/// What a count comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// For each rule the people who count for it: as many as it needs at most.
    pub counted: Vec<Vec<PrincipalId>>,
    /// How many approvals are still missing, over all rules.
    pub missing: usize,
}

impl Tally {
    /// Whether every rule has as many people as it needs.
    pub const fn is_met(&self) -> bool {
        self.missing == 0
    }
}

impl Counted<'_> {
    /// Whether this one may count for the rule, but for what excludes it from all of them.
    pub fn takes(&self, voter: &Voter) -> bool {
        let is_candidate = |all: &[PrincipalId]| all.binary_search(&voter.person.principal).is_ok();
        self.candidates.is_none_or(is_candidate) && self.rule.eligible.has(voter)
    }
}

/// Counts votes for rules. A person who votes by several accounts counts once, for any rule that one of them may count
/// for. Nobody who is disabled or excluded counts.
pub fn tally(rules: &[Counted<'_>], votes: &[Vote<'_>], excluded: &[Person]) -> Tally {
    let excluded: BTreeSet<_> = excluded.iter().map(|person| person.behind()).collect();
    let mut votes: Vec<_> = votes
        .iter()
        .filter(|vote| may_vote(vote.voter, &excluded).is_ok())
        .map(|vote| (vote.voter.person.behind(), vote))
        .collect();
    votes.sort_by_key(|(person, _)| *person);
    let mut matching = Matching::new(rules);
    for votes in votes.chunk_by(|(one, _), (other, _)| one == other) {
        let fits = |(at, rule): (usize, &Counted<'_>)| {
            let takes = |(_, vote): &(PrincipalId, &Vote<'_>)| {
                vote.rule.is_none_or(|named| *named == rule.rule.name) && rule.takes(vote.voter)
            };
            votes.iter().any(takes).then_some(at)
        };
        matching.add(votes[0].0, rules.iter().enumerate().filter_map(fits));
    }
    matching.finish()
}

/// People and the rules that they may count for, and a maximum flow from the ones to the others, one person at a time.
struct Matching<'a> {
    rules: &'a [Counted<'a>],
    people: Vec<PrincipalId>,
    /// The rules that the person with the same number may count for lie between two bounds here.
    fits: Vec<usize>,
    bounds: Vec<usize>,
    /// The numbers of the people who count for each rule.
    counted: Vec<Vec<usize>>,
    /// For whom a rule was looked at last, from 1.
    seen: Vec<usize>,
    /// How many people are needed yet.
    missing: usize,
}

impl<'a> Matching<'a> {
    fn new(rules: &'a [Counted<'a>]) -> Self {
        let needed = rules.iter().map(|it| usize::from(it.rule.required));
        Self {
            rules,
            people: Vec::new(),
            fits: Vec::new(),
            bounds: vec![0],
            counted: vec![Vec::new(); rules.len()],
            seen: vec![0; rules.len()],
            missing: needed.sum(),
        }
    }

    fn add(&mut self, person: PrincipalId, fits: impl Iterator<Item = usize>) {
        if self.missing == 0 {
            return;
        }
        self.people.push(person);
        self.fits.extend(fits);
        self.bounds.push(self.fits.len());
        let round = self.people.len();
        self.missing -= usize::from(self.place(round - 1, round));
    }

    /// Finds a place for somebody, where need be by moving others to other rules that need them. Every rule is looked at
    /// once at most for that, which also bounds the depth.
    fn place(&mut self, person: usize, round: usize) -> bool {
        let fits = self.bounds[person]..self.bounds[person + 1];
        let free = self.fits[fits.clone()]
            .iter()
            .find(|rule| self.needs_more(**rule));
        if let Some(rule) = free.copied() {
            self.counted[rule].push(person);
            return true;
        }
        for at in fits {
            let rule = self.fits[at];
            if self.seen[rule] == round {
                continue;
            }
            self.seen[rule] = round;
            for holder in 0..self.counted[rule].len() {
                if self.place(self.counted[rule][holder], round) {
                    self.counted[rule][holder] = person;
                    return true;
                }
            }
        }
        false
    }

    fn needs_more(&self, rule: usize) -> bool {
        self.counted[rule].len() < usize::from(self.rules[rule].rule.required)
    }

    fn finish(self) -> Tally {
        let person = |number: usize| self.people[number];
        let named = |numbers: Vec<usize>| {
            let mut people: Vec<_> = numbers.into_iter().map(person).collect();
            people.sort_unstable();
            people
        };
        Tally {
            missing: self.missing,
            counted: self.counted.into_iter().map(named).collect(),
        }
    }
}
