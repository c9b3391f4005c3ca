//! A message as a mail.

use crate::Message;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

impl Letter {
    /// The message as a mail.
    pub fn of(message: &Message) -> Self {
        let headline = message.headline();
        let details = message.details().into_iter();
        let details: Vec<_> = details
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        let details = details.concat();
        let asked_for =
            "You get this because a project administrator named your address in a webhook.";
        Self {
            subject: format!("[slipway] {headline}"),
            text: format!("{headline}\n\n{details}\n-- \n{asked_for}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::occurrence;

    #[test]
    fn a_mail_says_what_happened() {
        let letter = Letter::of(&Message::of(&occurrence()));
        assert_eq!(
            letter.subject,
            "[slipway] shop: deployment 7 (spring sale) to prod failed"
        );
        assert!(
            letter.text.contains("Problem: PLAN_CHANGED\n"),
            "{}",
            letter.text
        );
    }
}
