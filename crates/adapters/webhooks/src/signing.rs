//! Signatures as the Standard Webhooks specification has them: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// How long a key is, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// How many keys sign at the same time, while one takes the place of another.
const MAX_KEYS: usize = 4;

/// The keys that sign what is sent to one webhook: one, or several while they are rotated. Nothing prints them.
pub struct SigningKeys(Vec<Vec<u8>>);

/// A text that holds no keys. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret is not in the form of Standard Webhooks: `whsec_` and the base64 of 24 to 64 random bytes; up to 4 of them, \
     separated by spaces, while they are rotated"
)]
pub struct SigningKeysError;

impl SigningKeys {
    /// The keys of a secret.
    pub fn parse(secret: &str) -> Result<Self, SigningKeysError> {
        let key = |word: &str| {
            let key = STANDARD.decode(word.strip_prefix(PREFIX)?).ok()?;
            LENGTHS.contains(&key.len()).then_some(key)
        };
        let keys: Option<Vec<_>> = secret.split_ascii_whitespace().map(key).collect();
        match keys {
            Some(keys) if (1..=MAX_KEYS).contains(&keys.len()) => Ok(Self(keys)),
            _ => Err(SigningKeysError),
        }
    }

    /// The header `webhook-signature`: a signature by each key. `timestamp` is in seconds.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let message = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<_> = self
            .0
            .iter()
            .filter_map(|key| signature(key, &message))
            .collect();
        signatures.join(" ")
    }
}

/// A key of any length makes one.
fn signature(key: &[u8], message: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(message.as_bytes());
    Some(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8, length: usize) -> String {
        format!("{PREFIX}{}", STANDARD.encode(vec![byte; length]))
    }

    #[test]
    fn others_verify_what_we_sign() {
        let (old, new) = (secret(1, 24), secret(2, 64));
        let keys = SigningKeys::parse(&format!("{new} {old}\n")).expect("keys");
        let signed = keys.sign("msg", 1_800_000_000, r#"{"a":"ä"}"#);
        for secret in [old, new] {
            let theirs = standardwebhooks::Webhook::new(&secret).expect("a secret");
            let expected = theirs.sign("msg", 1_800_000_000, r#"{"a":"ä"}"#.as_bytes());
            let expected = expected.expect("signed");
            assert!(signed.split(' ').any(|one| one == expected), "{signed}");
        }
    }

    #[test]
    fn a_secret_in_another_form_is_refused_without_being_repeated() {
        let short = secret(1, 23);
        let long = secret(1, 65);
        let many = vec![secret(1, 32); 5].join(" ");
        for bad in ["", "hunter2", "whsec_hunter2!", &short, &long, &many] {
            let error = SigningKeys::parse(bad).expect_err("no secret").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let keys = SigningKeys::parse(&secret(1, 32)).expect("keys");
        assert_eq!(format!("{keys:?}"), "[secret]");
    }
}
