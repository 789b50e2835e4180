//! Push notifications: what the messages of all push services say.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Substitutions;
use crate::{Error, Result};

/// `APNSMessage`, `GCMMessage`, `ADMMessage`, `BaiduMessage` and `DefaultPushNotificationMessage` in one:
/// each service reads the members that it knows.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct PushMessage {
    pub action: Option<Action>,
    #[serde(rename = "APNSPushType")]
    pub apns_push_type: Option<String>,
    pub badge: Option<i64>,
    pub body: Option<String>,
    pub category: Option<String>,
    pub collapse_id: Option<String>,
    pub collapse_key: Option<String>,
    pub consolidation_key: Option<String>,
    pub data: Option<BTreeMap<String, String>>,
    /// Seconds, as text.
    pub expires_after: Option<String>,
    pub icon_reference: Option<String>,
    pub image_icon_url: Option<String>,
    pub image_url: Option<String>,
    #[serde(rename = "MD5")]
    pub md5: Option<String>,
    pub media_url: Option<String>,
    pub preferred_authentication_method: Option<String>,
    pub priority: Option<String>,
    /// A JSON text; replaces everything else.
    pub raw_content: Option<String>,
    pub restricted_package_name: Option<String>,
    pub silent_push: Option<bool>,
    pub small_image_icon_url: Option<String>,
    pub sound: Option<String>,
    pub substitutions: Option<Substitutions>,
    pub thread_id: Option<String>,
    /// Seconds.
    pub time_to_live: Option<i64>,
    pub title: Option<String>,
    pub url: Option<String>,
}

/// What a tap does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Action {
    #[default]
    OpenApp,
    DeepLink,
    Url,
}

/// Seconds for which the services keep a notification at most (FCM: 28 days).
const LONGEST_STAY: i64 = 2_419_200;
/// Bytes of an APNs collapse id (API reference, `APNSMessage`).
const LONGEST_COLLAPSE_ID: usize = 64;

impl PushMessage {
    /// Does it say anything at all?
    pub fn says_something(&self) -> bool {
        self.body.is_some() || self.title.is_some() || self.raw_content.is_some() || self.data.is_some()
    }

    /// Takes over what `other` says and this one leaves open.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        macro_rules! first {
            ($($member:ident),+ $(,)?) => { Self { $($member: self.$member.or(other.$member)),+ } };
        }
        first! {
            action, apns_push_type, badge, body, category, collapse_id, collapse_key, consolidation_key,
            data, expires_after, icon_reference, image_icon_url, image_url, md5, media_url,
            preferred_authentication_method, priority, raw_content, restricted_package_name, silent_push,
            small_image_icon_url, sound, substitutions, thread_id, time_to_live, title, url,
        }
    }

    /// Checks a message as it is written; `field` is its path.
    pub fn check(&self, field: &str) -> Result<()> {
        let at = |member: &str| format!("{field}.{member}");
        if let Some(priority) = self.priority.as_deref()
            && !matches!(priority, "5" | "10" | "normal" | "high")
        {
            return Err(Error::invalid(at("Priority"), "must be 5, 10, normal or high"));
        }
        if let Some(seconds) = self.time_to_live
            && !(0..=LONGEST_STAY).contains(&seconds)
        {
            return Err(Error::invalid(
                at("TimeToLive"),
                format!("must be between 0 and {LONGEST_STAY} seconds"),
            ));
        }
        if let Some(seconds) = self.expires_after.as_deref()
            && !seconds
                .parse::<i64>()
                .is_ok_and(|seconds| (0..=LONGEST_STAY).contains(&seconds))
        {
            return Err(Error::invalid(
                at("ExpiresAfter"),
                format!("must be between 0 and {LONGEST_STAY} seconds"),
            ));
        }
        if let Some(kind) = self.apns_push_type.as_deref()
            && !matches!(
                kind,
                "alert" | "background" | "complication" | "fileprovider" | "mdm" | "voip"
            )
        {
            return Err(Error::invalid(
                at("APNSPushType"),
                "must be alert, background, complication, fileprovider, mdm or voip",
            ));
        }
        if self
            .collapse_id
            .as_ref()
            .is_some_and(|id| id.len() > LONGEST_COLLAPSE_ID)
        {
            return Err(Error::invalid(
                at("CollapseId"),
                format!("must have at most {LONGEST_COLLAPSE_ID} bytes"),
            ));
        }
        if self.action == Some(Action::Url) && self.url.as_deref().is_none_or(str::is_empty) {
            return Err(Error::invalid(
                at("Url"),
                "is required: Action says that a tap opens it",
            ));
        }
        for (member, line) in [
            ("CollapseId", &self.collapse_id),
            ("CollapseKey", &self.collapse_key),
            ("ConsolidationKey", &self.consolidation_key),
            ("RestrictedPackageName", &self.restricted_package_name),
            ("MD5", &self.md5),
        ] {
            if line
                .as_deref()
                .is_some_and(|line| line.chars().any(char::is_control))
            {
                return Err(Error::invalid(at(member), "must not hold control characters"));
            }
        }
        // Variables may stand where JSON has a value, so only what has none can be looked at now.
        if let Some(raw) = self.raw_content.as_deref()
            && !raw.contains("{{")
            && !serde_json::from_str::<serde_json::Value>(raw).is_ok_and(|raw| raw.is_object())
        {
            return Err(Error::invalid(at("RawContent"), "must be a JSON object, as text"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(value: serde_json::Value) -> PushMessage {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_one_leaves_open_another_may_say() {
        let own = message(json!({"Body": "own", "APNSPushType": "alert"}));
        let other = message(json!({"Body": "other", "Title": "title", "Badge": 0}));
        assert_eq!(
            own.or(other),
            message(json!({"Body": "own", "Title": "title", "Badge": 0, "APNSPushType": "alert"}))
        );
    }

    #[test]
    fn mistakes_name_their_member() {
        for (value, member) in [
            (json!({"TimeToLive": -1}), "TimeToLive"),
            (json!({"ExpiresAfter": "soon"}), "ExpiresAfter"),
            (json!({"APNSPushType": "loud"}), "APNSPushType"),
            (json!({"CollapseId": "x".repeat(65)}), "CollapseId"),
            (json!({"CollapseKey": "a\nb"}), "CollapseKey"),
            (json!({"Action": "URL", "Title": "t"}), "Url"),
            (json!({"RawContent": "[1]"}), "RawContent"),
        ] {
            match message(value.clone()).check("GCMMessage") {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, format!("GCMMessage.{member}")),
                other => panic!("{value}: {other:?}"),
            }
        }
        let fine = json!({"RawContent": "{\"aps\": {\"badge\": {{Metrics.unread}}}}", "Priority": "10"});
        assert_eq!(message(fine).check("APNSMessage"), Ok(()));
    }
}
