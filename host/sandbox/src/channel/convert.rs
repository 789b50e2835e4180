//! Messages on their way into a guest, and what comes out of it: clipped and capped, since it is
//! stored, shown and acted on.

use pinion_bindings::channel::pinion::channel::types as wit;
use pinion_domain::extension::channel::{
    EventKind, OutgoingMessage, Part, Problem, ProviderEvent, Receipt, SendError, Verdict, Webhook,
    WebhookReply,
};

use crate::logging::{clip, escape};

/// Longest text for people.
const DETAIL_BYTES: usize = 1 << 10;
/// Longest provider id.
const PROVIDER_ID_BYTES: usize = 256;
/// Attributes of a receipt.
const ATTRIBUTES: usize = 50;
/// Longest name of an attribute.
const NAME_BYTES: usize = 100;
/// The highest price of one message: 1,000 dollars.
const COST_MICROS: u64 = 1_000_000_000;
/// The most parts of one message.
const PARTS: u32 = 1_000;
/// The longest that a provider may ask to wait: a day.
const RETRY_SECONDS: u32 = 86_400;
/// Events of one web hook.
const EVENTS: usize = 10_000;
/// Body of a reply to a web hook.
const REPLY_BYTES: usize = 64 << 10;
/// Headers of a reply to a web hook.
const REPLY_HEADERS: [&str; 2] = ["content-type", "retry-after"];

pub fn message_in(message: OutgoingMessage) -> wit::Message {
    wit::Message {
        delivery_id: message.delivery_id.into(),
        attempt: message.attempt,
        to: wit::Address {
            kind: message.channel_type.as_str().to_owned(),
            value: message.address,
        },
        from: message.from,
        reply_to: message.reply_to,
        parts: message.parts.into_iter().map(part_in).collect(),
        headers: message.headers,
        metadata: message.metadata,
    }
}

fn part_in(part: Part) -> wit::Part {
    match part {
        Part::Subject(text) => wit::Part::Subject(text),
        Part::Text(text) => wit::Part::Text(text),
        Part::Html(text) => wit::Part::Html(text),
        Part::Json(text) => wit::Part::Json(text),
        Part::Raw(mail) => wit::Part::Raw(mail),
    }
}

pub fn webhook_in(request: Webhook) -> wit::Webhook {
    wit::Webhook {
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body,
    }
}

pub fn verdict_out(outcome: Result<wit::Receipt, wit::SendError>) -> Verdict {
    match outcome {
        Ok(receipt) => Verdict::Accepted(receipt_out(receipt)),
        Err(error) => Verdict::Refused(error_out(error)),
    }
}

fn receipt_out(receipt: wit::Receipt) -> Receipt {
    Receipt {
        provider_id: receipt
            .provider_id
            .map(|id| text(&id, PROVIDER_ID_BYTES))
            .filter(|id| !id.is_empty()),
        detail: receipt.detail.map(|detail| text(&detail, DETAIL_BYTES)),
        parts: receipt.parts.min(PARTS),
        cost_micros: receipt.cost_micros.map(|cost| cost.min(COST_MICROS)),
        attributes: receipt
            .attributes
            .into_iter()
            .take(ATTRIBUTES)
            .map(|(name, value)| (text(&name, NAME_BYTES), text(&value, DETAIL_BYTES)))
            .collect(),
    }
}

fn error_out(error: wit::SendError) -> SendError {
    let detail = |detail: String| text(&detail, DETAIL_BYTES);
    match error {
        wit::SendError::InvalidAddress(why) => SendError::InvalidAddress(detail(why)),
        wit::SendError::Rejected(why) => SendError::Rejected(detail(why)),
        wit::SendError::Unauthorized(why) => SendError::Unauthorized(detail(why)),
        wit::SendError::RateLimited(after) => {
            SendError::RateLimited(after.map(|after| after.min(RETRY_SECONDS)))
        }
        wit::SendError::Unavailable(why) => SendError::Unavailable(detail(why)),
        wit::SendError::Misconfigured(why) => SendError::Misconfigured(detail(why)),
        wit::SendError::Unknown(why) => SendError::Unknown(detail(why)),
    }
}

pub fn problems_out(problems: Vec<wit::Problem>) -> Vec<Problem> {
    let problem = |problem: wit::Problem| Problem {
        key: text(&problem.key, NAME_BYTES),
        text: text(&problem.text, DETAIL_BYTES),
    };
    problems.into_iter().take(ATTRIBUTES).map(problem).collect()
}

/// The error is what is wrong with the answer.
pub fn events_out(
    events: Vec<wit::Event>,
    reply: wit::WebhookReply,
) -> Result<(Vec<ProviderEvent>, WebhookReply), String> {
    if events.len() > EVENTS {
        return Err(format!(
            "made {} events of one web hook; {EVENTS} are allowed",
            events.len()
        ));
    }
    if !(200..=599).contains(&reply.status) {
        return Err(format!("answers a web hook with status {}", reply.status));
    }
    if reply.body.len() > REPLY_BYTES {
        return Err(format!("answers a web hook with more than {REPLY_BYTES} bytes"));
    }
    let is_allowed = |(name, value): &(String, String)| {
        REPLY_HEADERS.contains(&name.to_ascii_lowercase().as_str())
            && http::HeaderValue::from_str(value).is_ok()
    };
    let reply = WebhookReply {
        status: reply.status,
        headers: reply
            .headers
            .into_iter()
            .filter(is_allowed)
            .take(REPLY_HEADERS.len())
            .collect(),
        body: reply.body,
    };
    Ok((events.into_iter().map(event_out).collect(), reply))
}

fn event_out(event: wit::Event) -> ProviderEvent {
    ProviderEvent {
        provider_id: text(&event.provider_id, PROVIDER_ID_BYTES),
        kind: match event.kind {
            wit::EventKind::Delivered => EventKind::Delivered,
            wit::EventKind::Bounced => EventKind::Bounced,
            wit::EventKind::SoftBounced => EventKind::SoftBounced,
            wit::EventKind::Complained => EventKind::Complained,
            wit::EventKind::Opened => EventKind::Opened,
            wit::EventKind::Clicked => EventKind::Clicked,
            wit::EventKind::Unsubscribed => EventKind::Unsubscribed,
            wit::EventKind::Failed => EventKind::Failed,
        },
        at: event.at,
        detail: event.detail.map(|detail| text(&detail, DETAIL_BYTES)),
    }
}

/// Text of a guest: short, and on one line.
fn text(raw: &str, bytes: usize) -> String {
    escape(clip(raw, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_clipped() {
        let long = "ż".repeat(5_000);
        let receipt = receipt_out(wit::Receipt {
            provider_id: Some(long.clone()),
            detail: Some(format!("line\nline{long}")),
            parts: u32::MAX,
            cost_micros: Some(u64::MAX),
            attributes: vec![(long.clone(), long); 1_000],
        });
        assert_eq!(receipt.provider_id.unwrap().len(), PROVIDER_ID_BYTES);
        assert!(receipt.detail.unwrap().starts_with("line\\nline"));
        assert_eq!((receipt.parts, receipt.cost_micros), (PARTS, Some(COST_MICROS)));
        assert_eq!(receipt.attributes.len(), ATTRIBUTES);
        assert!(
            receipt
                .attributes
                .iter()
                .all(|(name, value)| name.len() <= NAME_BYTES && value.len() <= DETAIL_BYTES)
        );
        assert_eq!(
            error_out(wit::SendError::RateLimited(Some(u32::MAX))),
            SendError::RateLimited(Some(RETRY_SECONDS))
        );
    }

    #[test]
    fn replies_to_web_hooks_are_plain() {
        let reply = |status, body| wit::WebhookReply {
            status,
            headers: vec![
                ("Content-Type".to_owned(), "text/plain".to_owned()),
                ("Set-Cookie".to_owned(), "session=1".to_owned()),
                ("Retry-After".to_owned(), "1\r\nX: y".to_owned()),
            ],
            body,
        };
        let (_, passed) = events_out(Vec::new(), reply(200, Vec::new())).unwrap();
        assert_eq!(
            passed.headers,
            [("Content-Type".to_owned(), "text/plain".to_owned())]
        );
        assert!(events_out(Vec::new(), reply(99, Vec::new())).is_err());
        assert!(events_out(Vec::new(), reply(101, Vec::new())).is_err());
        assert!(events_out(Vec::new(), reply(200, vec![0; REPLY_BYTES + 1])).is_err());
    }
}
