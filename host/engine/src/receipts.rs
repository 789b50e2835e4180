//! What opens, clicks and unsubscribes become: events, and for an unsubscribe a suppression before its
//! event, so that nothing is sent in between.

use pinion_domain::delivery::SuppressionReason;
use pinion_domain::event::types;
use pinion_store::{Lane, NewEvent};
use serde_json::json;
use tracing::debug;
use url::Url;

use crate::tracking::{Kind, Stamp, Token};
use crate::{Engine, Result};

/// What is known of a request for a link, kept with its event.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
}

impl Engine {
    /// The tracking pixel was fetched. `false`: the token is not ours.
    pub async fn opened(&self, token: &str, visit: &Visit) -> Result<bool> {
        let Some(token) = self.verify(Kind::Open, token) else {
            return Ok(false);
        };
        self.record(&token.stamp, types::OPEN, None, visit, json!({}))
            .await?;
        Ok(true)
    }

    /// A tracked link was followed: where it leads. `None`: the token is not ours.
    pub async fn clicked(&self, token: &str, visit: &Visit) -> Result<Option<Url>> {
        let Some(Token {
            stamp,
            target: Some(target),
        }) = self.verify(Kind::Click, token)
        else {
            return Ok(None);
        };
        self.record(
            &stamp,
            types::CLICK,
            None,
            visit,
            json!({ "link": target.as_str() }),
        )
        .await?;
        Ok(Some(target))
    }

    /// Where a tracked link leads, without recording anything.
    pub fn click_target(&self, token: &str) -> Option<Url> {
        self.verify(Kind::Click, token)?.target
    }

    /// Is this an unsubscribe link of ours? Looking changes nothing: scanners fetch links.
    pub fn is_unsubscribe(&self, token: &str) -> bool {
        self.verify(Kind::Unsubscribe, token).is_some()
    }

    /// The recipient unsubscribed. `false`: the token is not ours, or the endpoint is gone.
    pub async fn unsubscribed(&self, token: &str, visit: &Visit) -> Result<bool> {
        let Some(Token { stamp, .. }) = self.verify(Kind::Unsubscribe, token) else {
            return Ok(false);
        };
        let Some(app) = self.store().app_by_no(stamp.app_no).await? else {
            return Ok(false);
        };
        let suppressed = self
            .store()
            .suppress_endpoint(&app, stamp.seq, None, SuppressionReason::Unsubscribed)
            .await?;
        if !suppressed {
            debug!(seq = stamp.seq, "an endpoint that is gone was unsubscribed");
        }
        // One unsubscribe a message, however often the link is used.
        let key = format!("unsubscribe|{}|{}", stamp.run_no, stamp.seq);
        self.record(&stamp, types::UNSUBSCRIBE, Some(key), visit, json!({}))
            .await?;
        Ok(suppressed)
    }

    fn verify(&self, kind: Kind, token: &str) -> Option<Token> {
        self.inner.tracker.as_deref()?.verify(kind, token)
    }

    async fn record(
        &self,
        stamp: &Stamp,
        event_type: &str,
        key: Option<String>,
        visit: &Visit,
        mut document: serde_json::Value,
    ) -> Result<()> {
        if let (Some(agent), Some(object)) = (&visit.user_agent, document.as_object_mut()) {
            object.insert(
                "user_agent".to_owned(),
                json!(agent.chars().take(300).collect::<String>()),
            );
        }
        if let (Some(context), Some(object)) = (self.context_of(stamp).await?, document.as_object_mut()) {
            object.insert("attributes".to_owned(), context);
        }
        let event = NewEvent {
            app_no: stamp.app_no,
            seq: (stamp.run_no != 0 || stamp.seq != 0).then_some(stamp.seq),
            event_type: event_type.to_owned(),
            at: self.clock().now(),
            key,
            run_no: stamp.run_no,
            treatment: stamp.treatment,
            // Of a campaign it is derived from run and seq.
            message_id: stamp.direct_message(),
            document,
        };
        self.store().append_events(Lane::Interactive, vec![event]).await?;
        metrics::counter!("pinion_events_total", "type" => event_type.to_owned()).increment(1);
        Ok(())
    }

    /// The facts that the client gave a direct message: events about it have them as attributes.
    async fn context_of(&self, stamp: &Stamp) -> Result<Option<serde_json::Value>> {
        let Some(message) = stamp.direct_message() else {
            return Ok(None);
        };
        let Some(app) = self.store().app_by_no(stamp.app_no).await? else {
            return Ok(None);
        };
        let message = self.store().direct(&app, &message).await?;
        let context = message.and_then(|message| message.context);
        Ok(context.and_then(|context| serde_json::from_str(&context).ok()))
    }
}
