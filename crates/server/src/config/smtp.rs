//! `[smtp]`: where mails are handed in.

use std::time::Duration;

use serde::Deserialize;
use slipway_webhooks::{Encryption, Mailer, MailerOptions};

use crate::secret::{SecretError, SecretReference};

/// The `[smtp]` section. Without it, no webhook writes mails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// The host.
    pub host: String,
    /// The port. Default: 465 with `encryption = "tls"`, else 587.
    pub port: Option<u16>,
    /// How the connection is encrypted. Default: `starttls`, without which nothing is handed in.
    #[serde(default)]
    pub encryption: SmtpEncryption,
    /// The user's name, where the host wants one.
    pub user: Option<String>,
    /// Where the password lies.
    pub password: Option<SecretReference>,
    /// Who mails are from: `Slipway <slipway@example.com>`.
    pub from: String,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpEncryption {
    /// After a greeting in the clear.
    #[default]
    Starttls,
    /// From the beginning.
    Tls,
    /// Not at all.
    None,
}

/// Why no mail can be handed in.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The password can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The rest of the section makes no sense.
    #[error(transparent)]
    Mail(#[from] slipway_webhooks::MailError),
}

impl Smtp {
    /// What hands mails in, with the password as it is now.
    pub fn mailer(&self, timeout: Duration) -> Result<Mailer, SmtpError> {
        let password = self.password.as_ref().map(SecretReference::resolve);
        let password = password.transpose()?;
        Ok(self.mailer_with(
            password.as_ref().map_or("", |password| password.expose()),
            timeout,
        )?)
    }

    fn mailer_with(
        &self,
        password: &str,
        timeout: Duration,
    ) -> Result<Mailer, slipway_webhooks::MailError> {
        let (encryption, port) = match self.encryption {
            SmtpEncryption::Starttls => (Encryption::StartTls, 587),
            SmtpEncryption::Tls => (Encryption::Tls, 465),
            SmtpEncryption::None => (Encryption::None, 587),
        };
        let credentials = self.user.clone().map(|user| (user, password.to_owned()));
        Mailer::new(MailerOptions {
            host: self.host.clone(),
            port: self.port.unwrap_or(port),
            encryption,
            credentials,
            from: self.from.clone(),
            timeout,
        })
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.host.is_empty() {
            problems.push("smtp.host is empty; name the host that takes mails".to_owned());
        }
        if self.user.is_some() != self.password.is_some() {
            problems.push("[smtp] needs user and password, or neither".to_owned());
        }
        let loopback = matches!(&*self.host, "localhost" | "127.0.0.1" | "::1");
        if self.encryption == SmtpEncryption::None && self.password.is_some() && !loopback {
            problems.push(
                "smtp.encryption = \"none\" would show the password to the network; use \"starttls\" or \"tls\""
                    .to_owned(),
            );
        }
        if let Err(error) = self.mailer_with("", Duration::from_secs(1)) {
            problems.push(format!("[smtp]: {error}"));
        }
    }
}
