//! What the claims of a token say, after its signature, its issuer and its audience were found good.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use slipway_identity::{Assertion, IdentityKey, NotVerified};
use slipway_kernel::{Timestamp, text::DisplayName};

use crate::options::Options;

/// The most bytes of a name that are kept.
const MAX_NAME_BYTES: usize = 200;

type Claims = Map<String, Value>;

pub(crate) fn refused(options: &Options, problem: impl Into<String>) -> NotVerified {
    NotVerified::Refused {
        issuer: options.issuer.to_string(),
        problem: problem.into(),
    }
}

/// What the claims say, where `now` lies within the token's time.
pub(crate) fn assertion(
    options: &Options,
    claims: &Claims,
    now: Timestamp,
) -> Result<Assertion, NotVerified> {
    let required = |name| {
        time(claims, name)
            .map_err(|Malformed| refused(options, malformed(name)))?
            .ok_or_else(|| refused(options, format!("it has no claim `{name}`")))
    };
    let expires_at = required("exp")?.plus(options.leeway);
    let issued_at = required("iat")?;
    let not_before = time(claims, "nbf").map_err(|Malformed| refused(options, malformed("nbf")))?;
    let issuer = || options.issuer.to_string();
    if expires_at <= now {
        return Err(NotVerified::Expired { issuer: issuer() });
    }
    let latest = now.plus(options.leeway);
    if issued_at > latest || not_before.is_some_and(|not_before| not_before > latest) {
        return Err(NotVerified::NotYetValid { issuer: issuer() });
    }
    let subject = text(claims, "sub").filter(|subject| !subject.is_empty());
    let subject = subject
        .and_then(|subject| subject.parse().ok())
        .ok_or_else(|| refused(options, "its claim `sub` is no text of 1 to 255 bytes"))?;
    let name = text(claims, &options.claims.name).or_else(|| text(claims, "sub"));
    let email = text(claims, &options.claims.email).map(str::trim);
    Ok(Assertion {
        key: IdentityKey {
            issuer: options.issuer.clone(),
            subject,
        },
        name: short(name.unwrap_or_default()),
        email: email
            .filter(|email| !email.is_empty())
            .and_then(|email| email.parse().ok()),
        email_unverified: claims.get("email_verified").is_some_and(is_false),
        issued_at,
        expires_at,
        grants: options
            .mappings
            .grants(&groups(claims.get(&options.claims.groups))),
        provision: options.provision,
    })
}

fn malformed(name: &str) -> String {
    format!("its claim `{name}` is no time in seconds since 1970")
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

fn is_false(value: &Value) -> bool {
    matches!(value, Value::Bool(false)) || value.as_str() == Some("false")
}

fn groups(claim: Option<&Value>) -> BTreeSet<String> {
    match claim {
        Some(Value::String(one)) => BTreeSet::from([one.clone()]),
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// As much of a name as is kept, without what can't be kept.
fn short(name: &str) -> DisplayName {
    let name = name.replace('\0', "");
    let mut end = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].parse().unwrap_or_default()
}

/// A claim that should be a time and is none.
struct Malformed;

/// A time in seconds since 1970, whole or not; `None` where there is none.
fn time(claims: &Claims, name: &str) -> Result<Option<Timestamp>, Malformed> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => whole,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "within the years 1 to 9999"
        )]
        (None, Some(part)) if part.abs() < 253_402_300_800.0 => part.floor() as i64,
        _ => return Err(Malformed),
    };
    match Timestamp::from_seconds_and_nanos(seconds, 0) {
        Ok(time) => Ok(Some(time)),
        Err(_) => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn times_are_numbers_within_reason() {
        for (value, expected) in [
            (json!({ "exp": 5 }), Some(5_000_000)),
            (json!({ "exp": 5.9 }), Some(5_000_000)),
            (json!({}), None),
        ] {
            let read = time(&claims(&value), "exp").ok().expect("a time or none");
            assert_eq!(read.map(Timestamp::micros), expected);
        }
        for value in [
            json!("5"),
            json!(null),
            json!(true),
            json!(1e300),
            json!(u64::MAX),
            json!(i64::MAX),
            json!(-1e18),
        ] {
            assert!(
                time(&claims(&json!({ "exp": value })), "exp").is_err(),
                "{value}"
            );
        }
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(short(&"ä".repeat(150)).as_str(), "ä".repeat(100));
        assert_eq!(short("a\0b").as_str(), "ab");
    }

    #[test]
    fn groups_are_texts() {
        let read = |value: Value| groups(Some(&value)).into_iter().collect::<Vec<_>>();
        assert_eq!(read(json!("lead")), ["lead"]);
        assert_eq!(read(json!(["b", 1, null, "a"])), ["a", "b"]);
        assert!(read(json!({ "lead": true })).is_empty());
        assert!(groups(None).is_empty());
    }
}
