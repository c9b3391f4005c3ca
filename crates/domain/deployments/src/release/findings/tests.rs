use slipway_kernel::{
    ApplicationKind,
    requirements::{Operator, Test, ValidationRule},
};

use super::*;
use crate::release::{
    ApplicationFacts, MAX_LOOKED_THROUGH, Needed,
    given::{application, current, draft, facts, item, key, removal, version},
};

fn chat(facts: &mut Facts) -> &mut ApplicationFacts {
    facts.applications.get_mut(&key("chat")).expect("chat")
}

fn newest(facts: &mut Facts) -> &mut VersionFacts {
    chat(facts).versions.get_mut(&key("2.0.0")).expect("2.0.0")
}

/// The reasons of what is found, with the places of the items.
fn reasons(items: &[DraftItem], facts: &Facts) -> Vec<(Reason, Option<usize>)> {
    let found = findings(&draft(items), facts).listed;
    found
        .into_iter()
        .map(|finding| (finding.reason, finding.item))
        .collect()
}

fn message(items: &[DraftItem], facts: &Facts) -> String {
    let found = findings(&draft(items), facts).listed;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].message.clone()
}

#[test]
fn a_good_release_has_no_findings() {
    assert_eq!(
        findings(&draft(&[item("chat", "2.0.0")]), &facts()),
        Findings::default()
    );
}

#[test]
fn what_is_not_there_or_not_to_be_deployed() {
    let mut facts = facts();
    assert_eq!(
        reasons(&[item("caht", "2.0.0"), item("chat", "3.0.0")], &facts),
        [
            (Reason::ApplicationNotFound, Some(0)),
            (Reason::VersionNotFound, Some(1))
        ]
    );
    newest(&mut facts).deprecated = Some("leaks".parse().expect("a reason"));
    let told = message(&[item("chat", "2.0.0")], &facts);
    assert_eq!(
        told,
        "version `2.0.0` of `chat` is deprecated (leaks): choose another one"
    );
    chat(&mut facts).archived = true;
    assert_eq!(
        reasons(&[item("chat", "2.0.0")], &facts),
        [
            (Reason::ApplicationArchived, Some(0)),
            (Reason::VersionDeprecated, Some(0))
        ]
    );
    assert_eq!(
        reasons(&[removal("chat")], &facts),
        [],
        "both may be removed"
    );
}

#[test]
fn each_application_once() {
    let items = [item("chat", "2.0.0"), item("chat", "9"), removal("chat")];
    assert_eq!(
        reasons(&items, &facts()),
        [
            (Reason::DuplicateItem, Some(1)),
            (Reason::DuplicateItem, Some(2))
        ]
    );
}

#[test]
fn something_must_change() {
    let mut facts = facts();
    assert_eq!(reasons(&[], &facts), [(Reason::NothingToDo, None)]);
    let found = findings(&draft(&[item("chat", "1.0.0")]), &facts);
    let severities: Vec<_> = found
        .listed
        .iter()
        .map(|it| (it.reason, it.severity, it.item))
        .collect();
    assert_eq!(
        severities,
        [
            (Reason::AlreadyCurrent, Severity::Warning, Some(0)),
            (Reason::NothingToDo, Severity::Error, None)
        ]
    );
    facts.current.clear();
    assert_eq!(
        reasons(&[removal("chat")], &facts),
        [
            (Reason::AlreadyCurrent, Some(0)),
            (Reason::NothingToDo, None)
        ]
    );
    // One that changes something is enough.
    let model = application(ApplicationKind::AiModel, &[("7", version(1))]);
    facts.applications.insert(key("model"), model);
    let items = [removal("chat"), item("model", "7")];
    assert_eq!(reasons(&items, &facts), [(Reason::AlreadyCurrent, Some(0))]);
    assert!(!findings(&draft(&items), &facts).refuse());
}

#[test]
fn of_a_part_only_what_does_not_rest_on_the_rest() {
    let mut facts = facts();
    newest(&mut facts).dependencies = vec![Needed {
        application: key("assets"),
        requirement: "^2".to_owned(),
    }];
    let found = findings(&draft(&[item("chat", "2.0.0"), item("caht", "1")]), &facts);
    let part: Vec<_> = found.clone().of_a_part().listed;
    assert_eq!((found.listed.len(), part.len()), (2, 1));
    assert_eq!(part[0].reason, Reason::ApplicationNotFound);
    assert_eq!(
        findings(&draft(&[]), &facts).of_a_part(),
        Findings::default()
    );
}

#[test]
fn of_too_many_findings_the_errors_stay() {
    let finding = |severity, item| Finding {
        reason: Reason::RuleViolated,
        severity,
        item,
        message: String::new(),
    };
    let warnings = Findings {
        listed: vec![finding(Severity::Warning, Some(1)); MAX_FINDINGS],
        left_out: 3,
    };
    let errors = [
        finding(Severity::Error, None),
        finding(Severity::Error, Some(0)),
    ];
    let all = warnings.with(errors);
    assert_eq!((all.listed.len(), all.left_out), (MAX_FINDINGS, 5));
    assert!(all.refuse() && all.errors().count() == 2);
    assert_eq!(all.listed[0].item, Some(0));
    assert_eq!(all.listed[MAX_FINDINGS - 1].item, None);
}

#[test]
fn back_only_where_the_item_says_so() {
    let mut facts = facts();
    facts.current.insert(key("chat"), current("10.0.0", 0));
    let told = message(&[item("chat", "2.0.0")], &facts);
    assert!(told.contains("older than `10.0.0`"), "{told}");
    let allowed = DraftItem {
        allow_older: true,
        ..item("chat", "2.0.0")
    };
    assert_eq!(reasons(&[allowed], &facts), []);
    // Neither semantic versions nor integers: by when they were added.
    for (age, back) in [(1, false), (3, true)] {
        facts.current.insert(key("chat"), current("build-9", age));
        let found = reasons(&[item("chat", "2.0.0")], &facts);
        assert_eq!(!found.is_empty(), back);
    }
}

#[test]
fn dependencies_come_along_or_are_there() {
    let mut facts = facts();
    newest(&mut facts).dependencies = vec![Needed {
        application: key("assets"),
        requirement: "^2".to_owned(),
    }];
    let chat = item("chat", "2.0.0");
    let told = message(std::slice::from_ref(&chat), &facts);
    assert_eq!(
        told,
        "version `2.0.0` of `chat` needs `assets` in a version `^2`, but nothing of it is in the environment: add it to \
         the release"
    );
    let versions = [("1.9.0", version(1)), ("2.3.0", version(2))];
    let assets = application(ApplicationKind::PromptAsset, &versions);
    facts.applications.insert(key("assets"), assets);
    let with = |item: DraftItem| [chat.clone(), item];
    assert_eq!(reasons(&with(item("assets", "2.3.0")), &facts), []);
    assert_eq!(
        reasons(&with(item("assets", "1.9.0")), &facts),
        [(Reason::DependencyIncompatible, Some(0))]
    );
    facts.current.insert(key("assets"), current("1.9.0", 1));
    let told = message(std::slice::from_ref(&chat), &facts);
    assert!(
        told.contains("`1.9.0` is current in the environment"),
        "{told}"
    );
    assert_eq!(
        reasons(&with(item("assets", "2.3.0")), &facts),
        [],
        "the release counts before what is there"
    );
    facts.current.insert(key("assets"), current("2.0.0", 1));
    assert_eq!(reasons(std::slice::from_ref(&chat), &facts), []);
    assert_eq!(
        reasons(&with(removal("assets")), &facts),
        [(Reason::DependencyMissing, Some(0))]
    );
}

#[test]
fn prompts_have_the_languages_that_the_project_requires() {
    let mut facts = facts();
    let locales = ["en", "de", "pt-BR"].map(|name| name.parse().expect("a locale"));
    facts.requirements.locales = locales.to_vec().try_into().expect("few");
    let release = [item("chat", "2.0.0")];
    let told = message(&release, &facts);
    assert!(told.contains("lacks `en`, `de`, `pt-BR`,"), "{told}");
    let attribute = |names: &str| {
        let map = [("locales".to_owned(), names.to_owned())];
        std::collections::BTreeMap::from(map)
            .try_into()
            .expect("attributes")
    };
    newest(&mut facts).attributes = attribute("en, DE ,pt_br,fr");
    assert_eq!(reasons(&release, &facts), []);
    newest(&mut facts).attributes = attribute("");
    newest(&mut facts).text = Some(r#"{"locales": {"en": "", "de": "", "pt-BR": ""}}"#.to_owned());
    assert_eq!(
        reasons(&release, &facts),
        [(Reason::LocaleMissing, Some(0))],
        "the attribute counts, where there is one"
    );
    newest(&mut facts).attributes = slipway_kernel::Attributes::default();
    assert_eq!(reasons(&release, &facts), []);
    newest(&mut facts).text = Some(r#"{"locales": ["en", "de", "pt-BR"]}"#.to_owned());
    assert_eq!(
        reasons(&release, &facts),
        [(Reason::LocaleMissing, Some(0))]
    );
    chat(&mut facts).kind = ApplicationKind::PromptAsset;
    assert_eq!(reasons(&release, &facts), [], "only prompts");
}

#[test]
fn content_that_nobody_looked_through_is_told() {
    let mut facts = facts();
    let chat = facts.applications.get_mut(&key("chat")).expect("there");
    let version = chat.versions.get_mut(&key("2.0.0")).expect("there");
    version.unread = Some(MAX_LOOKED_THROUGH + 1);
    let found = findings(&draft(&[item("chat", "2.0.0")]), &facts);
    let told: Vec<_> = found.listed.iter().map(|it| it.reason).collect();
    assert_eq!(told, [Reason::ContentNotLookedThrough]);
    assert!(!found.refuse());
}

#[test]
fn what_is_current_can_stand_against_a_draft_later() {
    let mut facts = facts();
    let wanted = draft(&[item("chat", "1.0.0")]);
    let reasons = |facts: &Facts, wanted: &Draft| {
        let found = against_current(wanted, facts).listed;
        found.iter().map(|it| it.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&facts, &wanted), []);
    facts.current = [(key("chat"), current("2.0.0", 2))].into();
    assert_eq!(reasons(&facts, &wanted), [Reason::VersionGoesBack]);
    let mut said = wanted.clone();
    said.items[0].allow_older = true;
    assert_eq!(reasons(&facts, &said), []);
    let chat = facts.applications.get_mut(&key("chat")).expect("there");
    let version = chat.versions.get_mut(&key("1.0.0")).expect("there");
    version.dependencies.push(Needed {
        application: key("tone"),
        requirement: "^1".to_owned(),
    });
    assert_eq!(reasons(&facts, &said), [Reason::DependencyMissing]);
    facts.current.insert(key("tone"), current("2.0.0", 1));
    assert_eq!(reasons(&facts, &said), [Reason::DependencyIncompatible]);
    assert_eq!(reasons(&facts, &draft(&[removal("chat")])), []);
}

#[test]
fn secrets_in_content_are_told_without_themselves() {
    let mut facts = facts();
    // In pieces, so that this file holds nothing that looks like a token.
    let token = ["ghp", "_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    newest(&mut facts).text = Some(format!("You are a bot.\nUse {token}."));
    let told = message(&[item("chat", "2.0.0")], &facts);
    assert!(
        told.contains("a key or token of GitHub at line 2") && !told.contains(&token),
        "{told}"
    );
    assert!(told.contains("make a new version without it"), "{told}");
}

#[test]
fn rules_of_the_project_speak_for_themselves() {
    let rule = |name: &str, field: &str, operator, values: &[&str], severity| ValidationRule {
        name: name.parse().expect("a name"),
        kinds: vec![ApplicationKind::Prompt],
        field: field.parse().expect("a field"),
        test: Test::new(operator, values.iter().map(|it| (*it).to_owned()).collect())
            .expect("a test"),
        message: "see the handbook".parse().expect("a text"),
        severity,
    };
    let mut facts = facts();
    let rules = vec![
        rule(
            "ticket",
            "change_message",
            Operator::Matches,
            &["^JIRA-"],
            Severity::Error,
        ),
        rule(
            "tested",
            "attribute:score",
            Operator::AtLeast,
            &["0.8"],
            Severity::Warning,
        ),
        rule("told", "notes", Operator::Exists, &[], Severity::Error),
        rule("someone", "author", Operator::Exists, &[], Severity::Error),
        rule(
            "released",
            "identifier",
            Operator::NotEquals,
            &["2.0.0-rc"],
            Severity::Error,
        ),
    ];
    facts.requirements.rules = rules.try_into().expect("few");
    let found = findings(&draft(&[item("chat", "2.0.0")]), &facts);
    let told: Vec<_> = found
        .listed
        .iter()
        .map(|it| (it.severity, it.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                Severity::Error,
                "`chat` breaks the rule `ticket` (`change_message` must match `^JIRA-`): see the handbook"
            ),
            (
                Severity::Error,
                "`chat` breaks the rule `told` (`notes` must be there and not empty): see the handbook"
            ),
            (
                Severity::Warning,
                "`chat` breaks the rule `tested` (`attribute:score` must be a number of at least 0.8): see the handbook"
            ),
        ]
    );
    newest(&mut facts).author = None;
    assert_eq!(reasons(&[item("chat", "2.0.0")], &facts).len(), 4);
    // Of a removal there is only what the release says.
    assert_eq!(
        reasons(&[removal("chat")], &facts),
        [(Reason::RuleViolated, Some(0))]
    );
    chat(&mut facts).kind = ApplicationKind::Service;
    assert_eq!(reasons(&[item("chat", "2.0.0")], &facts), []);
}

#[test]
fn what_is_found_besides_is_listed_with_the_rest_and_errors_before_warnings() {
    let found = |severity, item| Finding {
        reason: Reason::WorkflowUnmapped,
        severity,
        item,
        message: "besides".to_owned(),
    };
    let all = Findings::default().with(vec![found(Severity::Warning, Some(3)); MAX_FINDINGS]);
    assert!(!all.refuse());
    let all = all.with([
        found(Severity::Error, None),
        found(Severity::Error, Some(1)),
    ]);
    assert!(all.refuse());
    assert_eq!((all.listed.len(), all.left_out), (MAX_FINDINGS, 2));
    let items: Vec<_> = all.listed.iter().map(|finding| finding.item).collect();
    assert_eq!((items[0], items[MAX_FINDINGS - 1]), (Some(1), None));
}

#[test]
fn everything_is_told_at_once_up_to_a_limit() {
    let items: Vec<_> = (0..MAX_FINDINGS + 5)
        .map(|n| item(&format!("gone-{n}"), "1"))
        .chain([item("chat", "1.0.0")])
        .collect();
    let found = findings(&draft(&items), &facts());
    assert_eq!(found.listed.len(), MAX_FINDINGS);
    assert_eq!(found.left_out, 6, "five errors more, and a warning");
    assert!(found.refuse());
    let items: Vec<_> = [item("chat", "1.0.0")]
        .into_iter()
        .chain((0..3).map(|n| item(&format!("gone-{n}"), "1")))
        .collect();
    let places: Vec<_> = findings(&draft(&items), &facts())
        .listed
        .iter()
        .map(|finding| finding.item)
        .collect();
    assert_eq!(places, [Some(0), Some(1), Some(2), Some(3)], "by item");
}
