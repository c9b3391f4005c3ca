//! Identity providers.

use super::{load, refusal};

const GOOD: &str = "[[oidc]]\nissuer = \"https://login.example.org\"\naudience = \"slipway\"\n\
    algorithms = [\"RS256\", \"ES256\"]\njwks_url = \"https://login.example.org/keys\"\n";

#[test]
fn several_issuers_have_groups_that_mean_something() {
    let file = format!(
        "{GOOD}tenant_admin_group = \"root\"\n\
         [[oidc.grants]]\ngroup = \"leads\"\nproject = \"shop\"\nroles = [\"ADMIN\"]\ngroups = [\"lead\"]\n\
         [[oidc.grants]]\ngroup = \"devs\"\nproject = \"shop\"\nroles = [\"DEVELOPER\", \"APPROVER\"]\n\
         [[oidc]]\nissuer = \"http://localhost:8080/realms/x\"\naudience = \"a\"\nalgorithms = [\"EdDSA\"]\n\
         jwks_file = \"/etc/slipway/keys.json\"\nleeway = \"60s\"\nprovision = false\n"
    );
    let config = load(&file, &[]).unwrap();
    let [first, second] = &config.oidc[..] else {
        panic!("{:?}", config.oidc);
    };
    let first = first.options().unwrap();
    assert_eq!(first.mappings.groups.len(), 2);
    assert_eq!(first.mappings.tenant_admin.as_deref(), Some("root"));
    assert!(first.provision);
    let second = second.options().unwrap();
    assert!(!second.provision && second.mappings.groups.is_empty());
}

#[test]
fn issuers_that_make_no_sense_are_refused() {
    let with = |from: &str, to: &str| refusal(&GOOD.replace(from, to), &[]);
    for (from, to, told) in [
        (
            "\"RS256\"",
            "\"HS256\"",
            "`HS256` is no algorithm that signs",
        ),
        ("\"RS256\"", "\"none\"", "`none` is no algorithm"),
        ("[\"RS256\", \"ES256\"]", "[]", "algorithms is empty"),
        ("\"slipway\"", "\"\"", "audience is empty"),
        (
            "jwks_url",
            "jwks_file = \"x\"\njwks_url",
            "either jwks_url or jwks_file",
        ),
        (
            "https://login.example.org/keys",
            "http://login.example.org/keys",
            "is plain http",
        ),
        ("issuer = \"https:", "issuer = \"http:", "is plain http"),
        (
            "issuer = \"https://login",
            "issuer = \"login",
            "is no address",
        ),
        ("audience", "leeway = \"61s\"\naudience", "leeway"),
        ("audience", "timeout = \"1m\"\naudience", "timeout"),
        (
            "audience",
            "refresh_pause = \"0s\"\naudience",
            "refresh_pause",
        ),
        (
            "audience",
            "tenant_admin_group = \"\"\naudience",
            "tenant_admin_group is empty",
        ),
        ("audience", "audiense = \"x\"\naudience", "audiense"),
    ] {
        let error = with(from, to);
        assert!(error.contains(told), "{to}: {error}");
    }
    let twice = refusal(&format!("{GOOD}{GOOD}"), &[]);
    assert!(twice.contains("stands there twice"), "{twice}");
    let grant = |text: &str| refusal(&format!("{GOOD}[[oidc.grants]]\n{text}"), &[]);
    for (text, told) in [
        (
            "group = \"g\"\nproject = \"shop\"\nroles = []",
            "at least one role is needed",
        ),
        (
            "group = \"\"\nproject = \"shop\"\nroles = [\"ADMIN\"]",
            "an empty group",
        ),
        (
            "group = \"g\"\nproject = \"Shop\"\nroles = [\"ADMIN\"]",
            "project",
        ),
        (
            "group = \"g\"\nproject = \"shop\"\nroles = [\"OWNER\"]",
            "roles",
        ),
    ] {
        let error = grant(text);
        assert!(error.contains(told), "{text}: {error}");
    }
    let many: Vec<_> = (0..33).map(|n| format!("\"g{n}\"")).collect();
    let half = |groups: &[String]| {
        let groups = groups.join(", ");
        format!(
            "[[oidc.grants]]\ngroup = \"g\"\nproject = \"shop\"\nroles = [\"ADMIN\"]\ngroups = [{groups}]\n"
        )
    };
    let file = format!("{GOOD}{}{}", half(&many[..20]), half(&many[20..]));
    let error = refusal(&file, &[]);
    assert!(
        error.contains("name 33 groups in the project `shop`"),
        "{error}"
    );
}
