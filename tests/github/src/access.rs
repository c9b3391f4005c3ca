//! Who may do what.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, Method, StatusCode, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{Reply, refusal, rfc3339};

/// What somebody may do in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Not even see it, if it is private.
    Nothing,
    /// Read its contents.
    Read,
    /// Read and write its contents.
    Write,
}

/// A GitHub App with one installation.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id.
    pub id: u64,
    /// Its installation's id.
    pub installation: u64,
    /// What its tokens are checked with.
    pub public_key_pem: String,
    /// What its installation may do.
    pub access: Access,
}

/// The tokens that are good.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    given: BTreeMap<String, Access>,
    count: u64,
}

#[derive(Debug, Deserialize)]
struct Claims {
    /// A number, or text: GitHub takes both.
    iss: Value,
    iat: u64,
    exp: u64,
}

/// GitHub takes no token of an App that is good for longer.
const LONGEST_CLAIM: u64 = 10 * 60;

impl Tokens {
    pub(crate) fn new(tokens: &[(String, Access)]) -> Self {
        Self {
            given: tokens.iter().cloned().collect(),
            count: 0,
        }
    }

    pub(crate) fn revoke_all(&mut self) {
        self.given.clear();
    }

    pub(crate) fn grant(&mut self, token: &str, access: Access) {
        self.given.insert(token.to_owned(), access);
    }

    /// What the bearer of a request may do with a repository, if that is what it asks.
    pub(crate) fn admit(
        &self,
        method: &Method,
        headers: &HeaderMap,
        private: bool,
    ) -> Result<(), Reply> {
        let access = match bearer(headers) {
            None => Access::Nothing,
            Some(token) => *self.given.get(token).ok_or_else(bad_credentials)?,
        };
        let writes = method != Method::GET;
        match access {
            Access::Write => Ok(()),
            Access::Read if !writes => Ok(()),
            Access::Nothing if !private && !writes => Ok(()),
            Access::Read => Err(refusal(
                StatusCode::FORBIDDEN,
                "Resource not accessible by personal access token",
            )
            .with("x-accepted-github-permissions", "contents=write")),
            Access::Nothing => Err(refusal(StatusCode::NOT_FOUND, "Not Found")),
        }
    }

    /// Answers an App's request for a token of its installation.
    pub(crate) fn exchange(
        &mut self,
        app: Option<&App>,
        installation: &str,
        repository: &str,
        headers: &HeaderMap,
        body: &Value,
    ) -> Reply {
        let Some(app) = app else {
            return refusal(StatusCode::NOT_FOUND, "Integration not found");
        };
        if let Err(refused) = check_claims(app, headers) {
            return refused;
        }
        if installation != app.installation.to_string() {
            return refusal(StatusCode::NOT_FOUND, "Not Found");
        }
        if let Some(wanted) = body["repositories"].as_array()
            && wanted.iter().any(|name| name != repository)
        {
            return refusal(
                StatusCode::UNPROCESSABLE_ENTITY,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            );
        }
        self.count += 1;
        let token = format!("ghs_installation{}", self.count);
        self.grant(&token, app.access);
        let contents = if app.access == Access::Write {
            "write"
        } else {
            "read"
        };
        Reply::new(
            StatusCode::CREATED,
            json!({
                "token": token,
                "expires_at": rfc3339(i64::try_from(now() + 3_600).expect("a time")),
                "permissions": { "contents": contents, "metadata": "read" },
                "repository_selection": "selected",
            }),
        )
    }
}

fn check_claims(app: &App, headers: &HeaderMap) -> Result<(), Reply> {
    let undecodable = || {
        refusal(
            StatusCode::UNAUTHORIZED,
            "A JSON web token could not be decoded",
        )
    };
    let token = bearer(headers).ok_or_else(undecodable)?;
    let key = DecodingKey::from_rsa_pem(app.public_key_pem.as_bytes()).expect("a public key");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| undecodable())?
        .claims;
    let issuer = claims
        .iss
        .as_str()
        .map_or_else(|| claims.iss.to_string(), str::to_owned);
    let now = now();
    let said = if issuer != app.id.to_string() {
        "'Issuer' claim ('iss') must be an Integer matching an existing App"
    } else if claims.iat > now {
        "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
    } else if claims.exp <= now {
        "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
    } else if claims.exp > now + LONGEST_CLAIM {
        "'Expiration time' claim ('exp') is too far in the future"
    } else {
        return Ok(());
    };
    Err(refusal(StatusCode::UNAUTHORIZED, said))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    matches!(scheme.to_ascii_lowercase().as_str(), "bearer" | "token").then_some(token)
}

fn bad_credentials() -> Reply {
    refusal(StatusCode::UNAUTHORIZED, "Bad credentials")
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a server in a test lives in real time"
)]
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
