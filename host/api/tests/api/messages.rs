//! Direct messages: every channel and member of a request, to addresses, endpoints and users.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinion_api::testing::TestApi;
use pinion_domain::channel::ChannelType;
use pinion_domain::extension::Binding;
use pinion_domain::extension::channel::{OutgoingMessage, Part, Receipt, SendError, Verdict};
use pinion_domain::extension::fake::{FakeChannel, FakePlugins};
use pinion_engine::Config;
use pinion_engine::config::{Delivery, ServerBinding};
use serde_json::{Value, json};

/// A server with one application, all of whose channels are enabled and lead to one fake channel.
pub(crate) struct Shop {
    pub(crate) api: TestApi,
    pub(crate) app: String,
    pub(crate) channel: Arc<FakeChannel>,
}

const ENABLED: [(ChannelType, &str); 10] = [
    (
        ChannelType::Email,
        r#"{"FromAddress":"Books <news@books.test>","Identity":"i"}"#,
    ),
    (ChannelType::Sms, r#"{"Enabled":true,"SenderId":"BOOKS"}"#),
    (ChannelType::Voice, "{}"),
    (ChannelType::Gcm, "{}"),
    (ChannelType::Apns, "{}"),
    (ChannelType::ApnsSandbox, "{}"),
    (ChannelType::ApnsVoip, "{}"),
    (ChannelType::ApnsVoipSandbox, "{}"),
    (ChannelType::Adm, "{}"),
    (ChannelType::Baidu, "{}"),
];

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with_rate(None).await
    }

    async fn with_rate(rate: Option<u32>) -> Self {
        let channel = Arc::new(FakeChannel::default());
        let plugins = FakePlugins::default().with_channel("fake", Arc::clone(&channel) as _);
        let bindings = ChannelType::ALL
            .into_iter()
            .filter(|channel| *channel != ChannelType::Baidu)
            .map(|channel| {
                let binding = ServerBinding {
                    binding: Binding {
                        plugin: "fake".to_owned(),
                        settings: json!({}),
                        grants: Vec::new(),
                    },
                    rate,
                    delivery: Delivery::default(),
                };
                (channel, binding)
            });
        let config = Config {
            bindings: bindings.collect(),
            public_url: Some("https://mail.books.test".parse().unwrap()),
            ..Config::default()
        };
        let api = TestApi::with_config(Arc::new(plugins), config).await;
        let app = api.app("shop").await;
        let shop = Self { api, app, channel };
        let app = shop.app_ref().await;
        for (channel, document) in ENABLED {
            let document: Value = serde_json::from_str(document).unwrap();
            shop.api.store.put_channel(&app, channel, document).await.unwrap();
        }
        shop
    }

    pub(crate) async fn app_ref(&self) -> pinion_store::AppRef {
        let tenant = pinion_domain::id::Tenant {
            account: self.api.account().await,
            region: "eu-west-1".into(),
        };
        let id = self.app.as_str().into();
        self.api.store.app(&tenant, &id).await.unwrap().unwrap()
    }

    pub(crate) async fn endpoint(&self, id: &str, endpoint: Value) {
        let path = format!("/v1/apps/{}/endpoints/{id}", self.app);
        self.api.put(&path, endpoint).await.json(202);
    }

    pub(crate) async fn send(&self, request: Value) -> Value {
        let path = format!("/v1/apps/{}/messages", self.app);
        self.api.post(&path, request).await.json(200)
    }

    /// The sentence of a request that is refused.
    async fn refused(&self, request: Value) -> String {
        let path = format!("/v1/apps/{}/messages", self.app);
        let (code, sentence) = self.api.post(&path, request).await.error(400);
        assert_eq!(code, "BadRequestException");
        sentence
    }

    async fn send_to_users(&self, request: Value) -> Value {
        let path = format!("/v1/apps/{}/users-messages", self.app);
        self.api.post(&path, request).await.json(200)
    }

    /// The one message that was sent since the last time.
    pub(crate) fn sent(&self, before: usize) -> OutgoingMessage {
        let sent = self.channel.sent();
        assert_eq!(sent.len(), before + 1);
        sent[before].clone()
    }
}

fn meta<'a>(message: &'a OutgoingMessage, name: &str) -> Option<&'a str> {
    let found = message.metadata.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn text(message: &OutgoingMessage) -> &str {
    let text = message.parts.iter().find_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    text.expect("the message has a text")
}

fn payload(message: &OutgoingMessage) -> Value {
    let json = message.parts.iter().find_map(|part| match part {
        Part::Json(json) => Some(json.as_str()),
        _ => None,
    });
    serde_json::from_str(json.expect("the message has a document")).unwrap()
}

#[tokio::test]
async fn substitutions_of_the_recipient_win_over_the_messages_and_those_over_the_defaults() {
    let shop = Shop::open().await;
    shop.send(json!({
        "Addresses": {"+12065550100": {"ChannelType": "SMS", "Substitutions": {"a": ["own"]}}},
        "MessageConfiguration": {
            "SMSMessage": {"Body": "{{a}} {{b}} {{c}}{{d}}", "Substitutions": {"a": ["message"], "b": ["message"]}},
            "DefaultMessage": {"Substitutions": {"a": ["default"], "b": ["default"], "c": ["default"]}},
        },
    }))
    .await;
    assert_eq!(text(&shop.sent(0)), "own message default");
}

#[tokio::test]
async fn an_sms_takes_its_sender_and_facts_along() {
    let shop = Shop::open().await;
    let response = shop
        .send(json!({
            "Addresses": {"+12065550100": {"ChannelType": "SMS", "Context": {"order": "8", "own": "1"}}},
            "Context": {"order": "7", "shop": "s"},
            "TraceId": "trace-1",
            "MessageConfiguration": {"SMSMessage": {
                "Body": "Hi\r\nthere\u{7}", "MessageType": "TRANSACTIONAL", "OriginationNumber": "+18555550142",
                "SenderId": "SHOP", "Keyword": "K", "EntityId": "E", "TemplateId": "T"
            }},
        }))
        .await;
    let result = &response["Result"]["+12065550100"];
    assert_eq!(result["DeliveryStatus"], "SUCCESSFUL");
    assert_eq!(result["StatusCode"], 200);
    assert!(
        response.get("EndpointResult").is_none(),
        "no endpoints were named"
    );
    let sent = shop.sent(0);
    assert_eq!(result["MessageId"], sent.delivery_id.as_str());
    assert_eq!(text(&sent), "Hi\nthere ");
    assert_eq!(sent.from.as_deref(), Some("+18555550142"));
    for (name, value) in [
        ("message-type", "TRANSACTIONAL"),
        ("sender-id", "SHOP"),
        ("keyword", "K"),
        ("entity-id", "E"),
        ("template-id", "T"),
        ("trace-id", "trace-1"),
        ("context", r#"{"order":"8","own":"1","shop":"s"}"#),
    ] {
        assert_eq!(meta(&sent, name), Some(value), "{name}");
    }
    let app = shop.app_ref().await;
    let message = shop.api.store.direct(&app, &sent.delivery_id);
    let context = message.await.unwrap().unwrap().context;
    assert_eq!(context.as_deref(), Some(r#"{"order":"8","own":"1","shop":"s"}"#));

    // Without a number the channel's own sender stands in.
    shop.send(json!({
        "Addresses": {"+12065550101": {"ChannelType": "SMS"}}, "MessageConfiguration": {"DefaultMessage": {"Body": "b"}},
    }))
    .await;
    assert_eq!(shop.sent(1).from.as_deref(), Some("BOOKS"));
}

#[tokio::test]
async fn a_voice_message_has_a_script_a_voice_and_a_language() {
    let shop = Shop::open().await;
    shop.send(json!({
        "Addresses": {"+12065550100": {"ChannelType": "VOICE", "BodyOverride": "Hello {{name}}", "Substitutions": {"name": ["Ann"]}}},
        "MessageConfiguration": {"VoiceMessage": {"Body": "x", "LanguageCode": "pl-PL", "VoiceId": "Ewa", "OriginationNumber": "+1206"}},
    }))
    .await;
    let sent = shop.sent(0);
    assert_eq!(text(&sent), "Hello Ann");
    assert_eq!(
        (
            meta(&sent, "voice-id"),
            meta(&sent, "language-code"),
            sent.from.as_deref()
        ),
        (Some("Ewa"), Some("pl-PL"), Some("+1206"))
    );
}

#[tokio::test]
async fn a_voice_template_brings_script_voice_and_defaults() {
    let shop = Shop::open().await;
    let template = json!({
        "Body": "Hello {{name}}", "LanguageCode": "pl-PL", "VoiceId": "Ewa",
        "DefaultSubstitutions": "{\"name\": \"friend\"}",
    });
    shop.api
        .post("/v1/templates/greeting/voice", template)
        .await
        .json(201);
    shop.send(json!({
        "Addresses": {"+12065550100": {"ChannelType": "VOICE"}},
        "MessageConfiguration": {"VoiceMessage": {"VoiceId": "Maja"}},
        "TemplateConfiguration": {"VoiceTemplate": {"Name": "greeting"}},
    }))
    .await;
    let sent = shop.sent(0);
    assert_eq!(text(&sent), "Hello friend");
    assert_eq!(
        (meta(&sent, "voice-id"), meta(&sent, "language-code")),
        (Some("Maja"), Some("pl-PL"))
    );
}

#[tokio::test]
async fn each_service_reads_its_part_of_a_push_template() {
    let shop = Shop::open().await;
    let template = json!({
        "APNS": {"Title": "apple", "Sound": "chime"}, "Default": {"Title": "all", "Body": "b"},
    });
    shop.api.post("/v1/templates/news/push", template).await.json(201);
    for (channel, before, title) in [("APNS_SANDBOX", 0, "apple"), ("ADM", 1, "all")] {
        shop.send(json!({
            "Addresses": {"token": {"ChannelType": channel}}, "MessageConfiguration": {},
            "TemplateConfiguration": {"PushTemplate": {"Name": "news"}},
        }))
        .await;
        let sent = shop.sent(before);
        assert_eq!(sent.parts[0], Part::Subject(title.to_owned()), "{channel}");
        let sound = &payload(&sent)["aps"]["sound"];
        assert_eq!(*sound == json!("chime"), channel == "APNS_SANDBOX");
    }
}

#[tokio::test]
async fn overrides_are_rendered_and_cannot_begin_a_header() {
    let shop = Shop::open().await;
    let own = json!({
        "ChannelType": "EMAIL", "TitleOverride": "Order {{n}}\r\nBcc: victim@example.com",
        "BodyOverride": "<p>{{name}}</p><a href=\"https://books.test/\">x</a>",
        "Substitutions": {"n": ["7\r\nX-Evil: 1"], "name": ["<b>Ann</b>"]},
    });
    shop.send(json!({
        "Addresses": {"ann@example.com": own},
        "MessageConfiguration": {"EmailMessage": {"SimpleEmail": {
            "Subject": {"Data": "s"}, "HtmlPart": {"Data": "<p>h</p>", "Charset": "ISO-8859-2"}, "TextPart": {"Data": "t"},
            "Headers": [{"Name": "X-Order", "Value": "{{n}}"}],
        }, "ReplyToAddresses": ["help@books.test"]}},
    }))
    .await;
    let sent = shop.sent(0);
    let Part::Subject(subject) = &sent.parts[0] else {
        panic!("{:?}", sent.parts)
    };
    assert_eq!(subject, "Order 7 X-Evil: 1 Bcc: victim@example.com");
    let Part::Html(html) = &sent.parts[1] else {
        panic!("{:?}", sent.parts)
    };
    assert!(html.starts_with("<p>&lt;b&gt;Ann&lt;/b&gt;</p>"), "{html}");
    assert!(
        html.contains("https://mail.books.test/t/c/"),
        "links count: {html}"
    );
    assert_eq!(sent.parts.len(), 2, "a text part would say something else");
    assert_eq!(sent.headers, [("X-Order".to_owned(), "7 X-Evil: 1".to_owned())]);
    assert_eq!(sent.reply_to, ["help@books.test"]);
    assert_eq!(sent.from.as_deref(), Some("Books <news@books.test>"));

    let broken = json!({
        "Addresses": {"ann@example.com": {"ChannelType": "EMAIL", "TitleOverride": "{{#if x}}"}},
        "MessageConfiguration": {"EmailMessage": {"Body": "b"}},
    });
    assert!(
        shop.refused(broken)
            .await
            .starts_with("Addresses.*.TitleOverride")
    );
}

#[tokio::test]
async fn a_raw_mail_leaves_as_it_is() {
    let shop = Shop::open().await;
    let mail = "Subject: raw\r\nBcc: other@example.com\r\nMIME-Version: 1.0\r\n\r\n{{not a variable}}\r\n";
    let configuration = json!({"EmailMessage": {"RawEmail": {"Data": STANDARD.encode(mail)}}});
    shop.send(json!({
        "Addresses": {"ann@example.com": {"ChannelType": "EMAIL"}}, "MessageConfiguration": configuration,
    }))
    .await;
    let sent = shop.sent(0);
    let [Part::Raw(raw)] = &sent.parts[..] else {
        panic!("{:?}", sent.parts)
    };
    let raw = String::from_utf8(raw.clone()).unwrap();
    let id = &sent.delivery_id;
    assert_eq!(
        raw,
        format!(
            "From: Books <news@books.test>\r\nTo: ann@example.com\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: <{id}@books.test>\r\nSubject: raw\r\nMIME-Version: 1.0\r\n\r\n{{{{not a variable}}}}\r\n"
        )
    );
    let no_mail = json!({
        "Addresses": {"ann@example.com": {"ChannelType": "EMAIL"}},
        "MessageConfiguration": {"EmailMessage": {"RawEmail": {"Data": STANDARD.encode("just words")}}},
    });
    assert!(
        shop.refused(no_mail)
            .await
            .contains("RawEmail.Data: line 1 is no header")
    );
}

#[tokio::test]
async fn a_push_is_what_its_service_takes() {
    let shop = Shop::open().await;
    let configuration = json!({
        "APNSMessage": {
            "Title": "Hi {{name}}", "Body": "apple", "Action": "DEEP_LINK", "Url": "books://{{name}}", "Badge": 3,
            "Sound": "ping", "ThreadId": "th", "Category": "c", "MediaUrl": "https://m.test/x.png", "CollapseId": "co",
            "Priority": "high", "TimeToLive": 60,
        },
        "GCMMessage": {
            "Title": "Hi {{name}}", "Body": "google \"quoted\"", "Action": "URL", "Url": "https://b.test/", "CollapseKey": "ck",
            "Priority": "5", "TimeToLive": 60, "IconReference": "ic", "ImageUrl": "https://i.test/", "RestrictedPackageName": "p",
        },
        "ADMMessage": {"Body": "amazon", "ConsolidationKey": "k", "ExpiresAfter": "90", "MD5": "m"},
        "DefaultPushNotificationMessage": {"Title": "T", "Body": "default {{name}}", "Substitutions": {"name": ["all"]}},
    });
    let to = |channel: &str| {
        json!({
            "Addresses": {"token": {"ChannelType": channel, "Substitutions": {"name": ["Ann"]}, "Context": {"k": "v"}}},
            "TraceId": "t1", "MessageConfiguration": configuration,
        })
    };
    shop.send(to("APNS")).await;
    let apns = shop.sent(0);
    assert_eq!(
        payload(&apns),
        json!({
            "aps": {
                "alert": {"title": "Hi Ann", "body": "apple"}, "badge": 3, "sound": "ping", "category": "c",
                "thread-id": "th", "mutable-content": 1
            },
            "data": {"media-url": "https://m.test/x.png", "pinpoint": {"deeplink": "books://Ann", "k": "v", "traceId": "t1"}},
        })
    );
    for (name, value) in [
        ("push-type", "alert"),
        ("priority", "10"),
        ("collapse-id", "co"),
        ("time-to-live", "60"),
    ] {
        assert_eq!(meta(&apns, name), Some(value), "{name}");
    }
    assert_eq!(apns.parts[0], Part::Subject("Hi Ann".to_owned()));
    assert_eq!(text(&apns), "apple");

    shop.send(to("GCM")).await;
    assert_eq!(
        payload(&shop.sent(1)),
        json!({
            "collapse_key": "ck", "priority": "normal", "restricted_package_name": "p", "time_to_live": 60,
            "data": {
                "pinpoint.k": "v", "pinpoint.traceId": "t1", "pinpoint.url": "https://b.test/",
                "pinpoint.notification.title": "Hi Ann", "pinpoint.notification.body": "google \"quoted\"",
                "pinpoint.notification.icon": "ic", "pinpoint.notification.imageUrl": "https://i.test/",
            },
        })
    );
    shop.send(to("ADM")).await;
    assert_eq!(
        payload(&shop.sent(2)),
        json!({
            "consolidationKey": "k", "expiresAfter": 90, "md5": "m",
            "data": {"pinpoint.k": "v", "pinpoint.traceId": "t1", "pinpoint.openApp": "true", "pinpoint.notification.body": "amazon"},
        })
    );
    // No service of Pinpoint's: the default, in a neutral form.
    shop.send(to("PUSH")).await;
    assert_eq!(
        payload(&shop.sent(3)),
        json!({
            "title": "T", "body": "default Ann",
            "data": {"pinpoint": {"k": "v", "traceId": "t1", "openApp": "true"}},
        })
    );
}

#[tokio::test]
async fn a_silent_push_has_data_and_no_alert() {
    let shop = Shop::open().await;
    let silent =
        json!({"SilentPush": true, "Data": {"refresh": "{{what}}"}, "Substitutions": {"what": ["news"]}});
    for (at, channel, expected) in [
        (
            0,
            "APNS",
            json!({
                "aps": {"content-available": 1},
                "data": {"pinpoint": {"openApp": "true", "jsonBody": {"refresh": "news"}}},
            }),
        ),
        (
            1,
            "GCM",
            json!({"data": {
                "pinpoint.openApp": "true", "pinpoint.jsonBody": "{\"refresh\":\"news\"}", "pinpoint.notification.silentPush": "1",
            }}),
        ),
    ] {
        shop.send(json!({
            "Addresses": {"token": {"ChannelType": channel}},
            "MessageConfiguration": {"APNSMessage": silent, "GCMMessage": silent},
        }))
        .await;
        assert_eq!(payload(&shop.sent(at)), expected, "{channel}");
    }
    let apns = &shop.channel.sent()[0];
    assert_eq!(
        (meta(apns, "push-type"), meta(apns, "priority")),
        (Some("background"), Some("5"))
    );
}

#[tokio::test]
async fn raw_content_replaces_a_push_and_has_to_be_json() {
    let shop = Shop::open().await;
    let send = async |raw: &str, of_recipient: Option<&str>| {
        let mut to = json!({"ChannelType": "APNS", "Substitutions": {"n": ["a\"b"]}});
        if let Some(own) = of_recipient {
            to["RawContent"] = own.into();
        }
        let response = shop
            .send(json!({
                "Addresses": {"token": to}, "MessageConfiguration": {"APNSMessage": {"RawContent": raw, "Body": "b"}},
            }))
            .await;
        response["Result"]["token"].clone()
    };
    send(r#"{"aps": {"alert": "{{n}}"}}"#, None).await;
    assert_eq!(payload(&shop.sent(0)), json!({"aps": {"alert": "a\"b"}}));
    send(r#"{"aps": {}}"#, Some(r#"{"own": "{{n}}"}"#)).await;
    assert_eq!(payload(&shop.sent(1)), json!({"own": "a\"b"}));
    let result = send(r#"{"aps": {{n}} }"#, None).await;
    assert_eq!(result["DeliveryStatus"], "PERMANENT_FAILURE");
    assert!(
        result["StatusMessage"]
            .as_str()
            .unwrap()
            .contains("is not a JSON object"),
        "{result}"
    );
    let large = format!(r#"{{"aps": {{"alert": "{}"}}}}"#, "x".repeat(4_096));
    let result = send(&large, None).await;
    assert!(
        result["StatusMessage"].as_str().unwrap().contains("at most 4096"),
        "{result}"
    );

    // A recipient's own payload is a message even if the request has none.
    shop.send(json!({
        "Addresses": {"t2": {"ChannelType": "GCM", "RawContent": "{\"data\": {}}"}}, "MessageConfiguration": {},
    }))
    .await;
    assert_eq!(payload(&shop.sent(2)), json!({"data": {}}));
    let sms = json!({
        "Addresses": {"+1": {"ChannelType": "SMS", "RawContent": "{}"}}, "MessageConfiguration": {"DefaultMessage": {"Body": "b"}},
    });
    assert!(shop.refused(sms).await.starts_with("Addresses.*.RawContent"));
}

#[tokio::test]
async fn every_recipient_has_its_own_result() {
    let shop = Shop::open().await;
    shop.endpoint("on", json!({"ChannelType": "SMS", "Address": "+1"}))
        .await;
    shop.endpoint(
        "off",
        json!({"ChannelType": "SMS", "Address": "+2", "EndpointStatus": "INACTIVE"}),
    )
    .await;
    shop.endpoint(
        "out",
        json!({"ChannelType": "SMS", "Address": "+3", "OptOut": "ALL"}),
    )
    .await;
    shop.endpoint("nowhere", json!({"ChannelType": "SMS"})).await;
    shop.endpoint("nothing", json!({})).await;
    shop.endpoint("baidu", json!({"ChannelType": "BAIDU", "Address": "b"}))
        .await;
    shop.endpoint("app", json!({"ChannelType": "IN_APP", "Address": "a"}))
        .await;
    let endpoints = json!({"on": {}, "off": {}, "out": null, "nowhere": {}, "nothing": {}, "baidu": {}, "app": {}, "none": {}});
    let addresses = json!({
        "+1": {"ChannelType": "SMS"}, "+4\n": {"ChannelType": "SMS"}, "+5": {"ChannelType": "SMS"}, "+6": {"ChannelType": "SMS"},
        "v": {"ChannelType": "VOICE", "BodyOverride": "x".repeat(10_001)}, "a@b.c": {"ChannelType": "EMAIL"},
    });
    shop.channel.answer(|message| match message.address.as_str() {
        "+5" => Verdict::Refused(SendError::RateLimited(Some(1))),
        "+6" => Verdict::Unreported {
            left: true,
            fault: "it died".to_owned(),
        },
        _ => Verdict::Accepted(Receipt::default()),
    });
    let response = shop
        .send(json!({
            "Addresses": addresses, "Endpoints": endpoints,
            "MessageConfiguration": {"SMSMessage": {"Body": "b"}, "VoiceMessage": {"Body": "b"}, "DefaultPushNotificationMessage": {"Body": "b"}},
        }))
        .await;
    let told = |map: &str, key: &str| {
        let result = &response[map][key];
        format!(
            "{} {} {}",
            result["DeliveryStatus"].as_str().unwrap(),
            result["StatusCode"],
            result["StatusMessage"].as_str().unwrap()
        )
    };
    for (map, key, expected) in [
        ("Result", "+1", "SUCCESSFUL 200 ACCEPTED"),
        ("EndpointResult", "on", "DUPLICATE 400 DUPLICATE_ENDPOINT"),
        ("EndpointResult", "off", "PERMANENT_FAILURE 400 ENDPOINT_INACTIVE"),
        ("EndpointResult", "out", "OPT_OUT 400 ENDPOINT_OPT_OUT"),
        (
            "EndpointResult",
            "nowhere",
            "PERMANENT_FAILURE 400 ENDPOINT_MISSING_ADDRESS",
        ),
        (
            "EndpointResult",
            "nothing",
            "PERMANENT_FAILURE 400 ENDPOINT_MISSING_CHANNEL",
        ),
        (
            "EndpointResult",
            "baidu",
            "PERMANENT_FAILURE 400 no binding serves the BAIDU channel",
        ),
        (
            "EndpointResult",
            "app",
            "PERMANENT_FAILURE 400 the request has no message for the IN_APP channel",
        ),
        ("EndpointResult", "none", "PERMANENT_FAILURE 400 no such endpoint"),
        (
            "Result",
            "+4\n",
            "PERMANENT_FAILURE 400 the address holds control characters",
        ),
        ("Result", "+5", "THROTTLED 429 rate limited by the provider"),
        ("Result", "+6", "UNKNOWN_FAILURE 500 it died"),
        (
            "Result",
            "v",
            "PERMANENT_FAILURE 400 the text has 10001 characters, at most 10000 are allowed",
        ),
        (
            "Result",
            "a@b.c",
            "PERMANENT_FAILURE 400 the request has no message for the EMAIL channel",
        ),
    ] {
        assert_eq!(told(map, key), expected, "{map} {key}");
    }
    assert_eq!(response["EndpointResult"]["on"]["Address"], "+1");
    assert!(
        response["Result"]["+1"].get("Address").is_none(),
        "the client named it"
    );
    assert_eq!(shop.channel.sent().len(), 3);
}

#[tokio::test]
async fn a_channel_that_is_off_or_missing_is_a_failure_of_its_recipients() {
    let shop = Shop::open().await;
    let app = shop.app_ref().await;
    let off = json!({"Enabled": false});
    shop.api
        .store
        .put_channel(&app, ChannelType::Sms, off)
        .await
        .unwrap();
    shop.api
        .store
        .delete_channel(&app, ChannelType::Email)
        .await
        .unwrap();
    let response = shop
        .send(json!({
            "Addresses": {"+1": {"ChannelType": "SMS"}, "a@b.c": {"ChannelType": "EMAIL"}},
            "MessageConfiguration": {"DefaultMessage": {"Body": "b"}},
        }))
        .await;
    for (address, channel) in [("+1", "SMS"), ("a@b.c", "EMAIL")] {
        let result = &response["Result"][address];
        assert_eq!(result["DeliveryStatus"], "PERMANENT_FAILURE");
        let expected = format!("the {channel} channel is not enabled for this application");
        assert_eq!(result["StatusMessage"], expected);
    }
    assert!(shop.channel.sent().is_empty());
}

#[tokio::test]
async fn over_the_rate_a_direct_message_is_throttled_at_once() {
    let shop = Shop::with_rate(Some(1)).await;
    let response = shop
        .send(json!({
            "Addresses": {"+1": {"ChannelType": "SMS"}, "+2": {"ChannelType": "SMS"}},
            "MessageConfiguration": {"SMSMessage": {"Body": "b"}},
        }))
        .await;
    let mut statuses: Vec<_> = response["Result"].as_object().unwrap().values().collect();
    statuses.sort_by_key(|result| result["StatusCode"].as_u64());
    assert_eq!(statuses[0]["DeliveryStatus"], "SUCCESSFUL");
    assert_eq!(statuses[1]["DeliveryStatus"], "THROTTLED");
    assert_eq!(shop.channel.sent().len(), 1);
}

#[tokio::test]
async fn a_token_that_was_replaced_is_told_and_kept() {
    let shop = Shop::open().await;
    shop.endpoint("phone", json!({"ChannelType": "GCM", "Address": "old"}))
        .await;
    shop.channel.answer(|_| {
        Verdict::Accepted(Receipt {
            attributes: vec![("updated-token".to_owned(), "new".to_owned())],
            ..Receipt::default()
        })
    });
    let response = shop
        .send(json!({"Endpoints": {"phone": {}}, "MessageConfiguration": {"GCMMessage": {"Body": "b"}}}))
        .await;
    assert_eq!(response["EndpointResult"]["phone"]["UpdatedToken"], "new");
    // It is stored behind the answer.
    shop.api.engine.stop().await;
    let path = format!("/v1/apps/{}/endpoints/phone", shop.app);
    assert_eq!(shop.api.get(&path).await.json(200)["Address"], "new");
}

#[tokio::test]
async fn requests_without_sense_are_refused() {
    let shop = Shop::open().await;
    let sms = json!({"ChannelType": "SMS"});
    let default = json!({"DefaultMessage": {"Body": "b"}});
    let many = |count: usize| -> Value {
        (0..count)
            .map(|n| (format!("+{n}"), sms.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (request, field) in [
        (
            json!({"Addresses": {"+1": sms}}),
            "missing field `MessageConfiguration`",
        ),
        (json!({"MessageConfiguration": default}), "Addresses"),
        (
            json!({"Addresses": {}, "MessageConfiguration": default}),
            "Addresses",
        ),
        (
            json!({"Addresses": many(101), "MessageConfiguration": default}),
            "Addresses",
        ),
        (
            json!({"Addresses": {"+1": {}}, "MessageConfiguration": default}),
            "Addresses.*.ChannelType",
        ),
        (
            json!({"Addresses": {"+1": {"ChannelType": "PIGEON"}}, "MessageConfiguration": default}),
            "PIGEON",
        ),
        (
            json!({"Addresses": {"+1": sms}, "MessageConfiguration": {"SMSMessage": {}}}),
            "MessageConfiguration.SMSMessage",
        ),
        (
            json!({"Addresses": {"+1": sms}, "MessageConfiguration": {"SMSMessage": {"Body": "{{/x}}"}}}),
            "MessageConfiguration.SMSMessage.Body",
        ),
        (
            json!({"Addresses": {"t": {"ChannelType": "GCM"}}, "MessageConfiguration": {"GCMMessage": {"Title": "{{#each}}"}}}),
            "MessageConfiguration.GCMMessage.Title",
        ),
        (
            json!({"Addresses": {"a@b.c": {"ChannelType": "EMAIL"}}, "MessageConfiguration": {"EmailMessage": {"SimpleEmail": {
                "Subject": {"Data": "s"}, "Headers": [{"Name": "Bcc", "Value": "x"}]
            }}}}),
            "Headers[0].Name",
        ),
        (
            json!({"Addresses": {"a@b.c": {"ChannelType": "EMAIL"}}, "MessageConfiguration": {},
                   "TemplateConfiguration": {"EmailTemplate": {"Name": "none"}}}),
            "TemplateConfiguration.EmailTemplate",
        ),
        (
            json!({"Addresses": {"+1": sms}, "MessageConfiguration": default,
                   "TemplateConfiguration": {"InAppTemplate": {"Name": "x"}}}),
            "TemplateConfiguration.InAppTemplate",
        ),
    ] {
        let sentence = shop.refused(request.clone()).await;
        assert!(sentence.contains(field), "{request}: {sentence}");
    }
    assert!(shop.channel.sent().is_empty());
}

#[tokio::test]
async fn a_users_message_reaches_the_active_endpoints_that_it_has_words_for() {
    let shop = Shop::open().await;
    let user = json!({"UserId": "u/1", "UserAttributes": {"Name": ["Ann"]}});
    for (id, endpoint) in [
        (
            "mail",
            json!({"ChannelType": "EMAIL", "Address": "ann@example.com"}),
        ),
        ("phone", json!({"ChannelType": "SMS", "Address": "+1"})),
        (
            "old",
            json!({"ChannelType": "SMS", "Address": "+2", "EndpointStatus": "INACTIVE"}),
        ),
        (
            "out",
            json!({"ChannelType": "SMS", "Address": "+3", "OptOut": "ALL"}),
        ),
        ("token", json!({"ChannelType": "GCM", "Address": "t"})),
    ] {
        let mut endpoint = endpoint;
        endpoint["User"] = user.clone();
        shop.endpoint(id, endpoint).await;
    }
    let response = shop
        .send_to_users(json!({
            "Users": {"u/1": {"Substitutions": {"code": ["7"]}, "TitleOverride": "For {{User.UserAttributes.Name}}"}, "nobody": null},
            "TraceId": "t",
            "MessageConfiguration": {
                "SMSMessage": {"Body": "{{User.UserAttributes.Name.[0]}}: {{code}}"}, "EmailMessage": {"Body": "mail {{code}}"},
            },
        }))
        .await;
    assert_eq!(response["ApplicationId"], shop.app.as_str());
    assert!(response["RequestId"].as_str().is_some_and(|id| !id.is_empty()));
    let statuses: Vec<(&String, &Value)> = response["Result"]["u/1"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, result)| (id, &result["DeliveryStatus"]))
        .collect();
    let expected = json!(["SUCCESSFUL", "OPT_OUT", "SUCCESSFUL"]);
    let expected: Vec<_> = ["mail", "out", "phone"]
        .into_iter()
        .zip(expected.as_array().unwrap())
        .collect();
    assert_eq!(
        statuses
            .iter()
            .map(|(id, status)| (id.as_str(), *status))
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(response["Result"]["nobody"], json!({}));
    assert_eq!(response["Result"]["u/1"]["mail"]["Address"], "ann@example.com");
    let sent = shop.channel.sent();
    let texts: Vec<&str> = sent.iter().map(text).collect();
    assert!(
        texts.contains(&"Ann: 7") && texts.contains(&"mail 7"),
        "{texts:?}"
    );
    let mail = sent
        .iter()
        .find(|message| message.channel_type == ChannelType::Email)
        .unwrap();
    assert_eq!(mail.parts[0], Part::Subject("For Ann".to_owned()));
    assert_eq!(meta(mail, "endpoint-id"), Some("mail"));

    let path = format!("/v1/apps/{}/users-messages", shop.app);
    let nobody = json!({"Users": {}, "MessageConfiguration": {"DefaultMessage": {"Body": "b"}}});
    let (_, sentence) = shop.api.post(&path, nobody).await.error(400);
    assert!(sentence.contains("recipients"), "{sentence}");
}

#[tokio::test]
async fn custom_channels_get_the_default_message_and_the_endpoint() {
    let shop = Shop::open().await;
    shop.endpoint(
        "c",
        json!({"ChannelType": "CUSTOM", "Address": "https://x.test", "Attributes": {"a": ["q\"q"]}}),
    )
    .await;
    shop.send(json!({"Endpoints": {"c": {}}, "MessageConfiguration": {"DefaultMessage": {"Body": "{\"a\": \"{{Attributes.a}}\"}"}}}))
        .await;
    let sent = shop.sent(0);
    assert_eq!(payload(&sent), json!({"a": "q\"q"}));
    let endpoint: Value = serde_json::from_str(meta(&sent, "endpoint").unwrap()).unwrap();
    assert_eq!(endpoint["Address"], "https://x.test");
}
