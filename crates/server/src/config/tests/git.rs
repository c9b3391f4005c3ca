//! Where snapshots are kept.

use std::path::Path;
use std::time::Duration;

use super::{GitStoreKind, load, refusal};

pub(super) const GITHUB: &str = "[git.github]\nowner = \"acme\"\ntoken = \"env:GITHUB_TOKEN\"";

#[test]
fn snapshots_go_to_github_where_that_is_said() {
    let file = format!("[git]\nstore = \"github\"\n{GITHUB}");
    let config = load(&file, &[("SLIPWAY__GIT__GITHUB__TIMEOUT", "3s")]).unwrap();
    assert_eq!(config.git.store, GitStoreKind::GitHub);
    assert_eq!(config.git_directory(), Path::new("./.slipway/git"));
    let github = config.git.github.unwrap();
    let auth = slipway_github::Auth::Token("t".into());
    let options = github.options(&"shop".parse().unwrap(), auth);
    assert_eq!(options.repository, "slipway-shop");
    assert_eq!(options.base_url, slipway_github::Options::PUBLIC);
    assert_eq!(options.timeout, Duration::from_secs(3));

    let app = load(
        "[git]\nstore = \"github\"\n[git.github]\nbase_url = \"https://git.example/api/v3\"\nowner = \"acme\"",
        &[
            ("SLIPWAY__GIT__GITHUB__APP_ID", "7"),
            ("SLIPWAY__GIT__GITHUB__INSTALLATION_ID", "8"),
            (
                "SLIPWAY__GIT__GITHUB__PRIVATE_KEY",
                "file:/run/secrets/key.pem",
            ),
        ],
    );
    let app = app.unwrap().git.github.unwrap();
    assert_eq!((app.app_id, app.installation_id), (Some(7), Some(8)));
}

#[test]
fn github_is_configured_whole_or_refused() {
    let with = |github: &str| refusal(&format!("[git]\nstore = \"github\"\n{github}"), &[]);
    for (file, part) in [
        ("", "[git.github]"),
        ("[git.github]\ntoken = \"env:T\"", "owner"),
        ("[git.github]\nowner = \"acme\"", "token, or app_id"),
        (
            "[git.github]\nowner = \"acme\"\ntoken = \"env:T\"\napp_id = 1",
            "token, or app_id",
        ),
        (
            "[git.github]\nowner = \"acme\"\napp_id = 1\nprivate_key = \"env:T\"",
            "token, or app_id",
        ),
        (
            "[git.github]\nowner = \"a/b\"\ntoken = \"env:T\"",
            "`a/b` is not the name of a GitHub account",
        ),
        (
            "[git.github]\nowner = \"acme\"\ntoken = \"env:T\"\nrepository = \"snapshots\"",
            "{project} once",
        ),
        (
            "[git.github]\nowner = \"acme\"\ntoken = \"env:T\"\nrepository = \"a/{project}\"",
            "is not the name of a GitHub repository",
        ),
        (
            "[git.github]\nowner = \"acme\"\ntoken = \"env:T\"\nbase_url = \"http://git.example\"",
            "use https",
        ),
        (
            "[git.github]\nowner = \"acme\"\ntoken = \"env:T\"\ntimeout = \"1h\"",
            "git.github.timeout",
        ),
        (
            "[git.github]\nowner = \"acme\"\ntokn = \"env:T\"",
            "did you mean `git.github.token`?",
        ),
    ] {
        let error = with(file);
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    let long = format!("{}-{{project}}", "x".repeat(40));
    let error = with(&format!("{GITHUB}\nrepository = \"{long}\""));
    assert!(error.contains("too long"), "{error}");
    let secret = with("[git.github]\nowner = \"acme\"\ntoken = \"ghp_hunter2\"");
    assert!(
        secret.contains("git.github.token") && !secret.contains("hunter2"),
        "{secret}"
    );
    let unused = refusal(GITHUB, &[]);
    assert!(unused.contains("git.store = \"github\""), "{unused}");
    let unknown = refusal("[git]\nstore = \"gitlab\"", &[]);
    assert!(unknown.contains("git.store"), "{unknown}");
}
