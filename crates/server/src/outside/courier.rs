//! Those who are told what happens, as far as the operator allows it.

use std::sync::Arc;

use async_trait::async_trait;
use slipway_kernel::Clock;
use slipway_notifications::{
    Address, Courier, Letter, NotAllowed, Outcome, Parcel, Reference, Target, slack_payload,
};
use slipway_webhooks::{HttpError, Places, Poster, SigningKeys};
use tokio::task::spawn_blocking;

use crate::cli::explain;
use crate::config;
use crate::secret::{Secret, SecretError, SecretReference};

/// Brings messages to where the operator allows it.
pub struct AllowedCourier {
    rules: Arc<config::Notifications>,
    smtp: Option<config::Smtp>,
    poster: Poster,
    clock: Arc<dyn Clock>,
}

impl AllowedCourier {
    /// Allows what these rules do; mails are handed in as `smtp` says.
    pub fn new(
        rules: config::Notifications,
        smtp: Option<config::Smtp>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HttpError> {
        let places = rules.allow_private.iter().map(|place| place.0.clone());
        Ok(Self {
            poster: Poster::new(Places::new(places.collect()), rules.timeout)?,
            rules: Arc::new(rules),
            smtp,
            clock,
        })
    }

    async fn standard(
        &self,
        url: &str,
        secret: &Reference,
        parcel: &Parcel,
    ) -> Result<Outcome, String> {
        let target = self.poster.target(url)?;
        let keys = self.read("secret", secret).await.map_err(told)?;
        let keys = SigningKeys::parse(keys.expose()).map_err(|error| error.to_string())?;
        let body = serde_json::to_string(&parcel.message).map_err(|error| error.to_string())?;
        let id = parcel.id.to_string();
        let timestamp = self.clock.now().seconds_and_nanos().0;
        let headers = [
            ("webhook-signature", keys.sign(&id, timestamp, &body)),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-id", id),
        ];
        Ok(self.poster.post(&target, &headers, body).await)
    }

    async fn slack(&self, url: &Reference, parcel: &Parcel) -> Result<Outcome, String> {
        let url = self.read("url", url).await.map_err(told)?;
        let target = self.poster.target(url.expose())?;
        let body = slack_payload(&parcel.message).to_string();
        Ok(self.poster.post(&target, &[], body).await)
    }

    async fn email(&self, recipients: &[Address], parcel: &Parcel) -> Result<Outcome, String> {
        let smtp = self.smtp.clone().ok_or_else(|| no_smtp().problem)?;
        let timeout = self.rules.timeout;
        let mailer = spawn_blocking(move || smtp.mailer(timeout)).await;
        let mailer = mailer.map_err(|error| error.to_string())?;
        let mailer = mailer.map_err(|error| explain(&error))?;
        let letter = Letter::of(&parcel.message);
        Ok(mailer.send(recipients, &letter, parcel.id).await)
    }

    /// Read each time, so that a secret that was rotated is taken up.
    async fn read(&self, field: &'static str, reference: &Reference) -> Result<Secret, NotAllowed> {
        let (rules, reference) = (Arc::clone(&self.rules), reference.clone());
        let read = spawn_blocking(move || resolved(&rules, field, &reference)).await;
        read.unwrap_or_else(|error| {
            let problem = error.to_string();
            Err(NotAllowed { field, problem })
        })
    }
}

/// The secret that a webhook may name.
fn resolved(
    rules: &config::Notifications,
    field: &'static str,
    reference: &Reference,
) -> Result<Secret, NotAllowed> {
    let text = reference.as_str();
    let refused = |problem| NotAllowed { field, problem };
    if !rules.allows_secret(text) {
        return Err(refused(format!(
            "the server's setting notifications.secrets does not allow `{text}`"
        )));
    }
    let parsed: Result<SecretReference, SecretError> = text.parse();
    let secret = parsed.and_then(|reference| reference.resolve());
    secret.map_err(|error| refused(explain(&error)))
}

fn told(refused: NotAllowed) -> String {
    refused.problem
}

fn no_smtp() -> NotAllowed {
    NotAllowed {
        field: "recipients",
        problem:
            "the server's configuration has no section [smtp] that says where mails are handed in"
                .to_owned(),
    }
}

#[async_trait]
impl Courier for AllowedCourier {
    async fn check(&self, target: &Target) -> Result<(), NotAllowed> {
        let bad_url = |problem| NotAllowed {
            field: "url",
            problem,
        };
        match target {
            Target::Standard { url, secret } => {
                self.poster.target(url.as_str()).map_err(bad_url)?;
                let keys = self.read("secret", secret).await?;
                SigningKeys::parse(keys.expose()).map_err(|error| NotAllowed {
                    field: "secret",
                    problem: format!("`{}`: {error}", secret.as_str()),
                })?;
            }
            Target::Slack { url } => {
                let url = self.read("url", url).await?;
                self.poster.target(url.expose()).map_err(bad_url)?;
            }
            Target::Email { .. } => {
                self.smtp.as_ref().ok_or_else(no_smtp)?;
            }
        }
        Ok(())
    }

    async fn deliver(&self, target: &Target, parcel: &Parcel) -> Outcome {
        let delivered = match target {
            Target::Standard { url, secret } => self.standard(url.as_str(), secret, parcel).await,
            Target::Slack { url } => self.slack(url, parcel).await,
            Target::Email { recipients } => self.email(recipients, parcel).await,
        };
        delivered.unwrap_or_else(Outcome::problem)
    }
}
