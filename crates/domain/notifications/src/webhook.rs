//! Webhooks: who is told, where, and of what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ProjectId, Revision, RiskLevel, Slug, Tier, Timestamp, WebhookId, text::DisplayName,
};

use crate::{EventKind, Occurrence};

/// The most webhooks of a project.
pub const MAX_WEBHOOKS: u32 = 50;
/// The most addresses that one webhook writes to.
pub const MAX_RECIPIENTS: usize = 20;
/// The longest URL and the longest reference, in bytes.
const MAX_URL: usize = 2_000;
const MAX_REFERENCE: usize = 500;
/// The longest e-mail address, in bytes (RFC 5321).
const MAX_ADDRESS: usize = 254;

/// Somebody who is told what happens in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique in its project, and never changed.
    pub slug: Slug,
    /// What people call it.
    pub display_name: DisplayName,
    /// Where messages go, and in which form.
    pub target: Target,
    /// Which events it is told of.
    pub filter: Filter,
    /// Whether it is told of anything. What waits for a disabled one waits until it is enabled again.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often it has been changed.
    pub revision: Revision,
}

/// Where messages go, and in which form. No secret is among it, only where one lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// JSON, signed as the Standard Webhooks specification says.
    Standard {
        /// Where it is posted to.
        url: Url,
        /// Where the secret lies that signs it.
        secret: Reference,
    },
    /// What Slack and those that understand it show.
    Slack {
        /// Where the URL lies: whoever knows it can post, so that it is a secret itself.
        url: Reference,
    },
    /// A mail to these addresses.
    Email {
        /// 1 to [`MAX_RECIPIENTS`].
        recipients: Vec<Address>,
    },
}

/// Which events a webhook is told of: those that pass every part. An empty list lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The kinds of events.
    pub events: Vec<EventKind>,
    /// The environments.
    pub environments: Vec<Slug>,
    /// The tiers of environments.
    pub tiers: Vec<Tier>,
    /// The least risk. What has no known risk passes: being told too much is better than too little.
    pub least_risk: Option<RiskLevel>,
}

impl Filter {
    /// Whether the event passes.
    pub fn passes(&self, event: &Occurrence) -> bool {
        fn lets<T: PartialEq>(list: &[T], one: &T) -> bool {
            list.is_empty() || list.contains(one)
        }
        lets(&self.events, &event.kind)
            && lets(&self.environments, &event.subject.environment_slug)
            && lets(&self.tiers, &event.subject.tier)
            && match (self.least_risk, event.facts.risk) {
                (Some(least), Some(risk)) => risk >= least,
                _ => true,
            }
    }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $type:ident, $error:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                text.to_owned().try_into()
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

checked_text! {
    /// An address on the web: `https://` or `http://`, without a user's name, a password or a fragment. Whether this server
    /// may call it is for the operator's configuration to say.
    Url, UrlError, check_url
}
checked_text! {
    /// Where a secret lies: `env:NAME` or `file:/path`. Whether it may be used is for the operator's configuration to say.
    Reference, ReferenceError, check_reference
}
checked_text! {
    /// An e-mail address. Whether somebody reads it is found out by writing to it.
    Address, AddressError, check_address
}

/// A text that is no URL we call. It is not repeated, because it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no URL to call; give up to 2,000 printable ASCII characters like `https://hooks.example/slipway`, without a user's \
     name, a password or a fragment"
)]
pub struct UrlError;

/// A text that does not say where a secret lies. It is not repeated, because it may be the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no reference to a secret; give `env:NAME` or `file:/path`, never the secret itself")]
pub struct ReferenceError;

/// A text that is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no e-mail address; give one like `ops@example.com`, of up to 254 ASCII characters")]
pub struct AddressError;

fn check_url(text: &str) -> Result<(), UrlError> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let authority = rest
        .and_then(|rest| rest.split(['/', '?']).next())
        .unwrap_or_default();
    let plain = text.len() <= MAX_URL && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && !authority.is_empty() && !authority.contains('@') && !text.contains(['#', '\\']) {
        Ok(())
    } else {
        Err(UrlError)
    }
}

fn check_reference(text: &str) -> Result<(), ReferenceError> {
    let place = match text.split_once(':') {
        Some(("env", name)) => name,
        Some(("file", path)) if path.starts_with('/') && path.len() > 1 => path,
        _ => return Err(ReferenceError),
    };
    if !place.is_empty() && text.len() <= MAX_REFERENCE && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(ReferenceError)
    }
}

fn check_address(text: &str) -> Result<(), AddressError> {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let dots_stand_between =
        |part: &str| !part.is_empty() && part.split('.').all(|word| !word.is_empty());
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    match text.rsplit_once('@') {
        Some((local, host))
            if text.len() <= MAX_ADDRESS
                && local.bytes().all(allowed)
                && dots_stand_between(local)
                && host.bytes().all(in_host)
                && dots_stand_between(host) =>
        {
            Ok(())
        }
        _ => Err(AddressError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::occurrence;

    #[test]
    fn an_event_passes_where_every_part_lets_it() {
        let event = occurrence();
        let environment = event.subject.environment_slug.clone();
        let other: Slug = "elsewhere".parse().expect("a slug");
        let filter = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter
        };
        let passing = [
            Filter::default(),
            filter(&|f| f.events = vec![EventKind::Queued, event.kind]),
            filter(&|f| f.environments = vec![other.clone(), environment.clone()]),
            filter(&|f| f.tiers = vec![event.subject.tier]),
            filter(&|f| f.least_risk = Some(RiskLevel::High)),
        ];
        for filter in passing {
            assert!(filter.passes(&event), "{filter:?}");
        }
        let refusing = [
            filter(&|f| f.events = vec![EventKind::Queued]),
            filter(&|f| f.environments = vec![other.clone()]),
            filter(&|f| f.tiers = vec![Tier::Development]),
            filter(&|f| f.least_risk = Some(RiskLevel::Critical)),
            filter(&|f| {
                f.events = vec![event.kind];
                f.tiers = vec![Tier::Development];
            }),
        ];
        for filter in refusing {
            assert!(!filter.passes(&event), "{filter:?}");
        }
    }

    #[test]
    fn what_has_no_known_risk_passes() {
        let mut event = occurrence();
        event.facts.risk = None;
        let filter = Filter {
            least_risk: Some(RiskLevel::Critical),
            ..Filter::default()
        };
        assert!(filter.passes(&event));
    }

    #[test]
    fn urls_hide_nothing() {
        for url in [
            "https://hooks.example",
            "http://[::1]:8080/a?b=c@d",
            "https://h/%20",
        ] {
            assert!(url.parse::<Url>().is_ok(), "{url}");
        }
        let long = format!("https://h/{}", "x".repeat(2_000));
        for url in [
            "",
            "https://",
            "https:///path",
            "ftp://h",
            "//h",
            "https://me:hunter2@h/",
            "https://h/#part",
            "https://h\\@evil/",
            "https://h/ x",
            "https://hö/",
            &long,
        ] {
            let error = url.parse::<Url>().expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn references_are_no_secrets() {
        for good in ["env:KEY", "file:/run/secrets/key"] {
            assert!(good.parse::<Reference>().is_ok(), "{good}");
        }
        for bad in [
            "hunter2",
            "env:",
            "file:key",
            "file:/",
            "whsec_hunter2",
            "env:A\nB",
        ] {
            let error = bad.parse::<Reference>().expect_err(bad).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn addresses_fit_into_a_header() {
        for good in ["ops@example.com", "a.b+c@x-y.example", "o'neil@example.com"] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ops",
            "@x",
            "ops@",
            "a b@x",
            "a..b@x",
            ".a@x",
            "a@x..y",
            "a@x\r\nBcc: b@x",
            "a@b@x",
            "ä@x",
            "a,b@x",
            "<a@x>",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
