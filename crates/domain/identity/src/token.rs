//! Tokens: how a principal proves who it is.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use slipway_kernel::{PrincipalId, StoreError, Timestamp, TokenId, text::DisplayName};

/// What every token starts with, so that secret scanners can find leaked ones.
pub const PREFIX: &str = "slw_";

/// A token as Slipway keeps it: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its identifier, which is also a part of its text.
    pub id: TokenId,
    /// Whom it speaks for.
    pub principal: PrincipalId,
    /// What it is for.
    pub name: DisplayName,
    /// The SHA-256 of its text.
    pub digest: slipway_kernel::Sha256,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused, because somebody said so.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Why a token that exists is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Somebody revoked it.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its text is not the one that was given out.
    #[error("the token is not valid")]
    WrongSecret,
}

impl Token {
    /// Whether `secret` is this token and the token is good now.
    pub fn check(&self, secret: &TokenSecret, now: Timestamp) -> Result<(), TokenRefused> {
        if self.digest == secret.digest() {
            self.check_time(now)
        } else {
            Err(TokenRefused::WrongSecret)
        }
    }

    /// Whether the token is good now, whoever bears it.
    pub fn check_time(&self, now: Timestamp) -> Result<(), TokenRefused> {
        if self.revoked_at.is_some() {
            Err(TokenRefused::Revoked)
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Err(TokenRefused::Expired)
        } else {
            Ok(())
        }
    }
}

/// Gives the random part of new tokens.
pub trait SecretSource: Send + Sync {
    /// 160 bits from the operating system's generator.
    fn secret(&self) -> [u8; 20];
}

/// The text of a token: `slw_`, the token's id (32 hexadecimal digits), the secret (40) and a checksum (8).
///
/// The checksum tells a mistyped or cut token from a wrong one without asking the database.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret {
    id: TokenId,
    text: String,
}

/// A text that can't be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Slipway token: expected `slw_` and 80 hexadecimal digits whose last eight are their checksum"
)]
pub struct TokenFormatError;

impl TokenSecret {
    /// Makes the text of a new token.
    pub fn mint(id: TokenId, secret: [u8; 20]) -> Self {
        let body = format!("{PREFIX}{}{}", id.uuid().simple(), hex::encode(secret));
        let text = format!("{body}{}", checksum(&body));
        Self { id, text }
    }

    /// The token it belongs to.
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The text to give to the principal, once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What Slipway keeps of it.
    pub fn digest(&self) -> slipway_kernel::Sha256 {
        slipway_kernel::Sha256::of_bytes(self.text.as_bytes())
    }
}

fn checksum(body: &str) -> String {
    hex::encode(&Sha256::digest(body.as_bytes())[..4])
}

impl FromStr for TokenSecret {
    type Err = TokenFormatError;

    fn from_str(text: &str) -> Result<Self, TokenFormatError> {
        let hexadecimal = text.strip_prefix(PREFIX).ok_or(TokenFormatError)?;
        if hexadecimal.len() != 80
            || !hexadecimal
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(TokenFormatError);
        }
        let (body, sum) = text.split_at(text.len() - 8);
        if checksum(body) != sum {
            return Err(TokenFormatError);
        }
        let id = hexadecimal[..32].parse().map_err(|_| TokenFormatError)?;
        Ok(Self {
            id,
            text: text.to_owned(),
        })
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSecret({}, …)", self.id)
    }
}

/// Changes tokens, inside a unit of work.
#[async_trait]
pub trait TokenRepository: Send {
    /// Adds a token.
    async fn insert(&mut self, token: &Token) -> Result<(), StoreError>;

    /// The token with this identifier.
    async fn get(&mut self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// Revokes a token. An adapter MUST answer `false`, and change nothing, where it is already.
    async fn revoke(&mut self, id: TokenId, at: Timestamp) -> Result<bool, StoreError>;

    /// Notes that these tokens were used; earlier times than the one noted change nothing.
    async fn used(&mut self, uses: &[(TokenId, Timestamp)]) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TokenSecret {
        let id = "0192f0c1-2345-7abc-8def-0123456789ab"
            .parse()
            .expect("an id");
        TokenSecret::mint(id, [0xab; 20])
    }

    fn token() -> Token {
        Token {
            id: secret().id(),
            principal: "0192f0c1-2345-7abc-8def-0123456789ac"
                .parse()
                .expect("an id"),
            name: DisplayName::default(),
            digest: secret().digest(),
            created_at: at(0),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).expect("in range")
    }

    #[test]
    fn a_token_survives_its_text_and_hides_in_debug() {
        let secret = secret();
        assert_eq!(secret.reveal().parse::<TokenSecret>(), Ok(secret.clone()));
        assert!(!format!("{secret:?}").contains("abab"));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = secret().reveal().to_owned();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(
                changed.parse::<TokenSecret>(),
                Err(TokenFormatError),
                "{changed}"
            );
        }
        assert!(text[..83].parse::<TokenSecret>().is_err());
    }

    #[test]
    fn only_the_right_secret_passes_and_only_in_time() {
        let good = token();
        assert_eq!(good.check(&secret(), at(5)), Ok(()));
        let other = TokenSecret::mint(good.id, [1; 20]);
        assert_eq!(good.check(&other, at(5)), Err(TokenRefused::WrongSecret));
        let ends = Token {
            expires_at: Some(at(5)),
            ..good.clone()
        };
        assert_eq!(ends.check(&secret(), at(4)), Ok(()));
        assert_eq!(ends.check(&secret(), at(5)), Err(TokenRefused::Expired));
        let revoked = Token {
            revoked_at: Some(at(1)),
            ..good
        };
        assert_eq!(revoked.check(&secret(), at(5)), Err(TokenRefused::Revoked));
    }
}
