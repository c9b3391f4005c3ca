//! How a secret is told from another text.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::SecretKind;

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it stands, in bytes.
    pub(super) range: Range<usize>,
    /// What it seems to be.
    pub(super) kind: SecretKind,
}

/// The secrets in a text that stands in a field of this name, in order, none overlapping another.
pub(super) fn find(name: &str, text: &str) -> Vec<Found> {
    let mut found: Vec<_> = FORMS.iter().flat_map(|form| form.find(text)).collect();
    found.extend(fields_in_text(text));
    found.extend(keys_in_urls(text));
    found.extend(whole_field(name, text));
    // Of what overlaps, the first of the longest stays: what says most about the secret comes first above.
    found.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end)));
    let mut end = 0;
    found.retain(|found| {
        let apart = found.range.start >= end;
        if apart {
            end = found.range.end;
        }
        apart
    });
    found
}

/// A form that a sort of secret has.
struct Form {
    kind: SecretKind,
    /// Its first group is the secret, else the whole of it.
    regex: Regex,
    check: fn(&str) -> bool,
}

impl Form {
    fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Found> + 'a {
        self.regex.captures_iter(text).filter_map(|groups| {
            let secret = groups.get(1).or_else(|| groups.get(0))?;
            (self.check)(secret.as_str()).then(|| Found {
                range: secret.range(),
                kind: self.kind,
            })
        })
    }
}

/// What services' keys and tokens look like.
const SERVICES: &[(&str, &str)] = &[
    ("AWS", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    (
        "GitHub",
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{40,255}\b",
    ),
    (
        "GitLab",
        r"\bgl(?:pat|dt|rt|ptt|cbt|oas|soat|agent)-[A-Za-z0-9_-]{20,255}",
    ),
    (
        "Slack",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}|\bxapp-[0-9]-[A-Za-z0-9-]{10,255}",
    ),
    (
        "Slack",
        r"\bhooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/]{20,255})",
    ),
    (
        "Discord",
        r"\bdiscord(?:app)?\.com/api/webhooks/([0-9]{10,}/[A-Za-z0-9_-]{40,255})",
    ),
    (
        "Stripe",
        r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}\b|\bwhsec_[A-Za-z0-9+/]{32,255}",
    ),
    ("Anthropic", r"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{20,255}"),
    ("OpenRouter", r"\bsk-or-v1-[0-9a-f]{64}\b"),
    (
        "OpenAI",
        r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,255}",
    ),
    (
        "Google",
        r"\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{28}",
    ),
    ("Twilio", r"\bSK[0-9a-f]{32}\b"),
    ("SendGrid", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("Telegram", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    ("Hugging Face", r"\bhf_[A-Za-z0-9]{34}\b"),
    ("Groq", r"\bgsk_[A-Za-z0-9]{48,64}\b"),
    ("Perplexity", r"\bpplx-[A-Za-z0-9]{40,64}\b"),
    ("Tavily", r"\btvly-(?:dev-|prod-)?[A-Za-z0-9]{24,64}\b"),
    ("Pinecone", r"\bpcsk_[A-Za-z0-9_]{40,255}\b"),
    ("Airtable", r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}\b"),
    (
        "Notion",
        r"\bntn_[A-Za-z0-9]{40,64}\b|\bsecret_[A-Za-z0-9]{43}\b",
    ),
    ("Apify", r"\bapify_api_[A-Za-z0-9]{36}\b"),
    (
        "Supabase",
        r"\bsbp_[0-9a-f]{40}\b|\bsb_secret_[A-Za-z0-9_-]{20,255}",
    ),
    ("Shopify", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    ("DigitalOcean", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    ("npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
];

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let services = SERVICES.iter().map(|(service, pattern)| Form {
        kind: SecretKind::ServiceToken { service },
        regex: regex(pattern),
        check: is_random,
    });
    let others = [
        Form {
            kind: SecretKind::PrivateKey,
            regex: regex(
                r"(?s)-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----.{64,}?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\z)",
            ),
            check: |_| true,
        },
        Form {
            kind: SecretKind::JsonWebToken,
            regex: regex(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"),
            check: is_random,
        },
        Form {
            kind: SecretKind::AuthorizationHeader,
            regex: regex(r"(?i)\b(?:bearer|basic)\s+([a-z0-9._~+/=-]{16,})"),
            check: is_random,
        },
        Form {
            kind: SecretKind::Url,
            regex: regex(r#"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>]*:([^\s/@"'<>]{3,})@"#),
            check: is_password,
        },
    ];
    services.chain(others).collect()
});

/// `"api_key": "…"` and the like, in code and in texts that are JSON.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i)\b([a-z0-9_-]{0,40}(?:password|passwd|passphrase|secret|token|key|authorization))["'`]?\s*(?:=>|[:=])\s*["'`](?:(?:bearer|basic|token)\s+)?([^"'`\s]{6,512})["'`]"#,
    )
});

/// `?api_key=…`
static QUERY: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"[?&]([A-Za-z0-9_.-]{1,40})=([^&\s"'<>#]{8,512})"#));

/// The scheme before a credential in a header.
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^(?:bearer|basic|token|apikey|api-key|key)\s+"));

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and every test of this file compiles them all"
)]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that compiles")
}

fn fields_in_text(text: &str) -> impl Iterator<Item = Found> {
    FIELD.captures_iter(text).filter_map(|groups| {
        let (name, value) = (groups.get(1)?, groups.get(2)?);
        let secret = sensitivity(name.as_str()).is_some() && is_mixed(value.as_str());
        secret.then(|| Found {
            range: value.range(),
            kind: SecretKind::NamedField,
        })
    })
}

fn keys_in_urls(text: &str) -> impl Iterator<Item = Found> {
    QUERY.captures_iter(text).filter_map(|groups| {
        let (name, value) = (groups.get(1)?, groups.get(2)?);
        let name = name.as_str();
        let secret = (sensitivity(name).is_some() || matches!(name, "key" | "sig" | "signature"))
            && is_random(value.as_str());
        secret.then(|| Found {
            range: value.range(),
            kind: SecretKind::Url,
        })
    })
}

/// All of a text, where its field is one for secrets and it is a literal.
fn whole_field(name: &str, text: &str) -> Option<Found> {
    let sensitivity = sensitivity(name)?;
    // An expression without braces is a literal.
    let literal = text.strip_prefix('=').unwrap_or(text).trim();
    let (secret, kind) = match sensitivity {
        Sensitivity::Header => (
            SCHEME.replace(literal, "").into_owned(),
            SecretKind::AuthorizationHeader,
        ),
        Sensitivity::Password | Sensitivity::Key => (literal.to_owned(), SecretKind::NamedField),
    };
    let likely = match sensitivity {
        Sensitivity::Password => is_password(&secret),
        Sensitivity::Header | Sensitivity::Key => is_key(&secret),
    };
    let start = text.rfind(&secret)?;
    likely.then(|| Found {
        range: start..start + secret.len(),
        kind,
    })
}

/// What a field's name says about what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sensitivity {
    /// What a person may have thought up.
    Password,
    /// What a machine made up.
    Key,
    /// A header that authenticates: a scheme, then the key.
    Header,
}

fn sensitivity(name: &str) -> Option<Sensitivity> {
    const PASSWORDS: &[&str] = &["password", "passwd", "passphrase"];
    const KEYS: &[&str] = &[
        "apikey",
        "apitoken",
        "apisecret",
        "accesstoken",
        "refreshtoken",
        "authtoken",
        "bearertoken",
        "bottoken",
        "resumetoken",
        "clientsecret",
        "appsecret",
        "signingsecret",
        "webhooksecret",
        "secretkey",
        "accesskey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "subscriptionkey",
        "servicekey",
        "authkey",
    ];
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match name.as_str() {
        "authorization" | "proxyauthorization" => Some(Sensitivity::Header),
        "pwd" => Some(Sensitivity::Password),
        "secret" | "token" | "cookie" | "setcookie" => Some(Sensitivity::Key),
        other if PASSWORDS.iter().any(|end| other.ends_with(end)) => Some(Sensitivity::Password),
        other if KEYS.iter().any(|end| other.ends_with(end)) => Some(Sensitivity::Key),
        _ => None,
    }
}

fn is_password(text: &str) -> bool {
    text.chars().count() >= 4 && !is_stand_in(text)
}

fn is_key(text: &str) -> bool {
    text.chars().count() >= 6 && !text.contains(char::is_whitespace) && !is_stand_in(text)
}

/// A key with something in it that words don't have.
fn is_mixed(text: &str) -> bool {
    is_key(text) && text.contains(|c: char| !c.is_alphabetic() && !matches!(c, '_' | '-' | '.'))
}

/// A key that nobody thought up.
fn is_random(text: &str) -> bool {
    let mut characters: Vec<_> = text.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    characters.len() >= 8 && text.contains(|c: char| c.is_ascii_digit()) && !is_stand_in(text)
}

/// Whether a text says what belongs in its place (`YOUR_API_KEY`, `<token>`, `{{ $json.key }}`, `string`) or was masked.
fn is_stand_in(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "string",
        "number",
        "boolean",
        "object",
        "null",
        "none",
        "undefined",
        "true",
        "false",
        "text",
        "header",
        "query",
        "body",
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "key",
        "required",
        "optional",
    ];
    const PARTS: &[&str] = &[
        "your",
        "example",
        "placeholder",
        "changeme",
        "change_me",
        "change-me",
        "redacted",
        "dummy",
        "insert_",
        "insert-",
        "replace_",
        "replace-",
        "_here",
        "-here",
        "xxxx",
        "***",
        "...",
        "…",
        "{{",
        "}}",
        "${",
        "$(",
        "$json",
        "$env",
        "$vars",
        "$secrets",
        "process.env",
        "os.environ",
        "<",
        "[",
    ];
    let text = text.to_lowercase();
    WORDS.contains(&text.as_str()) || PARTS.iter().any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A made-up token: pieces, so that this file holds nothing that looks like one.
    fn token(start: &str, alphabet: &str, length: usize) -> String {
        let body = alphabet.chars().cycle().take(length);
        start.chars().chain(body).collect()
    }

    const HEX: &str = "0123456789abcdef";
    const MIXED: &str = "a1B2c3D4e5F6g7H8i9J0kLmNoPqRsT";

    fn kinds(name: &str, text: &str) -> Vec<SecretKind> {
        find(name, text).iter().map(|found| found.kind).collect()
    }

    #[test]
    fn tokens_of_services_are_known_by_their_form() {
        let two = |first: String, second: String| [first, second].join(".");
        for (service, token) in [
            ("AWS", token("AKIA", "ABCDEFGH234567", 16)),
            ("GitHub", token("gho_", MIXED, 36)),
            ("GitHub", token("github_pat_", MIXED, 82)),
            ("GitLab", token("glpat-", MIXED, 20)),
            ("Slack", token("xoxb-", "0123456789-", 24)),
            ("Stripe", token("sk_live_", MIXED, 24)),
            ("Anthropic", token("sk-ant-api03-", MIXED, 90)),
            ("OpenRouter", token("sk-or-v1-", HEX, 64)),
            ("OpenAI", token("sk-", MIXED, 48)),
            ("OpenAI", token("sk-proj-", MIXED, 120)),
            ("Google", token("AIza", MIXED, 35)),
            ("Google", token("GOCSPX-", MIXED, 28)),
            ("Twilio", token("SK", HEX, 32)),
            (
                "SendGrid",
                two(token("SG.", MIXED, 22), token("", MIXED, 43)),
            ),
            ("Telegram", token("123456789:AA", MIXED, 33)),
            ("Hugging Face", token("hf_", MIXED, 34)),
            ("Groq", token("gsk_", MIXED, 52)),
            ("Perplexity", token("pplx-", MIXED, 48)),
            ("Tavily", token("tvly-", MIXED, 32)),
            ("Pinecone", token("pcsk_", MIXED, 70)),
            ("Airtable", two(token("pat", MIXED, 14), token("", HEX, 64))),
            ("Notion", token("ntn_", MIXED, 46)),
            ("Apify", token("apify_api_", MIXED, 36)),
            ("Supabase", token("sbp_", HEX, 40)),
            ("Shopify", token("shpat_", HEX, 32)),
            ("DigitalOcean", token("dop_v1_", HEX, 64)),
            ("npm", token("npm_", MIXED, 36)),
        ] {
            let expected = SecretKind::ServiceToken { service };
            for text in [
                token.clone(),
                format!("Key: {token}, and more"),
                format!("={{{{ \"{token}\" }}}}"),
            ] {
                assert_eq!(kinds("text", &text), [expected], "{text}");
            }
        }
        let hook = token("https://hooks.slack.com/services/T0", MIXED, 40);
        assert_eq!(
            kinds("url", &hook),
            [SecretKind::ServiceToken { service: "Slack" }]
        );
        let hook = token("https://discord.com/api/webhooks/1234567890/", MIXED, 68);
        assert_eq!(
            kinds("url", &hook),
            [SecretKind::ServiceToken { service: "Discord" }]
        );
    }

    #[test]
    fn other_forms() {
        let jwt = [
            token("eyJ", MIXED, 20),
            token("eyJ", MIXED, 20),
            token("", MIXED, 43),
        ]
        .join(".");
        let pem = |kind: &str| {
            let body = token("", MIXED, 200);
            format!("-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----")
        };
        for (text, kind) in [
            (jwt.clone(), SecretKind::JsonWebToken),
            (pem("RSA "), SecretKind::PrivateKey),
            (pem(""), SecretKind::PrivateKey),
            (
                token("curl -H 'Authorization: Bearer ", MIXED, 20),
                SecretKind::AuthorizationHeader,
            ),
            (token("Basic ", MIXED, 20), SecretKind::AuthorizationHeader),
            ("postgres://app:hunter2@db/app".to_owned(), SecretKind::Url),
            (
                token("https://api.test/?a=b&key=", MIXED, 20),
                SecretKind::Url,
            ),
            (
                "={\"api_key\": \"q7w8e9r0\", \"q\": \"{{ $json.q }}\"}".to_owned(),
                SecretKind::NamedField,
            ),
            (
                "{\"Authorization\": \"Bearer q7w8e9r0\"}".to_owned(),
                SecretKind::NamedField,
            ),
            (
                "const clientSecret = 'q7w8e9r0';".to_owned(),
                SecretKind::NamedField,
            ),
        ] {
            assert_eq!(kinds("text", &text), [kind], "{text}");
        }
        // The longer of two readings is told.
        assert_eq!(
            kinds("", &format!("Bearer {jwt}")),
            [SecretKind::JsonWebToken]
        );
    }

    #[test]
    fn a_name_says_that_a_literal_is_secret() {
        for (name, text, kind) in [
            ("password", "hunter2", SecretKind::NamedField),
            ("dbPassword", "correct horse", SecretKind::NamedField),
            ("X-API-Key", "q7w8e9r0", SecretKind::NamedField),
            ("client_secret", "=q7w8e9r0", SecretKind::NamedField),
            ("token", "sesame-open", SecretKind::NamedField),
            (
                "authorization",
                "Bearer sesame",
                SecretKind::AuthorizationHeader,
            ),
            (
                "Authorization",
                "ApiKey q7w8e9r0",
                SecretKind::AuthorizationHeader,
            ),
        ] {
            assert_eq!(kinds(name, text), [kind], "{name} {text}");
        }
        let header = "Bearer sesame";
        assert_eq!(
            &header[find("authorization", header)[0].range.clone()],
            "sesame"
        );
    }

    #[test]
    fn what_only_looks_like_a_secret() {
        for (name, text) in [
            ("password", "={{ $json.password }}"),
            ("password", ""),
            ("password", "***"),
            ("apiKey", "YOUR_API_KEY"),
            ("apiKey", "<api key>"),
            ("token", "string"),
            ("token", "the token of the first page"),
            ("authorization", "Bearer YOUR BEARER TOKEN"),
            ("authorization", "=Bearer {{ $json.token }}"),
            ("authorization", "Bearer [Your API Key]"),
            ("authentication", "predefinedCredentialType"),
            ("nodeCredentialType", "openAiApi"),
            ("nextPageToken", "q7w8e9r0t1z2"),
            ("sessionKey", "session-2024-01-01"),
            (
                "text",
                "Use basic authentication-parameters, then a bearer token.",
            ),
            ("text", "task-force-of-the-eleventh-hour-and-beyond-12"),
            ("text", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            (
                "text",
                "{\"password\": \"string\", \"token\": \"$json.token\"}",
            ),
            ("url", "https://example.com:8080/a@b"),
            ("url", "postgres://user:password@host/db"),
            ("url", "=https://{{$json.u}}:{{$json.p}}@host"),
            (
                "url",
                "https://api.test/?key=weather&sessionId=q7w8e9r0t1z2",
            ),
            ("webhookId", "0d5a2c1e-4b7f-4a3e-9c1d-2e8f7a6b5c4d"),
            (
                "text",
                "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            ),
        ] {
            assert_eq!(kinds(name, text), [], "{name} {text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_lies_in_the_text_in_order(
            name in "(password|token|x|authorization)",
            text in "([ -~äß]|://|sk-|Bearer |password=\"|-----BEGIN PRIVATE KEY-----){0,80}",
        ) {
            let mut end = 0;
            for found in find(&name, &text) {
                prop_assert!(found.range.start >= end && found.range.start < found.range.end);
                prop_assert!(text.get(found.range.clone()).is_some());
                end = found.range.end;
            }
        }
    }
}
