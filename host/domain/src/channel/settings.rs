//! What the request that enables a channel may and must say: one row per channel type.
//!
//! Settings are kept as they are; credentials are kept apart, sealed. A request replaces the settings.
//! Credentials that it leaves out stay, so that a channel can be switched off and on without them;
//! where the service model requires them in every request, they are required here too.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ChannelType;
use crate::{Error, Result};

/// Names of credentials and their values, which are not shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credentials(BTreeMap<String, String>);

impl Credentials {
    /// The value of a credential, if the channel has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Has the channel none at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A checked request.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSettings {
    /// `Enabled`, and what clients are told again.
    pub document: Map<String, Value>,
    /// All that the channel has from now on, those from before included.
    pub credentials: Credentials,
}

/// What a channel type's request says besides `Enabled`.
struct Row {
    settings: &'static [Setting],
    credentials: &'static [&'static str],
    /// Which credentials belong together. One set must be complete.
    sets: &'static [Set],
    /// Must every request bring the credentials?
    always: bool,
}

struct Setting {
    name: &'static str,
    is_required: bool,
    /// Tells what is wrong with a value.
    problem: fn(&str) -> Option<&'static str>,
}

struct Set {
    /// Values of `DefaultAuthenticationMethod` that choose it; the first is its proper name.
    methods: &'static [&'static str],
    members: &'static [&'static str],
}

const METHOD: &str = "DefaultAuthenticationMethod";
const ENABLED: &str = "Enabled";

const fn text(name: &'static str) -> Setting {
    Setting {
        name,
        is_required: false,
        problem: any,
    }
}

const fn required(name: &'static str, problem: fn(&str) -> Option<&'static str>) -> Setting {
    Setting {
        name,
        is_required: true,
        problem,
    }
}

fn any(_: &str) -> Option<&'static str> {
    None
}

fn address(value: &str) -> Option<&'static str> {
    (!value.contains('@')).then_some("must be an e-mail address")
}

static ADM: Row = Row {
    settings: &[],
    credentials: &["ClientId", "ClientSecret"],
    sets: &[Set {
        methods: &[],
        members: &["ClientId", "ClientSecret"],
    }],
    always: true,
};

static APNS: Row = Row {
    settings: &[text(METHOD)],
    credentials: &[
        "BundleId",
        "Certificate",
        "PrivateKey",
        "TeamId",
        "TokenKey",
        "TokenKeyId",
    ],
    sets: &[
        Set {
            methods: &["CERTIFICATE"],
            members: &["Certificate", "PrivateKey"],
        },
        Set {
            methods: &["KEY", "TOKEN"],
            members: &["BundleId", "TeamId", "TokenKey", "TokenKeyId"],
        },
    ],
    always: false,
};

static BAIDU: Row = Row {
    settings: &[],
    credentials: &["ApiKey", "SecretKey"],
    sets: &[Set {
        methods: &[],
        members: &["ApiKey", "SecretKey"],
    }],
    always: true,
};

static GCM: Row = Row {
    settings: &[text(METHOD)],
    credentials: &["ApiKey", "ServiceJson"],
    sets: &[
        Set {
            methods: &["KEY"],
            members: &["ApiKey"],
        },
        Set {
            methods: &["TOKEN"],
            members: &["ServiceJson"],
        },
    ],
    always: false,
};

static SMS: Row = Row {
    settings: &[text("SenderId"), text("ShortCode")],
    credentials: &[],
    sets: &[],
    always: false,
};

static VOICE: Row = Row {
    settings: &[],
    credentials: &[],
    sets: &[],
    always: false,
};

static EMAIL: Row = Row {
    settings: &[
        text("ConfigurationSet"),
        required("FromAddress", address),
        required("Identity", any),
        text("RoleArn"),
        text("OrchestrationSendingRoleArn"),
    ],
    credentials: &[],
    sets: &[],
    always: false,
};

/// What the request of a channel type may say besides `Enabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// On the wire.
    pub name: &'static str,
    /// Must every request say it?
    pub is_required: bool,
    /// Is it a credential? Those are never told again.
    pub is_credential: bool,
}

/// What the request of a channel type may say besides `Enabled`; nothing, if there is no such request.
pub fn members(channel_type: ChannelType) -> impl Iterator<Item = Member> {
    let row = row(channel_type);
    let settings = row
        .into_iter()
        .flat_map(|row| row.settings)
        .map(|setting| Member {
            name: setting.name,
            is_required: setting.is_required,
            is_credential: false,
        });
    let credentials = row.into_iter().flat_map(|row| {
        row.credentials.iter().map(|name| Member {
            name,
            is_required: row.always,
            is_credential: true,
        })
    });
    settings.chain(credentials)
}

/// `None`: there is no request for that type.
fn row(channel_type: ChannelType) -> Option<&'static Row> {
    use ChannelType::{
        Adm, Apns, ApnsSandbox, ApnsVoip, ApnsVoipSandbox, Baidu, Custom, Email, Gcm, InApp, Push, Sms, Voice,
    };
    match channel_type {
        Adm => Some(&ADM),
        Apns | ApnsSandbox | ApnsVoip | ApnsVoipSandbox => Some(&APNS),
        Baidu => Some(&BAIDU),
        Gcm => Some(&GCM),
        Sms => Some(&SMS),
        Voice => Some(&VOICE),
        Email => Some(&EMAIL),
        Custom | InApp | Push => None,
    }
}

/// Checks the request that enables or changes a channel; `stored` are the credentials that it has.
pub fn check(
    channel_type: ChannelType,
    request: &Map<String, Value>,
    mut stored: Credentials,
) -> Result<ChannelSettings> {
    let row = row(channel_type)
        .ok_or_else(|| Error::Unsupported(format!("a channel document of type {channel_type}")))?;
    let mut document = Map::new();
    let enabled = match request.get(ENABLED) {
        // Absent counts as enabled, as the request is named after that.
        None | Some(Value::Null) => true,
        Some(Value::Bool(enabled)) => *enabled,
        Some(_) => return Err(Error::invalid(ENABLED, "must be true or false")),
    };
    document.insert(ENABLED.to_owned(), enabled.into());
    for setting in row.settings {
        match member(request, setting.name)? {
            Some(value) => {
                if let Some(problem) = (setting.problem)(value) {
                    return Err(Error::invalid(setting.name, problem));
                }
                document.insert(setting.name.to_owned(), value.into());
            }
            None if setting.is_required => return Err(Error::invalid(setting.name, "is required")),
            None => {}
        }
    }
    for name in row.credentials {
        match member(request, name)? {
            Some(value) => {
                stored.0.insert((*name).to_owned(), value.to_owned());
            }
            None if row.always => return Err(Error::invalid(*name, "is required")),
            None => {}
        }
    }
    check_credentials(row, &stored, document.get(METHOD).and_then(Value::as_str))?;
    Ok(ChannelSettings {
        document,
        credentials: stored,
    })
}

/// How a channel authenticates if the document does not say; `None` for types without that choice.
///
/// APNs channels tell only what a client chose: clients that chose nothing expect nothing.
pub fn default_authentication_method(
    channel_type: ChannelType,
    document: &Value,
    credentials: &Credentials,
) -> Option<String> {
    let named = document.get(METHOD).and_then(Value::as_str);
    match channel_type {
        ChannelType::Gcm => {
            let known = GCM.sets.iter().find(|set| set.is_complete(credentials));
            named.or(known.and_then(|set| set.methods.first().copied()))
        }
        _ => named,
    }
    .map(str::to_owned)
}

/// The settings of a stored document that answers repeat, besides those that every channel has.
pub fn echoed(channel_type: ChannelType, document: &Value) -> Map<String, Value> {
    let settings = row(channel_type).map_or(&[] as &[Setting], |row| row.settings);
    settings
        .iter()
        .filter(|setting| setting.name != METHOD)
        .filter_map(|setting| Some((setting.name.to_owned(), document.get(setting.name)?.clone())))
        .collect()
}

/// A text of the request; clients send an empty one for what is not set.
fn member<'a>(request: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>> {
    match request.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.contains('\0') => Err(Error::invalid(name, "must not hold NUL")),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(Error::invalid(name, "must be a string")),
    }
}

fn check_credentials(row: &Row, credentials: &Credentials, method: Option<&str>) -> Result<()> {
    if let Some(method) = method {
        let chosen = row
            .sets
            .iter()
            .find(|set| set.methods.iter().any(|name| name.eq_ignore_ascii_case(method)));
        let Some(chosen) = chosen else {
            let names: Vec<&str> = row.sets.iter().flat_map(|set| set.methods).copied().collect();
            return Err(Error::invalid(
                METHOD,
                format!("must be one of {}", names.join(", ")),
            ));
        };
        if let Some(missing) = chosen.missing(credentials) {
            return Err(Error::invalid(
                missing,
                format!("is required when {METHOD} is {method}"),
            ));
        }
    } else if !row.sets.is_empty() && !row.sets.iter().any(|set| set.is_complete(credentials)) {
        let first = row.sets[0].missing(credentials).unwrap_or(ENABLED);
        let sets: Vec<String> = row.sets.iter().map(|set| set.members.join(" and ")).collect();
        return Err(Error::invalid(
            first,
            format!("is missing: give {}", sets.join(", or ")),
        ));
    }
    if let Some(json) = credentials.get("ServiceJson")
        && !serde_json::from_str::<Value>(json).is_ok_and(|value| value.is_object())
    {
        return Err(Error::invalid(
            "ServiceJson",
            "must be the JSON object of a service account",
        ));
    }
    Ok(())
}

impl Set {
    fn missing(&self, credentials: &Credentials) -> Option<&'static str> {
        self.members
            .iter()
            .find(|name| credentials.get(name).is_none())
            .copied()
    }

    fn is_complete(&self, credentials: &Credentials) -> bool {
        self.missing(credentials).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn credentials(value: &Value) -> Credentials {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn checked(channel_type: ChannelType, request: &Value, stored: &Value) -> Result<ChannelSettings> {
        check(channel_type, request.as_object().unwrap(), credentials(stored))
    }

    #[test]
    fn requests_need_what_their_service_needs() {
        use ChannelType::{Adm, Apns, ApnsVoipSandbox, Baidu, Email, Gcm, Sms, Voice};
        let token = json!({ "BundleId": "b", "TeamId": "t", "TokenKey": "k", "TokenKeyId": "i" });
        let certificate = json!({ "Certificate": "c", "PrivateKey": "p" });
        for (channel_type, request, wrong) in [
            (Adm, json!({ "ClientId": "i", "ClientSecret": "s" }), None),
            (Adm, json!({ "ClientId": "i" }), Some("ClientSecret: is required")),
            (
                Adm,
                json!({ "ClientId": "i", "ClientSecret": "" }),
                Some("ClientSecret: is required"),
            ),
            (Adm, json!({ "ClientId": 7 }), Some("ClientId: must be a string")),
            (Baidu, json!({ "ApiKey": "k", "SecretKey": "s" }), None),
            (Baidu, json!({ "SecretKey": "s" }), Some("ApiKey: is required")),
            (Apns, token.clone(), None),
            (Apns, certificate.clone(), None),
            (ApnsVoipSandbox, certificate, None),
            (Apns, json!({}), Some("Certificate: is missing: give")),
            (
                Apns,
                json!({ "Certificate": "c" }),
                Some("PrivateKey: is missing: give"),
            ),
            (
                Apns,
                json!({ "Certificate": "c", "PrivateKey": "p", "DefaultAuthenticationMethod": "token" }),
                Some("BundleId: is required when DefaultAuthenticationMethod is token"),
            ),
            (
                Apns,
                json!({ "DefaultAuthenticationMethod": "PASSWORD" }),
                Some("DefaultAuthenticationMethod: must be one of CERTIFICATE, KEY, TOKEN"),
            ),
            (Gcm, json!({ "ApiKey": "k" }), None),
            (
                Gcm,
                json!({ "ServiceJson": "{}", "DefaultAuthenticationMethod": "TOKEN" }),
                None,
            ),
            (
                Gcm,
                json!({ "ServiceJson": "{}", "DefaultAuthenticationMethod": "KEY", "ApiKey": "" }),
                Some("ApiKey: is required when DefaultAuthenticationMethod is KEY"),
            ),
            (
                Gcm,
                json!({ "ServiceJson": "[]" }),
                Some("ServiceJson: must be the JSON object"),
            ),
            (
                Gcm,
                json!({}),
                Some("ApiKey: is missing: give ApiKey, or ServiceJson"),
            ),
            (Sms, json!({}), None),
            (
                Sms,
                json!({ "SenderId": "Shop", "ShortCode": "12345", "Enabled": null }),
                None,
            ),
            (
                Sms,
                json!({ "SenderId": "a\0b" }),
                Some("SenderId: must not hold NUL"),
            ),
            (
                Voice,
                json!({ "Enabled": "yes" }),
                Some("Enabled: must be true or false"),
            ),
            (Voice, json!({ "Enabled": false }), None),
            (Email, json!({ "FromAddress": "a@b", "Identity": "i" }), None),
            (
                Email,
                json!({ "FromAddress": "nobody", "Identity": "i" }),
                Some("FromAddress: must be an e-mail"),
            ),
            (
                Email,
                json!({ "FromAddress": "a@b" }),
                Some("Identity: is required"),
            ),
        ] {
            let result = checked(channel_type, &request, &json!({})).map(drop);
            match (result, wrong) {
                (Ok(()), None) => {}
                (Err(error), Some(wrong)) => {
                    assert!(
                        error.to_string().starts_with(wrong),
                        "{channel_type} {request}: {error}"
                    );
                }
                (result, _) => panic!("{channel_type} {request}: {result:?}"),
            }
        }
    }

    #[test]
    fn credentials_that_are_left_out_stay_and_settings_do_not() {
        let stored = json!({ "Certificate": "c", "PrivateKey": "p" });
        let off = checked(ChannelType::Apns, &json!({ "Enabled": false }), &stored).unwrap();
        assert_eq!(off.credentials, credentials(&stored));
        assert_eq!(Value::Object(off.document), json!({ "Enabled": false }));
        let renewed = json!({ "Certificate": "c2", "DefaultAuthenticationMethod": "CERTIFICATE" });
        let renewed = checked(ChannelType::Apns, &renewed, &stored).unwrap();
        assert_eq!(
            renewed.credentials,
            credentials(&json!({ "Certificate": "c2", "PrivateKey": "p" }))
        );
        // Every request of these brings its own.
        assert!(
            checked(
                ChannelType::Adm,
                &json!({}),
                &json!({ "ClientId": "i", "ClientSecret": "s" })
            )
            .is_err()
        );
    }

    #[test]
    fn credentials_are_not_shown() {
        let secret = credentials(&json!({ "ApiKey": "s3cret" }));
        assert_eq!(format!("{secret:?}"), r#"{"ApiKey"}"#);
    }

    #[test]
    fn firebase_says_how_it_authenticates() {
        let method = |channel_type, document: Value, known: Value| {
            default_authentication_method(channel_type, &document, &credentials(&known))
        };
        let none = json!({});
        for (channel_type, document, known, expected) in [
            (
                ChannelType::Gcm,
                none.clone(),
                json!({ "ApiKey": "k", "ServiceJson": "{}" }),
                Some("KEY"),
            ),
            (
                ChannelType::Gcm,
                none.clone(),
                json!({ "ServiceJson": "{}" }),
                Some("TOKEN"),
            ),
            (
                ChannelType::Gcm,
                json!({ METHOD: "TOKEN" }),
                json!({ "ApiKey": "k" }),
                Some("TOKEN"),
            ),
            (ChannelType::Apns, none.clone(), json!({ "TokenKey": "k" }), None),
            (
                ChannelType::Apns,
                json!({ METHOD: "CERTIFICATE" }),
                none.clone(),
                Some("CERTIFICATE"),
            ),
            (ChannelType::Sms, none.clone(), none, None),
        ] {
            assert_eq!(method(channel_type, document, known).as_deref(), expected);
        }
    }
}
