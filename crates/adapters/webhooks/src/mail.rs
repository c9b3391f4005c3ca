//! Mails.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error as SmtpError, response::Response};
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use slipway_kernel::DeliveryId;
use slipway_notifications::{Address, Letter, Outcome};
use tokio::time::timeout;

/// Where mails are handed in, and how.
#[derive(Clone)]
pub struct MailerOptions {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// A user's name and password, where the host wants them.
    pub credentials: Option<(String, String)>,
    /// Who the mails are from: `Slipway <slipway@example.com>`.
    pub from: String,
    /// How long handing in one mail may take.
    pub timeout: Duration,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// After a greeting in the clear, or not at all: then nothing is handed in.
    StartTls,
    /// From the beginning.
    Tls,
    /// Not at all.
    None,
}

/// Why no mails can be handed in.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender is no address.
    #[error("`{0}` is no sender; give one like `Slipway <slipway@example.com>`")]
    From(String),
    /// There is no way to encrypt.
    #[error("TLS can't be set up: {0}")]
    Tls(#[source] SmtpError),
}

/// Hands mails in.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl Mailer {
    /// Hands mails in as these options say. Nobody is called yet.
    pub fn new(options: MailerOptions) -> Result<Self, MailError> {
        let from: Mailbox = options
            .from
            .parse()
            .map_err(|_| MailError::From(options.from.clone()))?;
        let parameters = || TlsParameters::new(options.host.clone()).map_err(MailError::Tls);
        let tls = match options.encryption {
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::Tls => Tls::Wrapper(parameters()?),
            Encryption::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(options.host)
            .port(options.port)
            .tls(tls)
            .timeout(Some(options.timeout));
        if let Some((user, password)) = options.credentials {
            transport = transport.credentials(Credentials::new(user, password));
        }
        Ok(Self {
            transport: transport.build(),
            from,
            timeout: options.timeout,
        })
    }

    /// Hands one mail in. Its id stays the same over all attempts, so that a mail program can tell a second one.
    pub async fn send(&self, recipients: &[Address], letter: &Letter, id: DeliveryId) -> Outcome {
        let mail = match self.mail(recipients, letter, id) {
            Ok(mail) => mail,
            Err(problem) => return Outcome::problem(problem),
        };
        match timeout(self.timeout, self.transport.send(mail)).await {
            Ok(Ok(response)) => taken(&response),
            Ok(Err(error)) => refused(&error),
            Err(_) => Outcome::problem(format!("the mail was not taken within {:?}", self.timeout)),
        }
    }

    fn mail(
        &self,
        recipients: &[Address],
        letter: &Letter,
        id: DeliveryId,
    ) -> Result<Message, String> {
        let domain = self.from.email.domain();
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(letter.subject.clone())
            .message_id(Some(format!("<{id}@{domain}>")));
        for recipient in recipients {
            let address = recipient.as_str().parse();
            let address = address.map_err(|error| format!("a recipient is no address: {error}"))?;
            mail = mail.to(Mailbox::new(None, address));
        }
        mail.body(letter.text.clone())
            .map_err(|error| format!("the mail can't be written: {error}"))
    }
}

fn taken(response: &Response) -> Outcome {
    Outcome {
        taken: true,
        status: Some(response.code().into()),
        answer: response.message().collect::<Vec<_>>().join("\n"),
        ..Outcome::default()
    }
}

/// Whom the host does not know, or what it does not take, it does not take the next time either. Anything else may be
/// mended meanwhile, be it ever so permanent: a password, for one, or a host that serves nobody for now (554).
fn refused(error: &SmtpError) -> Outcome {
    let status = error.status().map(u16::from);
    Outcome {
        hopeless: status.is_some_and(|status| matches!(status, 550..=553)),
        status,
        ..Outcome::problem(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// What comes of a mail where the host answers `verb` like this, and everything else kindly.
    async fn outcome(verb: &'static str, answer: &'static str) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            let mut said = Some("CONNECT".to_owned());
            while let Some(line) = said {
                let kind = match line.split([' ', ':']).next().unwrap_or_default() {
                    found if found == verb => answer,
                    "CONNECT" => "220 mail.example",
                    "EHLO" => "250-mail.example\r\n250 AUTH PLAIN",
                    "AUTH" => "235 welcome",
                    "DATA" => "354 go on",
                    _ => "250 fine",
                };
                let written = writer.write_all(format!("{kind}\r\n").as_bytes()).await;
                if written.is_err() {
                    return;
                }
                said = lines.next_line().await.ok().flatten();
            }
        });
        let mailer = Mailer::new(MailerOptions {
            host: "127.0.0.1".to_owned(),
            port,
            encryption: Encryption::None,
            credentials: Some(("slipway".to_owned(), "secret".to_owned())),
            from: "Slipway <slipway@example.com>".to_owned(),
            timeout: Duration::from_secs(10),
        });
        let letter = Letter {
            subject: "Hello".to_owned(),
            text: "Somebody".to_owned(),
        };
        let recipients = ["ops@example.com".parse().unwrap()];
        let id = DeliveryId::from_uuid(uuid::Uuid::from_u128(1));
        let outcome = mailer.unwrap().send(&recipients, &letter, id).await;
        host.abort();
        outcome
    }

    #[tokio::test]
    async fn only_what_is_about_the_mail_itself_is_hopeless() {
        for (verb, answer, hopeless) in [
            ("RCPT", "550 nobody of this name", true),
            ("RCPT", "553 no such name", true),
            ("RCPT", "450 come again", false),
            ("MAIL", "552 too long", true),
            ("MAIL", "530 who are you?", false),
            ("AUTH", "535 wrong password", false),
            ("AUTH", "534 too weak", false),
            ("CONNECT", "554 closed today", false),
            ("EHLO", "502 not now", false),
        ] {
            let outcome = outcome(verb, answer).await;
            let status: u16 = answer[..3].parse().unwrap();
            assert_eq!(outcome.status, Some(status), "{outcome:?}");
            assert_eq!(outcome.hopeless, hopeless, "{outcome:?}");
        }
    }
}
