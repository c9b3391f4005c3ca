//! Where the repository is, and how we prove who we are.

use std::{fmt, time::Duration};

use http::Uri;
use octocrab::{Octocrab, secrecy::ExposeSecret, secrecy::SecretString};

/// What a [`GitHub`](crate::GitHub) needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API is: [`Options::PUBLIC`], or `https://HOST/api/v3` of a GitHub Enterprise Server. Plain `http` only
    /// on this machine.
    pub base_url: String,
    /// The user or organization that owns the repository.
    pub owner: String,
    /// The repository's name.
    pub repository: String,
    /// Who we are.
    pub auth: Auth,
    /// How long one request may take.
    pub timeout: Duration,
    /// For how long after its beginning an operation waits where GitHub limits our requests. Where GitHub asks for a
    /// longer pause, the operation ends at once and says until when.
    pub max_wait: Duration,
}

impl Options {
    /// The API of github.com.
    pub const PUBLIC: &'static str = "https://api.github.com";
}

/// Who we are. `Debug` shows no secret.
#[derive(Clone)]
pub enum Auth {
    /// A token: a fine-grained one that may read and write the repository's contents, or a classic one.
    Token(SecretString),
    /// An installation of a GitHub App that may read and write the repository's contents.
    App {
        /// The App's id.
        app_id: u64,
        /// The id of its installation for the owner.
        installation_id: u64,
        /// One of the App's private keys (RSA), as GitHub hands it out.
        private_key_pem: SecretString,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token"),
            Self::App {
                app_id,
                installation_id,
                ..
            } => write!(
                f,
                "App {{ app_id: {app_id}, installation_id: {installation_id} }}"
            ),
        }
    }
}

/// Options with which no store can be made. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Not an address of an API.
    #[error(
        "`{given}` is not the address of GitHub's API; use https://api.github.com, or https://HOST/api/v3 of an Enterprise Server, without user, query or fragment"
    )]
    BaseUrl {
        /// What was given, cut after 100 characters and without a user or password.
        given: String,
    },
    /// `http` to another machine.
    #[error(
        "`{host}` is another machine, and http would show it our secrets in the open: use https"
    )]
    Plaintext {
        /// Which machine.
        host: String,
    },
    /// Not an account.
    #[error(
        "`{given}` is not the name of a GitHub account; use 1 to 39 of ASCII letters, digits, `-` and `_`"
    )]
    Owner {
        /// What was given, cut after 100 characters.
        given: String,
    },
    /// Not a repository.
    #[error(
        "`{given}` is not the name of a GitHub repository; use 1 to 100 of ASCII letters, digits and `. _ -`, without the owner"
    )]
    Repository {
        /// What was given, cut after 100 characters.
        given: String,
    },
    /// The token can't be sent.
    #[error(
        "the GitHub token is empty or has characters that no token has; copy it again, without line breaks"
    )]
    Token,
    /// The App's key can't be used.
    #[error(
        "the GitHub App's private key is not an RSA key in PEM form; download a new one from the App's page"
    )]
    PrivateKey,
    /// The HTTP client can't be made.
    #[error("the client for GitHub can't be made: {problem}")]
    Client {
        /// Why, for instance that this machine trusts no certificate authority.
        problem: String,
    },
}

/// Fails where no repository can be at this place.
pub fn check_place(base_url: &str, owner: &str, repository: &str) -> Result<(), OptionsError> {
    base_of(base_url)?;
    check_names(owner, repository)
}

/// The address without a slash at its end.
fn base_of(base_url: &str) -> Result<String, OptionsError> {
    let base = base_url.trim_end_matches('/');
    let refuse = || OptionsError::BaseUrl {
        given: without_user(base),
    };
    let uri: Uri = base.parse().map_err(|_| refuse())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refuse());
    };
    if authority.as_str().contains('@') || base.contains(['?', '#']) {
        return Err(refuse());
    }
    match scheme {
        "https" => Ok(base.to_owned()),
        "http" if is_this_machine(authority.host()) => Ok(base.to_owned()),
        "http" => Err(OptionsError::Plaintext {
            host: authority.host().to_owned(),
        }),
        _ => Err(refuse()),
    }
}

/// Refuses names that would lead to other addresses of the API: nobody escapes them.
fn check_names(owner: &str, repository: &str) -> Result<(), OptionsError> {
    let name = |text: &str, most: usize, also: &[u8]| {
        (1..=most).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
    };
    if !name(owner, 39, b"-_") {
        return Err(OptionsError::Owner {
            given: owner.chars().take(100).collect(),
        });
    }
    if !name(repository, 100, b"._-") || matches!(repository, "." | "..") {
        return Err(OptionsError::Repository {
            given: repository.chars().take(100).collect(),
        });
    }
    Ok(())
}

impl Options {
    /// The address without a slash at its end.
    pub(crate) fn base(&self) -> Result<String, OptionsError> {
        base_of(&self.base_url)
    }

    pub(crate) fn check_names(&self) -> Result<(), OptionsError> {
        check_names(&self.owner, &self.repository)
    }

    /// The client. It repeats nothing and follows no redirection: both would do to a write what we don't want.
    pub(crate) fn client(&self) -> Result<Octocrab, OptionsError> {
        // The client starts a task of its own, which panics elsewhere.
        tokio::runtime::Handle::try_current().map_err(|error| client_error(&error))?;
        let builder = Octocrab::builder()
            .base_uri(self.base()?)
            .map_err(|error| client_error(&error))?
            .set_connect_timeout(Some(self.timeout));
        match &self.auth {
            Auth::Token(token) => {
                let bytes = token.expose_secret().as_bytes();
                if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_graphic) {
                    return Err(OptionsError::Token);
                }
                let client = builder.build().map_err(|error| client_error(&error))?;
                client
                    .user_access_token(token.clone())
                    .map_err(|error| client_error(&error))
            }
            Auth::App {
                app_id,
                installation_id,
                private_key_pem,
            } => builder
                .app_from_rsa_pem((*app_id).into(), private_key_pem.expose_secret())
                .map_err(|_| OptionsError::PrivateKey)?
                .build()
                .map_err(|error| client_error(&error))?
                // The tokens that we are given are good for this repository alone.
                .installation_builder((*installation_id).into())
                .repositories(vec![self.repository.clone()])
                .build()
                .map_err(|error| client_error(&error)),
        }
    }

    /// Where people find the repository.
    pub(crate) fn location(&self) -> Result<String, OptionsError> {
        let base = self.base()?;
        let site = if base == Self::PUBLIC {
            "https://github.com"
        } else {
            base.strip_suffix("/api/v3").unwrap_or(&base)
        };
        Ok(format!("{site}/{}/{}", self.owner, self.repository))
    }
}

fn client_error(error: &dyn std::error::Error) -> OptionsError {
    OptionsError::Client {
        problem: crate::api::causes(error),
    }
}

fn without_user(address: &str) -> String {
    let rest = address.rsplit('@').next().unwrap_or_default();
    rest.chars().take(100).collect()
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(base_url: &str) -> Options {
        Options {
            base_url: base_url.to_owned(),
            owner: "octo-org".to_owned(),
            repository: "slipway.snapshots".to_owned(),
            auth: Auth::Token("ghp_secret".into()),
            timeout: Duration::from_secs(1),
            max_wait: Duration::from_secs(1),
        }
    }

    #[test]
    fn people_find_the_repository_on_the_site_and_not_on_the_api() {
        for (base, location) in [
            (Options::PUBLIC, "https://github.com"),
            ("https://api.github.com/", "https://github.com"),
            ("https://git.example.com/api/v3", "https://git.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(
                options(base).location().expect("a location"),
                format!("{location}/octo-org/slipway.snapshots")
            );
        }
    }

    #[test]
    fn addresses_that_show_secrets_or_lead_elsewhere_are_refused() {
        for bad in [
            "",
            "api.github.com",
            "ftp://x",
            "https://x/?a=b",
            "https://",
        ] {
            let refused = options(bad).base();
            assert!(
                matches!(refused, Err(OptionsError::BaseUrl { .. })),
                "{bad}"
            );
        }
        let refused = options("https://user:pass@x/").base().expect_err("refused");
        assert!(!format!("{refused} {refused:?}").contains("pass"));
        assert!(matches!(
            options("http://github.example.com/api/v3").base(),
            Err(OptionsError::Plaintext { host }) if host == "github.example.com"
        ));
        for good in ["http://[::1]:80", "http://localhost:1/api/v3"] {
            assert!(options(good).base().is_ok(), "{good}");
        }
    }

    #[test]
    fn names_that_are_more_than_names_are_refused() {
        for (owner, repository) in [
            ("", "a"),
            ("a/b", "c"),
            ("a.b", "c"),
            ("a", ""),
            ("a", ".."),
            ("a", "b/c"),
            ("a", "b?c"),
            ("a", "ä"),
        ] {
            let mut options = options(Options::PUBLIC);
            owner.clone_into(&mut options.owner);
            repository.clone_into(&mut options.repository);
            assert!(options.check_names().is_err(), "{owner} {repository}");
        }
        assert!(options(Options::PUBLIC).check_names().is_ok());
    }

    #[tokio::test]
    async fn secrets_that_can_not_be_used_are_refused_and_never_shown() {
        let mut options = options(Options::PUBLIC);
        for bad in ["", "secret\n", "secr€t"] {
            options.auth = Auth::Token(bad.into());
            let refused = options.client().expect_err("refused");
            assert!(matches!(refused, OptionsError::Token));
        }
        options.auth = Auth::App {
            app_id: 1,
            installation_id: 2,
            private_key_pem: "-----BEGIN secret".into(),
        };
        let refused = options.client().expect_err("refused");
        assert!(matches!(refused, OptionsError::PrivateKey));
        assert!(!format!("{refused} {refused:?} {options:?}").contains("secret"));
    }
}
