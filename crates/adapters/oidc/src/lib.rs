//! Identity providers, by OpenID Connect's JSON Web Tokens. A token is taken where a key that its issuer publishes has
//! signed it, by an algorithm that the operator allows for that issuer. What the token itself says about keys and
//! algorithms decides nothing.

mod claims;
mod fetch;
mod jwk;
mod keys;
mod options;

pub use options::{Algorithm, ClaimNames, KeySource, NoAlgorithm, Options, OptionsError};

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Validation, decode, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};
use slipway_identity::{Assertion, Issuers, NotVerified};
use slipway_kernel::Timestamp;

use crate::keys::{KeySet, NoKey};

/// The most bytes of a token. What brings it, a header, has a limit of its own.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The identity providers of an installation.
pub struct Oidc {
    issuers: HashMap<String, Issuer>,
}

struct Issuer {
    options: Options,
    keys: Arc<KeySet>,
}

/// What a token says about how it is signed, before anything of it is believed.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

impl Oidc {
    /// Identity providers, each with its options. Nothing is fetched yet.
    pub fn new(options: impl IntoIterator<Item = Options>) -> Result<Self, OptionsError> {
        let mut issuers = HashMap::new();
        for options in options {
            options.check()?;
            let issuer = options.issuer.as_str().to_owned();
            let keys = Arc::new(KeySet::new(&options)?);
            let new = Issuer { options, keys };
            if issuers.insert(issuer.clone(), new).is_some() {
                return Err(OptionsError::Twice { issuer });
            }
        }
        Ok(Self { issuers })
    }
}

#[async_trait]
impl Issuers for Oidc {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Assertion, NotVerified> {
        let (header, issuer) = outline(token).ok_or(NotVerified::Malformed)?;
        let found = self.issuers.get(&issuer);
        let found = found.ok_or(NotVerified::UnknownIssuer { issuer })?;
        found.verify(token, &header, now).await
    }

    fn knows(&self, issuer: &str) -> bool {
        self.issuers.contains_key(issuer)
    }
}

/// How a token says it is signed, and by whom.
fn outline(token: &str) -> Option<(Header, String)> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    // Where the signature is missing altogether, the token says nothing; an empty one is refused for its algorithm.
    parts.next()?;
    if parts.next().is_some() {
        return None;
    }
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let header = serde_json::from_slice(&header).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    let issuer = claims.get("iss")?.as_str()?.to_owned();
    Some((header, issuer))
}

impl Issuer {
    async fn verify(
        &self,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Result<Assertion, NotVerified> {
        let allowed = self.options.algorithms.iter();
        let algorithm = *allowed
            .clone()
            .find(|allowed| allowed.name() == header.alg)
            .ok_or_else(|| {
                let allowed: Vec<_> = allowed.map(|allowed| allowed.name()).collect();
                self.refused(format!(
                    "its algorithm is not allowed; this issuer has to sign by {}",
                    allowed.join(" or ")
                ))
            })?;
        if header.crit.is_some() {
            return Err(
                self.refused("its header demands an extension (`crit`) that is not known here")
            );
        }
        let kid = header.kid.as_deref().ok_or_else(|| {
            self.refused(
                "its header names no key (`kid`), so that none of the issuer's can be chosen",
            )
        })?;
        let key = self.keys.key(kid, algorithm).await;
        let key = key.map_err(|no_key| self.without_key(no_key))?;
        let decoded = decode::<Map<String, Value>>(token, &key, &self.validation(algorithm));
        let claims = decoded
            .map_err(|error| self.refused(words(error.kind())))?
            .claims;
        claims::assertion(&self.options, &claims, now)
    }

    /// What is checked together with the signature. Times are compared with the clock that we are given, in
    /// [`claims::assertion`].
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm.of_library());
        validation.set_issuer(&[self.options.issuer.as_str()]);
        validation.set_audience(&[&self.options.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }

    fn refused(&self, problem: impl Into<String>) -> NotVerified {
        claims::refused(&self.options, problem)
    }

    fn without_key(&self, no_key: NoKey) -> NotVerified {
        match no_key {
            NoKey::Unknown => self.refused(
                "the issuer has no key for this algorithm by the name that its header gives (`kid`); if the keys were \
                 changed just now, try again in a few seconds",
            ),
            NoKey::Unavailable => NotVerified::Unavailable {
                issuer: self.options.issuer.to_string(),
            },
        }
    }
}

/// What is wrong with a token, in words that help its bearer and tell nothing about keys.
fn words(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::InvalidSignature => "its signature is not the issuer's".to_owned(),
        ErrorKind::InvalidAudience => {
            "it was issued for another audience (`aud`); ask the issuer for one for this server"
                .to_owned()
        }
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no claim `{claim}`"),
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => {
            "its algorithm is not that of the issuer's key".to_owned()
        }
        _ => "it can't be read as a signed token".to_owned(),
    }
}
