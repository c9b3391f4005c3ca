use slipway_kernel::PrincipalId;
use uuid::Uuid;

use super::*;
use crate::{Person, Voter, VoterRole};

fn rule(name: &str, required: u8, role: VoterRole) -> Rule {
    Rule {
        name: name.parse().expect("a slug"),
        required,
        eligible: Eligible {
            roles: [role].into(),
            ..Eligible::default()
        },
        from_risk: RiskLevel::Low,
        kinds: BTreeSet::new(),
    }
}

fn with(rules: Vec<Rule>) -> Terms {
    Terms {
        rules,
        ..Terms::default()
    }
}

fn person(n: u128, owner: Option<u128>, role: VoterRole) -> Voter {
    let id = |n| PrincipalId::from_uuid(Uuid::from_u128(n));
    Voter {
        person: Person {
            principal: id(n),
            owner: owner.map(id),
        },
        disabled: false,
        roles: [role].into(),
        groups: BTreeSet::new(),
    }
}

#[test]
fn what_is_built_in_may_be_said_too() {
    for tier in Tier::ALL {
        let terms = Terms::built_in(tier);
        assert_eq!(terms.faults(), [], "{tier}");
        let governed = matches!(tier, Tier::Staging | Tier::Production);
        assert_eq!(terms.govern(), governed, "{tier}");
    }
}

#[test]
fn every_fault_is_told() {
    let mut terms = with(vec![
        rule("one", 0, VoterRole::Admin),
        rule("one", 11, VoterRole::Admin),
        rule("none", 1, VoterRole::Admin),
    ]);
    terms.rules[2].eligible = Eligible::default();
    terms.requesters.groups = (0..=MAX_NAMED)
        .map(|n| format!("g{n}").parse().expect("a slug"))
        .collect();
    let check = RequiredCheck {
        name: "unit".parse().expect("a key"),
        from_risk: RiskLevel::Low,
    };
    terms.required_checks = vec![check.clone(), check];
    terms.expire_after = Duration::from_secs(59);
    terms.wait = Duration::from_secs(59);
    let faults = terms.faults();
    assert_eq!(faults.len(), 8, "{faults:?}");
    let many = with(vec![rule("one", 1, VoterRole::Admin); MAX_RULES + 1]);
    let given = MAX_RULES + 1;
    assert!(many.faults().contains(&TermsFault::TooManyRules { given }));
}

#[test]
fn terms_come_back_from_json() {
    let mut terms = Terms::built_in(Tier::Production);
    terms.wait = Duration::from_secs(90);
    let json = serde_json::to_string(&terms).expect("JSON");
    assert!(json.contains(r#""wait":90"#), "{json}");
    let back: Terms = serde_json::from_str(&json).expect("terms");
    assert_eq!(back, terms);
}

#[test]
fn what_nobody_can_meet_is_found() {
    let people = [
        person(1, None, VoterRole::Admin),
        person(10, Some(1), VoterRole::Admin),
        person(2, None, VoterRole::Approver),
    ];
    let names = |terms: &Terms| {
        let found = terms.unmeetable(&people);
        found
            .into_iter()
            .map(|rule| rule.name.to_string())
            .collect::<Vec<_>>()
    };
    // A person with a machine is one person.
    let two = rule("two", 2, VoterRole::Admin);
    assert_eq!(names(&with(vec![two])), ["two"]);
    // Each by itself could be met, both together not, unless they never meet.
    let mut one = rule("one", 1, VoterRole::Admin);
    let mut other = rule("other", 1, VoterRole::Admin);
    assert_eq!(names(&with(vec![one.clone(), other.clone()])), ["other"]);
    one.kinds = [slipway_kernel::ApplicationKind::Prompt].into();
    other.kinds = [slipway_kernel::ApplicationKind::Workflow].into();
    assert!(names(&with(vec![one, other])).is_empty());
    let both = vec![
        rule("one", 1, VoterRole::Admin),
        rule("other", 1, VoterRole::Approver),
    ];
    assert!(names(&with(both)).is_empty());
}
