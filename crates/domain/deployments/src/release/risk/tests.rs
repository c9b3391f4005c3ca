use proptest::prelude::*;

use super::*;
use crate::release::given::{application, current, draft, facts, item, key, removal, version};

const QUIET: Circumstances = Circumstances {
    tier: Tier::Development,
    kind: ApplicationKind::Prompt,
    major: None,
    movement: Movement::Forward,
    items: 1,
    author: true,
};

const ELSEWHERE: [Movement; 3] = [Movement::Back, Movement::Out, Movement::In];

/// Circumstances in which one thing more is so, or more of it.
fn worse(given: Circumstances) -> Vec<Circumstances> {
    let mut worse = vec![
        Circumstances {
            tier: Tier::Production,
            ..given
        },
        Circumstances {
            kind: ApplicationKind::AiModel,
            ..given
        },
        Circumstances {
            major: Some((1, 2)),
            ..given
        },
        Circumstances {
            items: given.items + 7,
            ..given
        },
        Circumstances {
            author: false,
            ..given
        },
    ];
    if given.movement == Movement::Forward {
        worse.extend(ELSEWHERE.map(|movement| Circumstances { movement, ..given }));
    }
    worse
}

fn levels() -> impl Strategy<Value = RiskLevel> {
    proptest::sample::select(&RiskLevel::ALL[..])
}

fn any_circumstances() -> impl Strategy<Value = Circumstances> {
    (
        proptest::sample::select(&Tier::ALL[..]),
        proptest::sample::select(&ApplicationKind::ALL[..]),
        proptest::option::of(Just((1, 2))),
        proptest::sample::select(vec![
            Movement::Forward,
            Movement::Back,
            Movement::Out,
            Movement::In,
        ]),
        0_usize..100,
        any::<bool>(),
    )
        .prop_map(
            |(tier, kind, major, movement, items, author)| Circumstances {
                tier,
                kind,
                major,
                movement,
                items,
                author,
            },
        )
}

#[test]
fn each_factor_has_its_level() {
    assert_eq!(assess(RiskLevel::Low, QUIET).factors, []);
    let mut found = Vec::new();
    for given in worse(QUIET) {
        let assessment = assess(RiskLevel::Low, given);
        let factors = assessment.factors.into_iter();
        found.extend(factors.map(|it| (it.factor, it.at_least, assessment.level)));
    }
    let medium = |factor| (factor, RiskLevel::Medium, RiskLevel::Medium);
    assert_eq!(
        found,
        [
            medium(Factor::ProductionTier),
            medium(Factor::Kind),
            medium(Factor::MajorVersion),
            medium(Factor::NoAuthor),
            medium(Factor::Downgrade),
            medium(Factor::Removal),
            medium(Factor::FirstDeployment),
        ]
    );
    let sizes =
        [9, 10, 49, 50].map(|items| assess(RiskLevel::Low, Circumstances { items, ..QUIET }).level);
    assert_eq!(
        sizes,
        [
            RiskLevel::Low,
            RiskLevel::Medium,
            RiskLevel::Medium,
            RiskLevel::High
        ]
    );
}

#[test]
fn production_raises_more_and_several_are_critical() {
    let production = Circumstances {
        tier: Tier::Production,
        ..QUIET
    };
    assert_eq!(assess(RiskLevel::Low, production).level, RiskLevel::Medium);
    let major = Circumstances {
        major: Some((1, 2)),
        ..production
    };
    assert_eq!(assess(RiskLevel::Low, major).level, RiskLevel::High);
    let unknown_too = Circumstances {
        author: false,
        ..major
    };
    let assessment = assess(RiskLevel::Low, unknown_too);
    assert_eq!(assessment.level, RiskLevel::Critical);
    let messages: Vec<_> = assessment
        .factors
        .iter()
        .map(|it| it.message.as_str())
        .collect();
    assert!(messages.contains(&"the major version changes from 1 to 2"));
    assert!(messages.contains(&"2 factors make it a high risk each"));
}

/// What the risk of the first item of a draft goes by.
fn looked(items: &[crate::release::DraftItem], facts: &crate::release::Facts) -> Circumstances {
    let draft = draft(items);
    circumstances(&draft, &draft.items[0], facts).expect("an application")
}

#[test]
fn circumstances_are_read_from_the_facts() {
    let mut facts = facts();
    let forward = looked(&[item("chat", "2.0.0")], &facts);
    let expected = Circumstances {
        tier: Tier::Production,
        major: Some((1, 2)),
        ..QUIET
    };
    assert_eq!(forward, expected);
    let out = looked(&[removal("chat"), item("x", "1")], &facts);
    assert_eq!(
        (out.movement, out.items, out.author, out.major),
        (Movement::Out, 2, true, None)
    );
    facts.current.insert(key("chat"), current("2.1.0", 0));
    let back = looked(&[item("chat", "2.0.0")], &facts);
    assert_eq!((back.movement, back.major), (Movement::Back, None));
    let unsigned = crate::release::VersionFacts {
        author: None,
        ..version(9)
    };
    let model = application(ApplicationKind::AiModel, &[("7", unsigned)]);
    facts.applications.insert(key("model"), model);
    let first = looked(&[item("model", "7")], &facts);
    assert_eq!(
        (first.movement, first.author, first.kind),
        (Movement::In, false, ApplicationKind::AiModel)
    );
    let draft = draft(&[item("nothing", "1")]);
    assert_eq!(circumstances(&draft, &draft.items[0], &facts), None);
}

proptest! {
    #[test]
    fn it_is_never_below_what_was_declared(declared in levels(), given in any_circumstances()) {
        let assessment = assess(declared, given);
        prop_assert!(assessment.level >= declared);
        for factor in &assessment.factors {
            prop_assert!(assessment.level >= factor.at_least);
        }
        let reasons = assessment.factors.iter().map(|factor| factor.at_least).max();
        prop_assert_eq!(assessment.level, reasons.unwrap_or(declared).max(declared), "and has a reason");
    }

    #[test]
    fn what_is_worse_is_never_less_risky(declared in levels(), given in any_circumstances()) {
        let before = assess(declared, given).level;
        for given in worse(given) {
            prop_assert!(assess(declared, given).level >= before, "{given:?}");
        }
        for higher in RiskLevel::ALL.into_iter().filter(|level| *level >= declared) {
            prop_assert!(assess(higher, given).level >= before);
        }
    }
}
