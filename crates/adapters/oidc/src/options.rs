//! Which tokens are taken of an identity provider, and what they mean.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use slipway_identity::{IssuerName, issuer::Mappings};
use url::{Host, Url};

/// The most that clocks may differ.
pub(crate) const MAX_LEEWAY: Duration = Duration::from_mins(1);

/// An identity provider.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name, exactly as the claim `iss` of its tokens has it: an address with https, or with http on this machine.
    pub issuer: IssuerName,
    /// What the claim `aud` has to hold.
    pub audience: String,
    /// The algorithms by which it may sign: at least one.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeySource,
    /// What its claims are called.
    pub claims: ClaimNames,
    /// What its groups mean.
    pub mappings: Mappings,
    /// How much its clock may differ from ours, at most a minute.
    pub leeway: Duration,
    /// Whether somebody unknown becomes a principal.
    pub provision: bool,
    /// How old keys may become before they are asked for anew.
    pub refresh_interval: Duration,
    /// How long keys are not asked for again, whatever comes.
    pub refresh_pause: Duration,
    /// How long asking may take.
    pub timeout: Duration,
}

/// Where the keys of an identity provider are: a JSON Web Key Set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At an address with https, or with http on this machine.
    Url(String),
    /// In a file.
    File(PathBuf),
}

/// What claims are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// Where to reach the bearer.
    pub email: String,
    /// What people call the bearer.
    pub name: String,
    /// The bearer's groups: a list of texts, or one text.
    pub groups: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            email: "email".to_owned(),
            name: "name".to_owned(),
            groups: "groups".to_owned(),
        }
    }
}

/// A way to sign by which whoever can check can't sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

/// All of them.
const ALGORITHMS: [(&str, jsonwebtoken::Algorithm); 9] = [
    ("RS256", jsonwebtoken::Algorithm::RS256),
    ("RS384", jsonwebtoken::Algorithm::RS384),
    ("RS512", jsonwebtoken::Algorithm::RS512),
    ("PS256", jsonwebtoken::Algorithm::PS256),
    ("PS384", jsonwebtoken::Algorithm::PS384),
    ("PS512", jsonwebtoken::Algorithm::PS512),
    ("ES256", jsonwebtoken::Algorithm::ES256),
    ("ES384", jsonwebtoken::Algorithm::ES384),
    ("EdDSA", jsonwebtoken::Algorithm::EdDSA),
];

/// A text that is no such algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no algorithm that signs by a key of its own; choose of RS256, RS384, RS512, PS256, PS384, PS512, ES256, \
     ES384 and EdDSA"
)]
pub struct NoAlgorithm(String);

impl FromStr for Algorithm {
    type Err = NoAlgorithm;

    fn from_str(text: &str) -> Result<Self, NoAlgorithm> {
        let found = ALGORITHMS.iter().find(|(name, _)| *name == text);
        let (_, algorithm) = found.ok_or_else(|| NoAlgorithm(text.to_owned()))?;
        Ok(Self(*algorithm))
    }
}

impl Algorithm {
    /// Its name in a token's header.
    pub fn name(self) -> &'static str {
        let found = ALGORITHMS
            .iter()
            .find(|(_, algorithm)| *algorithm == self.0);
        found.map_or("", |(name, _)| name)
    }

    pub(crate) const fn of_library(self) -> jsonwebtoken::Algorithm {
        self.0
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there can be no such identity provider.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// An address can't be used.
    #[error("{name} = \"{address}\" {problem}")]
    Address {
        /// Which one.
        name: &'static str,
        /// The address given.
        address: String,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// Something has to be there.
    #[error("{name} is empty; {advice}")]
    Empty {
        /// What.
        name: &'static str,
        /// What to write.
        advice: &'static str,
    },
    /// A time is out of its range.
    #[error("{name} = \"{value:?}\" is out of range; choose from {least:?} to {most:?}")]
    Range {
        /// Which one.
        name: &'static str,
        /// What is given.
        value: Duration,
        /// The least.
        least: Duration,
        /// The most.
        most: Duration,
    },
    /// Two have the same name.
    #[error("issuer = \"{issuer}\" stands there twice; give each issuer one section")]
    Twice {
        /// The name.
        issuer: String,
    },
    /// There is no way to encrypt.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

impl Options {
    /// Whether they make sense.
    pub fn check(&self) -> Result<(), OptionsError> {
        address("issuer", self.issuer.as_str())?;
        if let KeySource::Url(url) = &self.keys {
            address("jwks_url", url)?;
        }
        for (name, is_empty, advice) in [
            (
                "audience",
                self.audience.is_empty(),
                "write what the claim `aud` of tokens for this server holds",
            ),
            (
                "algorithms",
                self.algorithms.is_empty(),
                "list the algorithms by which the issuer signs, such as [\"RS256\"]",
            ),
        ] {
            if is_empty {
                return Err(OptionsError::Empty { name, advice });
            }
        }
        let second = Duration::from_secs(1);
        for (name, value, least, most) in [
            ("leeway", self.leeway, Duration::ZERO, MAX_LEEWAY),
            (
                "refresh_interval",
                self.refresh_interval,
                second,
                Duration::from_hours(24),
            ),
            (
                "refresh_pause",
                self.refresh_pause,
                second,
                Duration::from_mins(10),
            ),
            (
                "timeout",
                self.timeout,
                Duration::from_millis(100),
                Duration::from_secs(15),
            ),
        ] {
            if !(least..=most).contains(&value) {
                return Err(OptionsError::Range {
                    name,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}

/// An address that nobody between us and the issuer can put another one in the place of.
fn address(name: &'static str, text: &str) -> Result<Url, OptionsError> {
    let wrong = |problem| OptionsError::Address {
        name,
        address: text.to_owned(),
        problem,
    };
    let url = Url::parse(text)
        .map_err(|_| wrong("is no address; write it as `https://login.example.org`"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(wrong(
                "is plain http, by which anybody between could answer; use https, or http on this machine only",
            ));
        }
        _ => return Err(wrong("is neither https nor http")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "holds a user's name, a password or a fragment; leave it out",
        ));
    }
    Ok(url)
}

/// Whether what is asked there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_algorithms_with_two_keys_are_known() {
        for name in [
            "none", "None", "", "HS256", "HS384", "HS512", "rs256", "ES512", "ES256K",
        ] {
            assert!(name.parse::<Algorithm>().is_err(), "{name}");
        }
        for (name, _) in ALGORITHMS {
            assert_eq!(name.parse::<Algorithm>().map(Algorithm::name), Ok(name));
        }
    }

    #[test]
    fn keys_come_encrypted_or_from_this_machine() {
        for text in [
            "https://login.example.org/keys?tenant=1",
            "http://127.0.0.1:8080/keys",
            "http://localhost/keys",
            "http://[::1]:1/keys",
        ] {
            assert!(address("jwks_url", text).is_ok(), "{text}");
        }
        for text in [
            "http://login.example.org/keys",
            "http://127.0.0.1.example.org/",
            "http://10.0.0.1/",
            "file:///etc/keys",
            "login.example.org",
            "https://me:secret@login.example.org/",
            "https://login.example.org/#fragment",
        ] {
            assert!(address("jwks_url", text).is_err(), "{text}");
        }
    }
}
