//! A message as Slack and those that understand its incoming webhooks show it.

use serde_json::{Value, json};

use crate::Message;

/// The payload: a text for notifications, and blocks for the channel.
pub fn slack_payload(message: &Message) -> Value {
    let headline = escaped(&message.headline());
    let fields: Vec<_> = message
        .details()
        .iter()
        .map(|(name, value)| json!({"type": "mrkdwn", "text": format!("*{name}*\n{}", escaped(&short(value)))}))
        .collect();
    json!({
        "text": headline,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": format!("*{headline}*")}},
            {"type": "section", "fields": fields},
        ],
    })
}

/// Slack takes at most 2,000 characters of a field.
fn short(value: &str) -> String {
    value.chars().take(300).collect()
}

/// The three characters that Slack gives a meaning of their own: what people wrote mentions nobody and links nowhere.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::occurrence;

    #[test]
    fn what_people_wrote_stays_text() {
        let mut event = occurrence();
        event.facts.name = Some("<!channel> & <https://evil|click>".to_owned());
        let payload = slack_payload(&Message::of(&event));
        assert_eq!(
            payload["text"],
            "shop: deployment 7 (&lt;!channel&gt; &amp; &lt;https://evil|click&gt;) to prod failed"
        );
        assert!(!payload.to_string().contains("<!"), "{payload}");
        let fields = payload["blocks"][1]["fields"].as_array().expect("fields");
        assert!(fields.len() <= 10, "more than Slack takes");
        assert_eq!(fields[0]["text"], "*Event*\ndeployment.failed");
    }
}
