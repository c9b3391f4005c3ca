//! What the configuration takes, and how it refuses.

#![expect(
    clippy::result_large_err,
    reason = "the jail of figment wants its error as it is"
)]

use std::path::Path;
use std::time::Duration;

use figment::Jail;

use super::*;

mod git;
mod oidc;

/// Loads `file` as `slipway.toml` under these environment variables.
fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let mut loaded = None;
    Jail::expect_with(|jail| {
        jail.create_file(DEFAULT_FILE, file)?;
        for (name, value) in environment {
            jail.set_env(name, value);
        }
        loaded = Some(Config::load(None).map_err(|error| error.to_string()));
        Ok(())
    });
    loaded.unwrap()
}

fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
    load(file, environment).expect_err("this configuration must be refused")
}

#[test]
fn nothing_needs_to_be_configured() {
    let config = load("", &[]).unwrap();

    assert_eq!(config.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(
        config.server.metrics_listen.unwrap().to_string(),
        "127.0.0.1:9464"
    );
    assert_eq!(config.limits.max_receive_bytes, 4 * 1024 * 1024);
    assert_eq!(config.limits.request_timeout, Duration::from_secs(30));
    let database = config.database_url().unwrap();
    assert_eq!(database.url.expose(), "sqlite:./.slipway/slipway.db");
    assert_eq!(database.kind(), Some(DatabaseKind::Sqlite));
    assert_eq!(config.objects_directory(), Path::new("./.slipway/objects"));
    assert_eq!(
        config.engine_directories(),
        [Path::new("./.slipway/workflows")]
    );
    assert_eq!(config.server.reflection_access(), ReflectionAccess::Open);
}

#[test]
fn no_file_is_no_error_unless_it_was_named() {
    Jail::expect_with(|_| {
        assert!(Config::load(None).is_ok());
        let error = Config::load(Some(Path::new("other.toml"))).unwrap_err();
        assert!(
            error.to_string().contains("`other.toml` can't be read"),
            "{error}"
        );
        Ok(())
    });
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = load(
        "[server]\nlisten = \"127.0.0.1:1\"\nmetrics_listen = \"off\"\n[limits]\nrequest_timeout = \"2s\"",
        &[
            ("SLIPWAY__SERVER__LISTEN", "[::1]:2"),
            ("SLIPWAY__LIMITS__MAX_CONNECTIONS", "7"),
            ("SLIPWAY__LIMITS__STREAM_TIMEOUT", "5m"),
        ],
    )
    .unwrap();

    assert_eq!(config.server.listen.to_string(), "[::1]:2");
    assert_eq!(config.server.metrics_listen, None);
    assert_eq!(config.limits.request_timeout, Duration::from_secs(2));
    assert_eq!(config.limits.stream_timeout, Duration::from_mins(5));
    assert_eq!(config.limits.max_connections, 7);
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    let error = refusal("[server]\nlisen = \"127.0.0.1:1\"", &[]);
    assert!(error.contains("unknown key `server.lisen`"), "{error}");
    assert!(error.contains("slipway.toml"), "{error}");
    assert!(error.contains("did you mean `server.listen`?"), "{error}");

    let error = refusal("[limit]", &[]);
    assert!(error.contains("did you mean `limits`?"), "{error}");

    let error = refusal("", &[("SLIPWAY__DATABASE__URI", "hunter2")]);
    assert!(
        error.contains(
            "unknown key `database.uri` (in the environment); did you mean `database.url`?"
        ),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");

    let error = refusal("[state]\nzzzzzz = 1", &[]);
    assert!(error.contains("known here: dir"), "{error}");
}

#[test]
fn a_wrong_type_names_the_key() {
    let error = refusal("[limits]\nmax_connections = \"many\"", &[]);
    assert!(error.contains("limits.max_connections"), "{error}");
    let error = refusal("[server]\nmetrics_listen = \"localhost\"", &[]);
    assert!(error.contains("`localhost` is no address"), "{error}");
}

#[test]
fn a_wrong_value_is_told_with_its_key_itself_and_an_example() {
    let error = refusal("", &[("SLIPWAY__SERVER__LISTEN", "localhost")]);
    for part in [
        "server.listen = \"localhost\" (in the environment): ",
        "write a value like \"127.0.0.1:50051\"",
    ] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert!(
        !error.contains("SERVER") && !error.contains("default."),
        "{error}"
    );

    let error = refusal("[limits]\nrequest_timeout = 30", &[]);
    assert!(
        error.contains("limits.request_timeout = 30 (in "),
        "{error}"
    );
    assert!(error.contains("write a value like \"30s\""), "{error}");

    let error = refusal("[database]\nurl = 7", &[]);
    assert!(error.contains("database.url (in "), "{error}");
}

#[test]
fn a_misspelt_level_is_refused() {
    for (filter, wrong) in [
        ("inof", "`inof`"),
        ("info,slipway=wran", "`wran`"),
        ("info,", "``"),
    ] {
        let error = refusal(&format!("[log]\nfilter = \"{filter}\""), &[]);
        assert!(error.contains(&format!("{wrong} is no level")), "{error}");
    }
    assert!(load("[log]\nfilter = \"warn,slipway::access=off\"", &[]).is_ok());
}

#[test]
fn a_variable_with_single_underscores_is_refused_unless_it_is_referred_to() {
    let error = refusal("", &[("SLIPWAY_SERVER_LISTEN", "127.0.0.1:1")]);
    assert!(error.contains("write SLIPWAY__SERVER__LISTEN"), "{error}");
    let referred = load(
        "[database]\nurl = \"env:SLIPWAY_DATABASE_URL\"",
        &[("SLIPWAY_DATABASE_URL", "sqlite:x.db")],
    );
    assert!(referred.is_ok(), "{referred:?}");
}

#[test]
fn plaintext_off_loopback_is_refused_unless_said() {
    let error = refusal("[server]\nlisten = \"0.0.0.0:50051\"", &[]);
    assert!(
        error.contains("server.listen = \"0.0.0.0:50051\""),
        "{error}"
    );
    assert!(error.contains("allow_plaintext"), "{error}");

    let error = refusal("[server]\nmetrics_listen = \"0.0.0.0:9464\"", &[]);
    assert!(error.contains("server.metrics_listen"), "{error}");

    let open = load(
        "[server]\nlisten = \"0.0.0.0:50051\"\nallow_plaintext = true",
        &[],
    )
    .unwrap();
    assert_eq!(
        open.server.reflection_access(),
        ReflectionAccess::Authenticated
    );

    let tls = "[server]\nlisten = \"0.0.0.0:50051\"\ntls = { certificate_file = \"c\", key_file = \"k\" }";
    assert!(load(tls, &[]).is_ok());
}

#[test]
fn every_problem_is_reported_at_once() {
    let error = refusal(
        "[server]\nlisten = \"0.0.0.0:1\"\n[limits]\nmax_connections = 0\nrequest_timeout = \"0s\"\n[log]\nfilter = \"a=b=c\"",
        &[],
    );
    for part in [
        "server.listen",
        "limits.max_connections = 0",
        "limits.request_timeout",
        "log.filter",
    ] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn a_step_takes_a_third_of_the_lease_at_most() {
    let config = load(
        "[executor]\nlease = \"900ms\"\nstep_timeout = \"300ms\"",
        &[],
    )
    .unwrap();
    let limits = config.executor.limits();
    assert_eq!(limits.lease, 3 * limits.effect);
    let error = refusal("[executor]\nlease = \"2m\"", &[]);
    assert!(
        error.contains("more than a third of executor.lease = \"2m\""),
        "{error}"
    );
    let error = refusal("[executor]\nlease = \"1ms\"\nstep_timeout = \"2h\"", &[]);
    for part in ["executor.lease = \"1ms\"", "executor.step_timeout = \"2h\""] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn a_cluster_refuses_what_servers_cannot_share() {
    let error = refusal("cluster = true", &[]);
    assert!(error.contains("SQLite"), "{error}");
    assert!(error.contains("objects.shared"), "{error}");
    assert!(error.contains("git.shared"), "{error}");

    let shared = "cluster = true\n[database]\nurl = \"postgres://slipway@db/slipway\"\n[objects]\nshared = true";
    assert!(load(&format!("{shared}\n[git]\nshared = true"), &[]).is_ok());
    let on_github = format!("{shared}\n[git]\nstore = \"github\"\n{}", git::GITHUB);
    assert!(load(&on_github, &[]).is_ok());
}

#[test]
fn a_database_address_may_be_a_reference_and_is_never_printed() {
    Jail::expect_with(|jail| {
        jail.set_env("SLIPWAY__DATABASE__URL", "env:A_DATABASE");
        jail.set_env("A_DATABASE", "postgres://me:hunter2@db/slipway");
        let config = Config::load(None).unwrap();
        let resolved = config.database_url().unwrap();
        assert_eq!(resolved.url.expose(), "postgres://me:hunter2@db/slipway");
        assert_eq!(resolved.kind(), Some(DatabaseKind::Postgres));
        assert!(format!("{config:?}").contains("env:A_DATABASE"));
        assert!(!format!("{resolved:?}").contains("hunter2"));
        Ok(())
    });

    let literal = load(
        "[database]\nurl = \"postgres://me:hunter2@db/slipway\"",
        &[],
    )
    .unwrap();
    assert!(!format!("{literal:?}").contains("hunter2"));

    let absent = refusal("[database]\nurl = \"env:SLIPWAY_NO_SUCH_VARIABLE\"", &[]);
    assert!(
        absent.contains("database.url") && absent.contains("SLIPWAY_NO_SUCH_VARIABLE"),
        "{absent}"
    );

    let unknown = refusal("[database]\nurl = \"mysql://me:hunter2@db\"", &[]);
    assert!(
        unknown.contains("names no known database") && !unknown.contains("hunter2"),
        "{unknown}"
    );
}

#[test]
fn engines_are_those_that_the_operator_lists() {
    let config = load(
        "[engines]\ndirectories = [\"/var/workflows\", \"here\"]\ntimeout = \"5s\"",
        &[
            ("SLIPWAY__ENGINES__HOSTS", "[\"n8n.example:5678\"]"),
            ("SLIPWAY__ENGINES__SECRETS", "[\"env:N8N_*\"]"),
        ],
    )
    .unwrap();
    assert_eq!(
        config.engine_directories(),
        [Path::new("/var/workflows"), Path::new("here")]
    );
    assert!(config.engines.allows_host("n8n.example", 5678));
    assert!(!config.engines.allows_host("n8n.example", 443));
    assert!(config.engines.allows_secret("env:N8N_KEY"));
    assert!(!config.engines.allows_secret("env:HOME"));
    assert_eq!(config.engines.timeout, Duration::from_secs(5));
    assert_eq!(config.engines.max_parallel, 8);

    let none = load("[engines]\ndirectories = []", &[]).unwrap();
    assert!(none.engine_directories().is_empty());
}

#[test]
fn engines_that_make_no_sense_are_refused() {
    let error = refusal("[engines]\nhosts = [\"https://n8n.example/\"]", &[]);
    assert!(
        error.contains("engines.hosts") && error.contains("is no host"),
        "{error}"
    );
    let error = refusal("[engines]\nsecrets = [\"hunter2\"]", &[]);
    assert!(
        error.contains("engines.secrets") && !error.contains("hunter2"),
        "{error}"
    );
    let error = refusal(
        "[engines]\ndirectories = [\"/var/../etc\", \"\"]\ntimeout = \"1h\"\nmax_parallel = 0",
        &[],
    );
    for part in [
        "engines.directories has `/var/../etc`",
        "engines.directories has ``",
        "engines.timeout",
        "engines.max_parallel = 0",
    ] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn notifications_go_where_the_operator_says() {
    let config = load(
        "[notifications]\nallow_private = [\"Hooks.internal\", \"10.0.0.0/8\"]\nretry_after = [\"1s\", \"2m\"]\n\
         [smtp]\nhost = \"mail.example\"\nfrom = \"Slipway <slipway@example.com>\"\nuser = \"me\"\npassword = \"env:P\"",
        &[("SLIPWAY__NOTIFICATIONS__SECRETS", "[\"env:WEBHOOK_*\"]")],
    )
    .unwrap();
    let rules = &config.notifications;
    assert!(rules.allows_secret("env:WEBHOOK_A") && !rules.allows_secret("env:HOME"));
    let pauses = [Duration::from_secs(1), Duration::from_mins(2)];
    assert_eq!(rules.schedule().pauses(), pauses);
    assert_eq!(rules.allow_private.len(), 2);
    assert_eq!(
        config.smtp.map(|smtp| smtp.host).as_deref(),
        Some("mail.example")
    );
}

#[test]
fn notifications_that_make_no_sense_are_refused() {
    for (text, parts) in [
        (
            "[notifications]\nallow_private = [\"https://h\"]",
            [
                "notifications.allow_private",
                "neither a host nor a network",
            ],
        ),
        (
            "[notifications]\nretry_after = [\"0s\"]\ntimeout = \"1h\"",
            ["notifications.retry_after", "notifications.timeout"],
        ),
        (
            "[smtp]\nhost = \"h\"\nfrom = \"nobody\"\nuser = \"me\"",
            ["`nobody` is no sender", "user and password"],
        ),
        (
            "[smtp]\nhost = \"h\"\nfrom = \"a@b.example\"\nuser = \"me\"\npassword = \"env:P\"\nencryption = \"none\"",
            ["smtp.encryption", "show the password"],
        ),
    ] {
        let error = refusal(text, &[]);
        for part in parts {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }
    for text in [
        "[notifications]\nsecrets = [\"hunter2\"]",
        "[smtp]\nhost = \"h\"\nfrom = \"a@b.example\"\nuser = \"me\"\npassword = \"hunter2\"",
    ] {
        let error = refusal(text, &[]);
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_example_holds_the_defaults() {
    let example = load(include_str!("../../../../slipway.example.toml"), &[]).unwrap();
    assert_eq!(format!("{example:?}"), format!("{:?}", Config::default()));
}
