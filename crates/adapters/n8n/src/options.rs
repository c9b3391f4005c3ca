//! Where an instance is, and how it is spoken to.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::HeaderValue;
use url::{Host, Url};

/// The most calls that may be asked for at the same time. n8n works on one processor.
pub const MAX_PARALLEL: usize = 64;

/// Where an instance is, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its address, with the path that it is served under, if any: `https://n8n.example`. The path of the API itself
    /// (`/api/v1`) may be there or not.
    pub base_url: String,
    /// The key that it knows us by.
    pub api_key: ApiKey,
    /// How long anything but an export may take, all its calls together.
    pub timeout: Duration,
    /// How long an export may take.
    pub export_timeout: Duration,
    /// How many calls are under way at the same time, over everything that is asked of this value. 1 to
    /// [`MAX_PARALLEL`].
    pub max_parallel: usize,
    /// Whether the key and the workflows may cross a network in the clear. On loopback they always may.
    pub allow_plaintext: bool,
}

/// The key of an instance's API. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why there can be no such instance. No text repeats the key or the address, which could hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The address can't be used.
    #[error("the address of n8n {problem}; give it as `https://n8n.example`")]
    Address {
        /// What is wrong.
        problem: String,
    },
    /// The address is not on this machine, and not encrypted.
    #[error(
        "the address of n8n is plain http, which would show the key to the network: use https, or allow plaintext"
    )]
    Plaintext,
    /// The key can't be sent in a header.
    #[error(
        "the key of n8n's API is empty, or has characters that no key has (line breaks, for example): copy it anew"
    )]
    ApiKey,
    /// There is no way to encrypt.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
    /// A limit is out of its range.
    #[error("{name} is {value}; it has to be {range}")]
    Limit {
        /// Which limit.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        range: &'static str,
    },
}

impl Options {
    /// The usual ones: 30 s for a call, 5 min for an export, 8 calls at a time, no plaintext off loopback.
    pub fn new(base_url: impl Into<String>, api_key: ApiKey) -> Self {
        Self {
            base_url: base_url.into(),
            api_key,
            timeout: Duration::from_secs(30),
            export_timeout: Duration::from_mins(5),
            max_parallel: 8,
            allow_plaintext: false,
        }
    }

    /// The address without the API's path and without a slash at its end.
    pub(crate) fn check(&self) -> Result<String, OptionsError> {
        if !(1..=MAX_PARALLEL).contains(&self.max_parallel) {
            return Err(OptionsError::Limit {
                name: "max_parallel",
                value: self.max_parallel.to_string(),
                range: "1 to 64",
            });
        }
        for (name, timeout) in [
            ("timeout", self.timeout),
            ("export_timeout", self.export_timeout),
        ] {
            if timeout.is_zero() || timeout > Duration::from_hours(1) {
                return Err(OptionsError::Limit {
                    name,
                    value: format!("{timeout:?}"),
                    range: "above 0 and up to an hour",
                });
            }
        }
        self.check_address()
    }

    fn check_address(&self) -> Result<String, OptionsError> {
        let wrong = |problem: &str| OptionsError::Address {
            problem: problem.to_owned(),
        };
        let url = Url::parse(&self.base_url)
            .map_err(|error| wrong(&format!("is no address ({error})")))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_plaintext || is_loopback(&url) => {}
            "http" => return Err(OptionsError::Plaintext),
            _ => return Err(wrong("is neither https nor http")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user's name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or a fragment"));
        }
        let address = url.as_str().trim_end_matches('/');
        let address = address.strip_suffix("/api/v1").unwrap_or(address);
        Ok(address.trim_end_matches('/').to_owned())
    }
}

/// Whether what is sent there stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

impl ApiKey {
    /// Wraps the key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn header(&self) -> Result<HeaderValue, OptionsError> {
        let is_key = |byte: u8| byte.is_ascii_graphic();
        if self.0.is_empty() || !self.0.bytes().all(is_key) {
            return Err(OptionsError::ApiKey);
        }
        let mut header = HeaderValue::from_str(&self.0).map_err(|_| OptionsError::ApiKey)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(address: &str) -> Result<String, OptionsError> {
        Options::new(address, ApiKey::new("key")).check()
    }

    #[test]
    fn the_api_is_below_the_address() {
        for address in [
            "https://n8n.example/tools",
            "https://n8n.example/tools/",
            "https://n8n.example/tools/api/v1/",
        ] {
            assert_eq!(checked(address).as_deref(), Ok("https://n8n.example/tools"));
        }
        assert_eq!(
            checked("https://n8n.example").as_deref(),
            Ok("https://n8n.example")
        );
    }

    #[test]
    fn nothing_crosses_a_network_in_the_clear() {
        for address in [
            "http://n8n.example",
            "http://10.0.0.1:5678",
            "http://localhost.example",
        ] {
            assert_eq!(checked(address), Err(OptionsError::Plaintext), "{address}");
        }
        for address in [
            "http://localhost:5678",
            "http://127.1.2.3:5678",
            "http://[::1]:5678",
        ] {
            assert!(checked(address).is_ok(), "{address}");
        }
        let mut options = Options::new("http://n8n.example", ApiKey::new("key"));
        options.allow_plaintext = true;
        assert!(options.check().is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_without_a_secret() {
        for address in [
            "n8n.example",
            "ftp://n8n.example",
            "https://me:hunter2@n8n.example",
            "https://n8n.example?key=hunter2",
        ] {
            let error = checked(address).expect_err(address).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        for key in ["", "hunter2\n", "hunter 2", "hunter2ü"] {
            let error = ApiKey::new(key).header().expect_err(key);
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
        }
        let options = Options::new("https://n8n.example", ApiKey::new("hunter2"));
        assert!(!format!("{options:?}").contains("hunter2"));
        let header = options.api_key.header().expect("a header");
        assert!(!format!("{header:?}").contains("hunter2"));
    }

    #[test]
    fn limits_have_limits() {
        let good = Options::new("https://n8n.example", ApiKey::new("key"));
        for max_parallel in [0, 65] {
            let options = Options {
                max_parallel,
                ..good.clone()
            };
            let error = options.check().expect_err("out of range").to_string();
            assert!(error.starts_with("max_parallel is "), "{error}");
        }
        let options = Options {
            export_timeout: Duration::ZERO,
            ..good
        };
        let error = options.check().expect_err("out of range").to_string();
        assert!(error.starts_with("export_timeout is 0ns"), "{error}");
    }
}
