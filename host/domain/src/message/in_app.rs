//! In-app messages: clients fetch them and decide themselves when to show them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{Error, Result};

/// Pages that a carousel may have (user guide, "In-app messages"); other layouts have one.
const MOST_PAGES: usize = 5;

/// `InAppMessage`: what is shown.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct InAppMessage {
    pub content: Option<Vec<InAppContent>>,
    pub custom_config: Option<BTreeMap<String, String>>,
    pub layout: Option<Layout>,
}

/// `CampaignInAppMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct CampaignInAppMessage {
    /// Kept for clients; what is shown is in `content`.
    pub body: Option<String>,
    pub content: Option<Vec<InAppContent>>,
    pub custom_config: Option<BTreeMap<String, String>>,
    pub layout: Option<Layout>,
}

/// `InAppMessageContent`: one page.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InAppMessageContent")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct InAppContent {
    pub background_color: Option<String>,
    pub body_config: Option<InAppBody>,
    pub header_config: Option<InAppHeader>,
    pub image_url: Option<String>,
    pub primary_btn: Option<InAppButton>,
    pub secondary_btn: Option<InAppButton>,
}

/// `InAppMessageBodyConfig`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InAppMessageBodyConfig")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct InAppBody {
    pub alignment: Alignment,
    pub body: String,
    pub text_color: String,
}

/// `InAppMessageHeaderConfig`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InAppMessageHeaderConfig")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct InAppHeader {
    pub alignment: Alignment,
    pub header: String,
    pub text_color: String,
}

/// `InAppMessageButton`: one button, perhaps another one on some platforms.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InAppMessageButton")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct InAppButton {
    pub android: Option<ButtonOverride>,
    pub default_config: Option<ButtonConfig>,
    #[serde(rename = "IOS")]
    pub ios: Option<ButtonOverride>,
    pub web: Option<ButtonOverride>,
}

/// `DefaultButtonConfiguration`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DefaultButtonConfiguration")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct ButtonConfig {
    pub background_color: Option<String>,
    pub border_radius: Option<i64>,
    pub button_action: ButtonAction,
    pub link: Option<String>,
    pub text: String,
    pub text_color: Option<String>,
}

/// `OverrideButtonConfiguration`.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OverrideButtonConfiguration")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct ButtonOverride {
    pub button_action: ButtonAction,
    pub link: Option<String>,
}

/// `Layout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Layout {
    BottomBanner,
    TopBanner,
    Overlays,
    MobileFeed,
    MiddleBanner,
    Carousel,
}

/// `Alignment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Alignment {
    Left,
    Center,
    Right,
}

/// `ButtonAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum ButtonAction {
    Link,
    DeepLink,
    Close,
}

impl From<CampaignInAppMessage> for InAppMessage {
    fn from(message: CampaignInAppMessage) -> Self {
        Self {
            content: message.content,
            custom_config: message.custom_config,
            layout: message.layout,
        }
    }
}

impl InAppMessage {
    /// Takes over what `other` says and this one leaves open.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            content: self.content.or(other.content),
            custom_config: self.custom_config.or(other.custom_config),
            layout: self.layout.or(other.layout),
        }
    }

    /// Checks a message that is to be shown; `field` is its path.
    pub fn check(&self, field: &str) -> Result<()> {
        let at = |member: &str| format!("{field}.{member}");
        let Some(layout) = self.layout else {
            return Err(Error::invalid(at("Layout"), "is required"));
        };
        let pages = self.content.as_deref().unwrap_or_default();
        let most = if layout == Layout::Carousel { MOST_PAGES } else { 1 };
        if pages.is_empty() || pages.len() > most {
            let problem = match most {
                1 => "must have exactly one item with this layout".to_owned(),
                most => format!("must have 1 to {most} items"),
            };
            return Err(Error::invalid(at("Content"), problem));
        }
        for (place, page) in pages.iter().enumerate() {
            for (member, button) in [
                ("PrimaryBtn", &page.primary_btn),
                ("SecondaryBtn", &page.secondary_btn),
            ] {
                if let Some(button) = button {
                    button.check(&at(&format!("Content[{place}].{member}")))?;
                }
            }
        }
        Ok(())
    }
}

impl InAppButton {
    fn check(&self, field: &str) -> Result<()> {
        let default = self.default_config.as_ref();
        let overrides = [("Android", &self.android), ("IOS", &self.ios), ("Web", &self.web)];
        let actions = default
            .map(|config| ("DefaultConfig", config.button_action, &config.link))
            .into_iter()
            .chain(overrides.into_iter().filter_map(|(member, config)| {
                let config = config.as_ref()?;
                Some((member, config.button_action, &config.link))
            }));
        for (member, action, link) in actions {
            if action != ButtonAction::Close && link.as_deref().is_none_or(str::is_empty) {
                return Err(Error::invalid(
                    format!("{field}.{member}.Link"),
                    "is required: the button leads there",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: serde_json::Value) -> Option<String> {
        let message: InAppMessage = serde_json::from_value(value).unwrap();
        match message.check("InAppMessage") {
            Ok(()) => None,
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_has_a_layout_its_pages_and_buttons_that_lead_somewhere() {
        let close = json!({"DefaultConfig": {"ButtonAction": "CLOSE", "Text": "Later"}});
        for (value, field) in [
            (
                json!({"Layout": "OVERLAYS", "Content": [{"PrimaryBtn": close}]}),
                None,
            ),
            (json!({"Layout": "CAROUSEL", "Content": [{}, {}, {}]}), None),
            (json!({"Content": [{}]}), Some("Layout")),
            (json!({"Layout": "OVERLAYS"}), Some("Content")),
            (
                json!({"Layout": "OVERLAYS", "Content": [{}, {}]}),
                Some("Content"),
            ),
            (
                json!({"Layout": "CAROUSEL", "Content": [{}, {}, {}, {}, {}, {}]}),
                Some("Content"),
            ),
            (
                json!({"Layout": "TOP_BANNER", "Content": [{"SecondaryBtn": {
                    "DefaultConfig": {"ButtonAction": "CLOSE", "Text": "x"},
                    "IOS": {"ButtonAction": "DEEP_LINK"}
                }}]}),
                Some("Content[0].SecondaryBtn.IOS.Link"),
            ),
        ] {
            let expected = field.map(|field| format!("InAppMessage.{field}"));
            assert_eq!(check(value.clone()), expected, "{value}");
        }
    }
}
