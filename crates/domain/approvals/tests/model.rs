//! The engine against a slow and obvious model: everybody is given to every rule in turn, and the best way wins.

use std::collections::BTreeSet;

use proptest::prelude::*;
use slipway_approvals::{
    Asked, Counted, Effective, Eligible, Person, Rule, Scope, Source, Subject, Terms, Vote, Voter,
    VoterRole, stage_rule, tally,
};
use slipway_kernel::{ApplicationKind, EnvironmentId, PrincipalId, RiskLevel, Slug, Tier};
use uuid::Uuid;

const NAMES: [&str; 3] = ["security", "business", "two-people"];
const GROUPS: [&str; 3] = ["lead", "tech-lead", "audit"];
const KINDS: [ApplicationKind; 2] = [ApplicationKind::Prompt, ApplicationKind::Workflow];
const HERE: u128 = 1_000;

/// What an account says.
#[derive(Debug, Clone, Copy)]
enum Ballot {
    Nothing,
    Yes,
    /// To the rule of this name.
    YesTo(usize),
}

/// An account: who is behind it, whether by a machine, and what it is.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "all of them vary by themselves"
)]
struct Account {
    who: u128,
    machine: bool,
    disabled: bool,
    role: usize,
    group: usize,
    /// Whether it was there when people were asked.
    early: bool,
    ballot: Ballot,
    /// Whether it had a part in the deployment.
    had_a_part: bool,
}

#[derive(Debug, Clone)]
struct Said {
    name: usize,
    required: u8,
    role: Option<usize>,
    group: Option<usize>,
    principal: Option<usize>,
    from_risk: usize,
    kind: Option<usize>,
}

#[derive(Debug, Clone)]
struct World {
    accounts: Vec<Account>,
    /// What the policies of the project, of a tier, and of an environment say, where there are such.
    policies: [Option<(bool, Vec<Said>)>; 3],
    tier: Tier,
    risk: usize,
    kind: usize,
    stage: bool,
    goes_back: bool,
}

fn account() -> impl Strategy<Value = Account> {
    let ballot = prop_oneof![
        2 => Just(Ballot::Nothing),
        4 => Just(Ballot::Yes),
        2 => (0..NAMES.len()).prop_map(Ballot::YesTo),
    ];
    let part = prop::bool::weighted(0.1);
    let disabled = prop::bool::weighted(0.1);
    let early = prop::bool::weighted(0.85);
    (
        0_u128..5,
        any::<bool>(),
        disabled,
        0_usize..5,
        0_usize..4,
        early,
        ballot,
        part,
    )
        .prop_map(
            |(who, machine, disabled, role, group, early, ballot, had_a_part)| Account {
                who,
                machine,
                disabled,
                role,
                group,
                early,
                ballot,
                had_a_part,
            },
        )
}

fn said() -> impl Strategy<Value = Said> {
    let group = prop::option::of(0..GROUPS.len());
    let kind = prop::option::weighted(0.3, 0..KINDS.len());
    let (role, principal) = (prop::option::of(0_usize..5), prop::option::of(0_usize..6));
    (
        0..NAMES.len(),
        1_u8..4,
        role,
        group,
        principal,
        0_usize..3,
        kind,
    )
        .prop_map(
            |(name, required, role, group, principal, from_risk, kind)| Said {
                name,
                required,
                role,
                group,
                principal,
                from_risk,
                kind,
            },
        )
}

fn world() -> impl Strategy<Value = World> {
    let policy = || {
        let rules = prop::collection::vec(said(), 0..3);
        prop::option::of((any::<bool>(), rules))
    };
    let tier = prop::sample::select(&Tier::ALL[..]);
    let accounts = prop::collection::vec(account(), 0..7);
    let policies = [policy(), policy(), policy()];
    (
        accounts,
        policies,
        tier,
        0_usize..4,
        0_usize..2,
        any::<bool>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(accounts, policies, tier, risk, kind, stage, goes_back)| World {
                accounts,
                policies,
                tier,
                risk,
                kind,
                stage,
                goes_back,
            },
        )
}

impl World {
    fn id(&self, account: usize) -> PrincipalId {
        let Account { who, machine, .. } = self.accounts[account];
        let place = if machine { 100 + account as u128 } else { who };
        PrincipalId::from_uuid(Uuid::from_u128(place + 1))
    }

    fn voter(&self, number: usize) -> Voter {
        let account = &self.accounts[number];
        let owner = PrincipalId::from_uuid(Uuid::from_u128(account.who + 1));
        Voter {
            person: Person {
                principal: self.id(number),
                owner: account.machine.then_some(owner),
            },
            disabled: account.disabled,
            roles: [VoterRole::ALL[account.role]].into(),
            groups: GROUPS
                .get(account.group)
                .map(|name| Slug::known(name))
                .into_iter()
                .collect(),
        }
    }

    fn terms(&self, (goes_back, rules): &(bool, Vec<Said>)) -> Terms {
        let rule = |said: &Said| Rule {
            name: Slug::known(NAMES[said.name]),
            required: said.required,
            eligible: Eligible {
                principals: said
                    .principal
                    .filter(|account| *account < self.accounts.len())
                    .map(|account| self.id(account))
                    .into_iter()
                    .collect(),
                roles: said
                    .role
                    .map(|role| VoterRole::ALL[role])
                    .into_iter()
                    .collect(),
                groups: said
                    .group
                    .map(|group| Slug::known(GROUPS[group]))
                    .into_iter()
                    .collect(),
            },
            from_risk: RiskLevel::ALL[said.from_risk],
            kinds: said.kind.map(|kind| KINDS[kind]).into_iter().collect(),
        };
        Terms {
            rules: rules.iter().map(rule).collect(),
            rollback_needs_approval: *goes_back,
            ..Terms::default()
        }
    }

    /// What the engine says: how many people count for each rule, in the order of the rules.
    fn engine(&self) -> (Vec<usize>, usize) {
        let here = EnvironmentId::from_uuid(Uuid::from_u128(HERE));
        let scopes = [
            Scope::Project,
            Scope::Tier(self.tier),
            Scope::Environment(here),
        ];
        let set = scopes.iter().zip(&self.policies);
        let policies =
            set.filter_map(|(scope, policy)| Some((*scope, self.terms(policy.as_ref()?))));
        // Another environment's policy says nothing here.
        let elsewhere = EnvironmentId::from_uuid(Uuid::from_u128(HERE + 1));
        let foreign = (
            Scope::Environment(elsewhere),
            Terms::built_in(Tier::Production),
        );
        let effective = Effective::new(here, self.tier, policies.chain([foreign]));
        let subject = Subject {
            risk: RiskLevel::ALL[self.risk],
            kinds: [KINDS[self.kind]].into(),
        };
        let mut rules = effective.rules(&subject, self.goes_back);
        if self.stage {
            rules.push((Source::Stage, stage_rule()));
        }
        let voters: Vec<_> = (0..self.accounts.len()).map(|n| self.voter(n)).collect();
        let early: Vec<_> = voters
            .iter()
            .zip(&self.accounts)
            .filter(|(_, account)| account.early)
            .map(|(voter, _)| voter.clone())
            .collect();
        let asked: Vec<_> = rules
            .into_iter()
            .map(|(source, rule)| Asked::of(source, rule, &early))
            .collect();
        let counted: Vec<Counted<'_>> = asked.iter().map(Asked::counted).collect();
        let names: Vec<_> = NAMES.iter().map(|name| Slug::known(name)).collect();
        let ballots: Vec<_> = voters
            .iter()
            .zip(&self.accounts)
            .filter_map(|(voter, account)| {
                let rule = match account.ballot {
                    Ballot::Nothing => return None,
                    Ballot::Yes => None,
                    Ballot::YesTo(name) => Some(&names[name]),
                };
                Some(Vote { voter, rule })
            })
            .collect();
        let excluded: Vec<_> = voters
            .iter()
            .zip(&self.accounts)
            .filter(|(_, account)| account.had_a_part)
            .map(|(voter, _)| voter.person)
            .collect();
        let found = tally(&counted, &ballots, &excluded);
        let mut seen = BTreeSet::new();
        for (rule, people) in counted.iter().zip(&found.counted) {
            assert!(people.len() <= usize::from(rule.rule.required));
            assert!(
                people.iter().all(|person| seen.insert(*person)),
                "{found:?}"
            );
        }
        (found.counted.iter().map(Vec::len).collect(), found.missing)
    }

    /// The same by hand: the rules as (required, name, who of the people 0 to 4 may count).
    fn by_hand(&self) -> (Vec<u8>, Vec<BTreeSet<u128>>) {
        let mut rules: Vec<Said> = Vec::new();
        for (place, policy) in self.policies.iter().enumerate() {
            match policy {
                Some((always, said)) if *always || !self.goes_back => rules.extend(said.clone()),
                // Nothing but a tier has something built in, which is not asked about going back.
                None if place == 1 && !self.goes_back => rules.extend(self.built_in()),
                _ => {}
            }
        }
        rules.retain(|said| {
            let kind = said.kind.is_none_or(|kind| kind == self.kind);
            self.risk >= said.from_risk && kind
        });
        let mut needed: Vec<_> = rules.iter().map(|said| said.required).collect();
        let mut who: Vec<_> = rules.iter().map(|said| self.who(said)).collect();
        if self.stage {
            needed.push(1);
            let (admin, root) = (plain(3), plain(4));
            let mut stage = self.who(&admin);
            stage.extend(self.who(&root));
            who.push(stage);
        }
        (needed, who)
    }

    fn built_in(&self) -> Vec<Said> {
        match self.tier {
            Tier::Development | Tier::Testing => vec![],
            Tier::Staging => vec![Said {
                name: BUILT_IN,
                role: None,
                group: Some(0),
                ..plain(0)
            }],
            // Two of several sorts, which one rule here can't say: see `who`.
            Tier::Production => vec![Said {
                name: BUILT_IN,
                required: 2,
                role: Some(3),
                group: Some(1),
                ..plain(3)
            }],
        }
    }

    /// The people who may count for a rule by one of their accounts.
    fn who(&self, said: &Said) -> BTreeSet<u128> {
        let out: BTreeSet<_> = self
            .accounts
            .iter()
            .filter(|account| account.had_a_part)
            .map(|account| account.who)
            .collect();
        let mut people = BTreeSet::new();
        for (number, account) in self.accounts.iter().enumerate() {
            let votes_for_it = match account.ballot {
                Ballot::Nothing => false,
                Ballot::Yes => true,
                Ballot::YesTo(name) if said.name == BUILT_IN => {
                    self.tier == Tier::Production && NAMES[name] == "two-people"
                }
                Ballot::YesTo(name) => said.name == name,
            };
            let mut is_meant = said.role == Some(account.role)
                || said.group == Some(account.group)
                || said.principal.is_some_and(|named| {
                    named < self.accounts.len() && self.id(named) == self.id(number)
                });
            if said.name == BUILT_IN && self.tier == Tier::Production {
                is_meant |= account.role == 4;
            }
            let counts = account.early && !account.disabled && !out.contains(&account.who);
            if votes_for_it && is_meant && counts {
                people.insert(account.who);
            }
        }
        people
    }
}

/// The name of what is built in, which no vote names unless it is one of [`NAMES`] too.
const BUILT_IN: usize = 99;
/// The name of a stage's rule, which no vote names.
const STAGE: usize = 98;

fn plain(role: usize) -> Said {
    Said {
        name: STAGE,
        required: 1,
        role: Some(role),
        group: None,
        principal: None,
        from_risk: 0,
        kind: None,
    }
}

/// The most people that can count: each person is given to nothing and to every rule in turn.
fn most(people: &[u128], needed: &mut [u8], who: &[BTreeSet<u128>]) -> usize {
    let Some((person, rest)) = people.split_first() else {
        return 0;
    };
    let mut best = most(rest, needed, who);
    for rule in 0..needed.len() {
        if needed[rule] > 0 && who[rule].contains(person) {
            needed[rule] -= 1;
            best = best.max(1 + most(rest, needed, who));
            needed[rule] += 1;
        }
    }
    best
}

/// One account is what it is: of two with one id, the first stays.
fn distinct(mut world: World) -> World {
    let mut seen = BTreeSet::new();
    let ids: Vec<_> = (0..world.accounts.len()).map(|n| world.id(n)).collect();
    let accounts = std::mem::take(&mut world.accounts);
    for (id, account) in ids.into_iter().zip(accounts) {
        if seen.insert(id) {
            world.accounts.push(account);
        }
    }
    world
}

/// Few worlds need somebody to move from rule to rule, so that a few hundred would miss a fault there.
fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(ProptestConfig::default().cases.max(10_000))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_engine_agrees_with_the_model(world in world().prop_map(distinct)) {
        let (counted, missing) = world.engine();
        let (mut needed, who) = world.by_hand();
        let all: usize = needed.iter().map(|count| usize::from(*count)).sum();
        let people: Vec<_> = (0..5).collect();
        let best = most(&people, &mut needed, &who);
        prop_assert_eq!(counted.iter().sum::<usize>(), best);
        prop_assert_eq!(missing, all - best);
        prop_assert_eq!(counted.len(), needed.len());
    }
}
