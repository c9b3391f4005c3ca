use clap::Parser;
use slipway_api::ledger::v1::RiskLevel;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    release: Release,
}

fn parse(arguments: &[&str]) -> Result<Release, clap::Error> {
    let least = ["release", "--name", "n", "--environment", "prod"];
    let words = least.iter().chain(arguments);
    Line::try_parse_from(words).map(|line| line.release)
}

#[test]
fn items_are_brought_then_removed() {
    let release = parse(&[
        "--remove",
        "old",
        "--item",
        "cart=1=2",
        "--item",
        "shop=3",
        "--message",
        "why",
        "--risk",
        "medium",
        "--execute-on-approval",
        "--allow-older",
    ])
    .unwrap();
    let request = release.request();
    assert!(request.execute_on_approval && !request.validate_only);
    let changes: Vec<_> = request
        .items
        .iter()
        .map(|item| (item.application.as_str(), item.change.clone().unwrap()))
        .collect();
    let expected = [
        ("cart", release_item::Change::Version("1=2".to_owned())),
        ("shop", release_item::Change::Version("3".to_owned())),
        ("old", release_item::Change::Remove(true)),
    ];
    assert_eq!(changes, expected);
    for item in &request.items {
        assert_eq!(item.risk_level(), RiskLevel::Medium);
        assert_eq!(item.change_message, "why");
        assert!(item.allow_older);
    }
}

#[test]
fn a_template_takes_values() {
    let words = "--template chat --template-version 2 --parameter version=1=2 --parameter why=";
    let release = parse(&words.split(' ').collect::<Vec<_>>()).unwrap();
    let request = release.template_request("chat");
    assert_eq!(
        (request.template.as_str(), request.template_version),
        ("chat", 2)
    );
    let values = [("version", "1=2"), ("why", "")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(request.parameters, values.into());
    assert_eq!(
        parse(&["--template", "chat"])
            .unwrap()
            .template_request("chat")
            .template_version,
        0
    );
}

#[test]
fn what_is_wrong_is_refused_before_any_call() {
    let wrong: [&[&str]; 13] = [
        &[],
        &["--item", "cart"],
        &["--item", "=1"],
        &["--item", "cart="],
        &["--item", "cart=1", "--validate-only", "--wait"],
        &["--item", "cart=1", "--timeout", "1h"],
        &["--item", "cart=1", "--wait", "--timeout", "soon"],
        &["--item", "cart=1", "--template", "chat"],
        &["--item", "cart=1", "--parameter", "a=b"],
        &["--item", "cart=1", "--template-version", "1"],
        &["--template", "chat", "--template-version", "0"],
        &["--template", "chat", "--parameter", "a"],
        &["--template", "chat", "--message", "why"],
    ];
    for arguments in wrong {
        assert!(parse(arguments).is_err(), "{arguments:?}");
    }
    assert!(parse(&["--remove", "cart"]).is_ok());
}

#[test]
fn a_place_is_that_of_an_item() {
    assert_eq!(place("items[3]"), Some(3));
    for other in ["", "items", "items[]", "items[x]", "name"] {
        assert_eq!(place(other), None, "{other}");
    }
}

#[test]
fn a_finding_names_its_application() {
    let release = parse(&["--item", "cart=1"]).unwrap();
    let mut finding = Finding {
        reason: "VERSION_NOT_FOUND".to_owned(),
        severity: FindingSeverity::Error.into(),
        item: Some(0),
        message: "no\nsuch".to_owned(),
    };
    assert_eq!(
        release.told(&finding),
        "error VERSION_NOT_FOUND cart: no such"
    );
    let template = parse(&["--template", "chat"]).unwrap();
    assert_eq!(
        template.told(&finding),
        "error VERSION_NOT_FOUND items[0]: no such"
    );
    finding.item = None;
    assert_eq!(
        release.told(&finding),
        "error VERSION_NOT_FOUND release: no such"
    );
}
