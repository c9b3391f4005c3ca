//! `[engines]`: which workflow engines projects may name.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use http::uri::Authority;
use serde::Deserialize;

use super::State;

/// The most entries of a list.
const MAX_ENTRIES: usize = 1_000;

/// The `[engines]` section. Projects choose their engines, this server goes there: what is not listed here is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engines {
    /// The directories within which workflows may lie, absolute or below the working directory. Default: `workflows` in
    /// the state directory. Every server of a cluster must see the same.
    pub directories: Option<Vec<PathBuf>>,
    /// The hosts of n8n that this server may call: `n8n.example` for every port, `n8n.example:5678` for one. Default:
    /// none.
    pub hosts: Vec<AllowedHost>,
    /// The references to secrets that may be API keys: `env:NAME` or `file:/path`, in which a `*` stands for any
    /// characters other than `/`. Default: none.
    pub secrets: Vec<SecretPattern>,
    /// How long one call of an engine may take. Default: 20 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How many calls of one engine may be under way. Default: 8.
    pub max_parallel: usize,
}

impl Default for Engines {
    fn default() -> Self {
        Self {
            directories: None,
            hosts: Vec::new(),
            secrets: Vec::new(),
            timeout: Duration::from_secs(20),
            max_parallel: 8,
        }
    }
}

impl Engines {
    /// Whether the server may call this host. `port` is the one of the address, or that of its scheme.
    pub fn allows_host(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|allowed| allowed.matches(host, port))
    }

    /// Whether a reference to a secret may be an API key.
    pub fn allows_secret(&self, reference: &str) -> bool {
        self.secrets
            .iter()
            .any(|pattern| pattern.matches(reference))
    }

    pub(super) fn directories_or_default(&self, state: &State) -> Vec<PathBuf> {
        match &self.directories {
            Some(directories) => directories.clone(),
            None => vec![state.dir.join("workflows")],
        }
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let directories = self.directories.as_deref().unwrap_or_default();
        for directory in directories {
            if climbs(directory) || directory.as_os_str().is_empty() {
                problems.push(format!(
                    "engines.directories has `{}`; write a path that is not empty and has no `..`",
                    directory.display()
                ));
            }
        }
        for (key, count) in [
            ("directories", directories.len()),
            ("hosts", self.hosts.len()),
            ("secrets", self.secrets.len()),
        ] {
            if count > MAX_ENTRIES {
                problems.push(format!(
                    "engines.{key} has {count} entries; at most {MAX_ENTRIES} are allowed"
                ));
            }
        }
        super::limits::check_duration(
            "engines.timeout",
            self.timeout,
            Duration::from_millis(1)..=Duration::from_mins(10),
            problems,
        );
        if !(1..=100).contains(&self.max_parallel) {
            problems.push(format!(
                "engines.max_parallel = {} is out of range; choose from 1 to 100",
                self.max_parallel
            ));
        }
    }
}

fn climbs(path: &Path) -> bool {
    path.components()
        .any(|component| component == Component::ParentDir)
}

/// A host that the server may call, on one port or on every port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedHost {
    host: String,
    port: Option<u16>,
}

/// A text that is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host; write `n8n.example` or `n8n.example:5678`, without scheme, user name, path or wildcard"
)]
pub struct NoHost(String);

impl AllowedHost {
    /// Whether it is this one. Names are compared without case, and with or without their last dot.
    fn matches(&self, host: &str, port: u16) -> bool {
        plain(host) == self.host && self.port.is_none_or(|allowed| allowed == port)
    }
}

fn plain(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.to_ascii_lowercase()
}

impl FromStr for AllowedHost {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let refused = || NoHost(text.to_owned());
        let authority: Authority = text.parse().map_err(|_| refused())?;
        // What follows the host must be nothing, or a port in full.
        let host = authority.host();
        let port = match text.strip_prefix(host) {
            Some("") => None,
            Some(rest) => {
                let port = rest.strip_prefix(':').ok_or_else(refused)?;
                Some(port.parse().map_err(|_| refused())?)
            }
            None => return Err(refused()),
        };
        if host.is_empty() || host.contains('*') {
            return Err(refused());
        }
        Ok(Self {
            host: plain(host),
            port,
        })
    }
}

impl TryFrom<String> for AllowedHost {
    type Error = NoHost;

    fn try_from(text: String) -> Result<Self, NoHost> {
        text.parse()
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Which references to secrets are allowed: one reference, or all that differ from it only where it has a `*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretPattern(String);

/// A text that allows no reference. It is not repeated: somebody may have written the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an allowed secret is written `env:NAME` or `file:/path`, with at most one `*`, which stands for any characters \
     other than `/`, and without `..`"
)]
pub struct NoPattern;

impl SecretPattern {
    pub(super) fn matches(&self, reference: &str) -> bool {
        let Some((start, end)) = self.0.split_once('*') else {
            return reference == self.0;
        };
        let rest = reference.strip_prefix(start);
        let between = rest.and_then(|rest| rest.strip_suffix(end));
        between.is_some_and(|between| !between.contains('/') && !matches!(between, "" | "." | ".."))
    }
}

impl FromStr for SecretPattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        let named = match text.split_once(':') {
            Some(("env", name)) => !name.is_empty() && !name.contains('/'),
            Some(("file", path)) => {
                path.len() > 1 && path.starts_with('/') && !climbs(Path::new(path))
            }
            _ => false,
        };
        if named && text.matches('*').count() <= 1 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoPattern)
        }
    }
}

impl TryFrom<String> for SecretPattern {
    type Error = NoPattern;

    fn try_from(text: String) -> Result<Self, NoPattern> {
        text.parse()
    }
}

impl fmt::Display for SecretPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_on_every_port_or_on_one() {
        let engines = Engines {
            hosts: ["N8n.example", "localhost:5678", "[::1]:5678"]
                .map(|host| host.parse().unwrap())
                .to_vec(),
            ..Engines::default()
        };
        for (host, port, allowed) in [
            ("n8n.example", 443, true),
            ("n8n.EXAMPLE.", 5678, true),
            ("x.n8n.example", 443, false),
            ("n8n.example.evil", 443, false),
            ("localhost", 5678, true),
            ("localhost", 80, false),
            ("[::1]", 5678, true),
            ("[::1]", 5679, false),
        ] {
            assert_eq!(engines.allows_host(host, port), allowed, "{host}:{port}");
        }
        for no_host in [
            "",
            "https://n8n.example",
            "me@n8n.example",
            "n8n.example/x",
            "*.example",
            "n8n.example:port",
            "n8n.example:",
            "n8n.example:70000",
        ] {
            assert!(no_host.parse::<AllowedHost>().is_err(), "{no_host}");
        }
    }

    #[test]
    fn a_secret_is_allowed_by_name_or_by_pattern() {
        let engines = Engines {
            secrets: ["env:N8N_*", "file:/run/secrets/*", "env:THE_KEY"]
                .map(|pattern| pattern.parse().unwrap())
                .to_vec(),
            ..Engines::default()
        };
        for (reference, allowed) in [
            ("env:N8N_PROD", true),
            ("env:THE_KEY", true),
            ("env:THE_KEY2", false),
            ("env:N8N_", false),
            ("env:DATABASE_URL", false),
            ("file:/run/secrets/n8n", true),
            ("file:/run/secrets/", false),
            ("file:/run/secrets/..", false),
            ("file:/run/secrets/../../etc/shadow", false),
            ("file:/run/secrets/deeper/n8n", false),
            ("file:/etc/shadow", false),
            ("hunter2", false),
        ] {
            assert_eq!(engines.allows_secret(reference), allowed, "{reference}");
        }
        for no_pattern in [
            "",
            "*",
            "hunter2",
            "env:",
            "env:A/*",
            "env:*_*",
            "file:relative",
            "file:/",
            "file:/run/../etc/*",
        ] {
            let told = no_pattern.parse::<SecretPattern>().unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
