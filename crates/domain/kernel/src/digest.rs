//! Digests. Every digest of a value names its form (`slipway.record.v1`), so that a later form breaks no earlier digest.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A SHA-256 digest; as text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a SHA-256 digest; expected 64 hexadecimal digits")]
pub struct DigestError {
    /// What was given, cut after 72 characters.
    pub given: String,
}

/// A value that can't be written as JSON: a map whose keys are not text, or a number that is not finite.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The digest of a value in a named form: SHA-256 over the form's name, a line feed, and the value's canonical JSON
/// (RFC 8785).
pub fn digest_of<T: Serialize>(form: &str, value: &T) -> Result<Sha256, CanonicalError> {
    let mut hasher = sha2::Sha256::new();
    hasher.update(form.as_bytes());
    hasher.update(b"\n");
    hasher.update(canonical_json(value)?);
    Ok(Sha256(hasher.finalize().into()))
}

/// A value as canonical JSON (RFC 8785): sorted keys, no space, one way to write each number and text.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

impl Sha256 {
    /// The digest of plain bytes, as `sha256sum` prints it.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// From its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    /// All 64 digits, or the first of them: `{:.12}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map(|()| Self(bytes))
            .map_err(|_| DigestError {
                given: text.chars().take(72).collect(),
            })
    }
}

impl TryFrom<String> for Sha256 {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_the_form_does() {
        let one =
            digest_of("slipway.test.v1", &json!({"a": 1, "b": [true, null]})).expect("canonical");
        let same =
            digest_of("slipway.test.v1", &json!({"b": [true, null], "a": 1})).expect("canonical");
        let other =
            digest_of("slipway.test.v2", &json!({"a": 1, "b": [true, null]})).expect("canonical");
        assert_eq!(one, same);
        assert_ne!(one, other);
    }

    #[test]
    fn plain_bytes_as_everybody_hashes_them() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of_bytes(b"").to_string(), empty);
        assert_eq!(format!("{:.12}", Sha256::of_bytes(b"")), empty[..12]);
        assert_eq!(empty.parse::<Sha256>(), Ok(Sha256::of_bytes(b"")));
        assert!("e3b0".parse::<Sha256>().is_err());
    }
}
