//! Orders that are cut off: by a crash, or by a client that hangs up.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use pinion_domain::channel::ChannelType;
use pinion_domain::clock::ManualClock;
use pinion_domain::delivery::DeliveryStatus;
use pinion_domain::extension::channel::{
    OutgoingMessage, Problem, ProviderEvent, Verdict, Webhook, WebhookReply,
};
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
use pinion_domain::extension::{Binding, Channel, PluginError};
use pinion_domain::message::MessageRequest;
use pinion_store::testing::{each_place, tenant};
use pinion_store::{AppRef, HandOver, Intent, NamedRequest, Store};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{Asked, Repeatable};
use crate::config::{Delivery, ServerBinding};
use crate::{Config, Engine};

const ADDRESSES: [&str; 2] = ["+12065550100", "+12065550101"];

fn engine(store: &Store, channel: Arc<dyn Channel>) -> Engine {
    let plugins = FakePlugins::default().with_channel("fake", channel);
    let binding = ServerBinding {
        binding: Binding {
            plugin: "fake".to_owned(),
            settings: json!({}),
            grants: Vec::new(),
        },
        rate: None,
        delivery: Delivery::AtMostOnce,
    };
    let config = Config {
        bindings: [(ChannelType::Sms, binding)].into(),
        ..Config::default()
    };
    Engine::new(store.clone(), Arc::new(plugins), config).unwrap()
}

async fn shop(store: &Store) -> AppRef {
    let app = pinion_store::testing::app(store).await;
    store
        .put_channel(&app, ChannelType::Sms, json!({}))
        .await
        .unwrap();
    app
}

fn request() -> MessageRequest {
    let sms = json!({"ChannelType": "SMS"});
    serde_json::from_value(json!({
        "Addresses": {ADDRESSES[0]: sms, ADDRESSES[1]: sms},
        "MessageConfiguration": {"SMSMessage": {"Body": "hi"}},
    }))
    .unwrap()
}

fn asked(store: &Store, request_id: &str) -> Asked {
    Asked {
        request_id: request_id.to_owned(),
        repeatable: Some(Repeatable {
            principal: "root".to_owned(),
            name: "sdk-1".to_owned(),
            fingerprint: store.fingerprint(&[b"body"]),
        }),
    }
}

fn named(store: &Store, app: &AppRef, clock: &ManualClock) -> NamedRequest {
    use pinion_domain::clock::Clock as _;
    NamedRequest {
        account: app.tenant.account.clone(),
        principal: "root".to_owned(),
        name: "sdk-1".to_owned(),
        request_id: "first".to_owned(),
        fingerprint: store.fingerprint(&[b"body"]),
        since: clock.now() - SignedDuration::from_hours(1),
    }
}

#[tokio::test]
async fn what_was_in_flight_at_a_crash_is_unknown_and_not_sent_again() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = shop(&store).await;
        let intent = Intent {
            message_id: "0123456789abcdef0123456789abcdef".into(),
            request_id: "first".to_owned(),
            channel: ChannelType::Sms,
            seq: None,
            address: ADDRESSES[0].to_owned(),
            context: None,
        };
        let hand_over = HandOver {
            intents: vec![intent],
            named: Some(named(&store, &app, &clock)),
            otp: None,
        };
        assert!(store.begin_direct(&app, hand_over).await.unwrap());
        store.close().await;

        let store = place.open(&clock).await;
        let app = store.app(&tenant(), &app.id).await.unwrap().unwrap();
        clock.advance(SignedDuration::from_mins(11));
        assert_eq!(store.unknown_direct_after_crash().await.unwrap(), 1);
        let channel = Arc::new(FakeChannel::default());
        let engine = engine(&store, Arc::clone(&channel) as _);
        let results = engine
            .send_messages(&app, &request(), &asked(&store, "second"))
            .await
            .unwrap();
        assert_eq!(results.request_id, "first");
        let lost = &results.addresses[ADDRESSES[0]];
        assert_eq!(lost.delivery_status, DeliveryStatus::UnknownFailure);
        assert_eq!(
            lost.message_id.as_deref(),
            Some("0123456789abcdef0123456789abcdef")
        );
        let never = &results.addresses[ADDRESSES[1]];
        assert_eq!(
            (never.delivery_status, &never.message_id),
            (DeliveryStatus::TemporaryFailure, &None)
        );
        let again = engine
            .send_messages(&app, &request(), &asked(&store, "third"))
            .await
            .unwrap();
        assert_eq!(again, results);
        assert!(channel.sent().is_empty());
        engine.stop().await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_of_which_nothing_had_left_is_carried_out() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = shop(&store).await;
        let hand_over = HandOver {
            named: Some(named(&store, &app, &clock)),
            ..HandOver::default()
        };
        assert!(store.begin_direct(&app, hand_over).await.unwrap());
        store.close().await;

        let store = place.open(&clock).await;
        let app = store.app(&tenant(), &app.id).await.unwrap().unwrap();
        clock.advance(SignedDuration::from_mins(11));
        let channel = Arc::new(FakeChannel::default());
        let engine = engine(&store, Arc::clone(&channel) as _);
        let results = engine
            .send_messages(&app, &request(), &asked(&store, "second"))
            .await
            .unwrap();
        assert_eq!(results.request_id, "second");
        assert_eq!(channel.sent().len(), 2);
        engine.stop().await;
        store.close().await;
    })
    .await;
}

/// Takes messages once it is let go.
#[derive(Default)]
struct Slow {
    inner: FakeChannel,
    began: Arc<Gate>,
    goes_on: Arc<Gate>,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Gate {
    fn open(&self) {
        self.0.add_permits(1);
    }

    async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Channel for Slow {
    fn name(&self) -> (String, String) {
        self.inner.name()
    }

    fn max_batch(&self) -> usize {
        self.inner.max_batch()
    }

    async fn check(&self) -> Result<Vec<Problem>, PluginError> {
        self.inner.check().await
    }

    async fn send(&self, batch: Vec<OutgoingMessage>) -> Vec<Verdict> {
        self.began.open();
        self.goes_on.pass().await;
        self.inner.send(batch).await
    }

    async fn events(&self, request: Webhook) -> Result<(Vec<ProviderEvent>, WebhookReply), PluginError> {
        self.inner.events(request).await
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cut_off_what_is_sent() {
    each_place(async |place, clock| {
        let store = place.open(&clock).await;
        let app = shop(&store).await;
        let channel = Arc::new(Slow::default());
        let engine = engine(&store, Arc::clone(&channel) as _);
        let first = {
            let (engine, app, asked) = (engine.clone(), app.clone(), asked(&store, "first"));
            tokio::spawn(async move { engine.send_messages(&app, &request(), &asked).await })
        };
        channel.began.pass().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());

        // The SDK tries again while the first is under way, and waits for its answer.
        let again = {
            let (engine, app, asked) = (engine.clone(), app.clone(), asked(&store, "second"));
            tokio::spawn(async move { engine.send_messages(&app, &request(), &asked).await })
        };
        channel.goes_on.open();
        let results = again.await.unwrap().unwrap();
        assert_eq!(results.request_id, "first");
        for address in ADDRESSES {
            assert_eq!(
                results.addresses[address].delivery_status,
                DeliveryStatus::Successful
            );
        }
        assert_eq!(channel.inner.sent().len(), 2);
        engine.stop().await;
        store.close().await;
    })
    .await;
}
