//! Brings messages to those who are told: posts signed as the Standard Webhooks specification says, posts that Slack and
//! those like it understand, mails by SMTP.
//!
//! Whoever may set up a webhook chooses an address, and this server goes there. So an address counts as what it resolves to
//! at the moment of the connection: nothing is sent to this machine, to private networks or to what clouds tell about their
//! machines, unless the operator allows it ([`Places`]). Redirects are not followed.

mod http;
mod mail;
mod places;
mod signing;

pub use http::{HttpError, HttpTarget, Poster};
pub use mail::{Encryption, MailError, Mailer, MailerOptions};
pub use places::{AllowedPlace, Forbidden, NoPlace, Places};
pub use signing::{SigningKeys, SigningKeysError};
