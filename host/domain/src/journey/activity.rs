//! Activities: what happens to a participant at one place of a journey, and where it goes from there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::channel::ChannelType;
use crate::event_filter::EventDimensions;
use crate::id::SegmentId;
use crate::segment::SegmentDimensions;

/// `Activity`: exactly one of its members but the description is there.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct Activity {
    #[serde(rename = "CUSTOM")]
    pub custom: Option<CustomActivity>,
    pub conditional_split: Option<ConditionalSplit>,
    pub contact_center: Option<ContactCenter>,
    /// For people.
    pub description: Option<String>,
    #[serde(rename = "EMAIL")]
    pub email: Option<MessageActivity<EmailOptions>>,
    pub holdout: Option<Holdout>,
    pub multi_condition: Option<MultiConditionalSplit>,
    #[serde(rename = "PUSH")]
    pub push: Option<MessageActivity<PushOptions>>,
    pub random_split: Option<RandomSplit>,
    #[serde(rename = "SMS")]
    pub sms: Option<MessageActivity<SmsOptions>>,
    pub wait: Option<Wait>,
}

/// `EmailMessageActivity`, `PushMessageActivity` and `SMSMessageActivity`: what is said comes from a
/// template.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{Options}Activity")]
#[serde(rename_all = "PascalCase")]
pub struct MessageActivity<Options> {
    /// Settings of the channel.
    pub message_config: Option<Options>,
    /// Absent: the journey ends here.
    pub next_activity: Option<String>,
    /// Of the activity's type.
    pub template_name: Option<String>,
    /// Absent: the one that is active when the message is sent.
    pub template_version: Option<String>,
}

/// `JourneyEmailMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JourneyEmailMessage")]
#[serde(rename_all = "PascalCase")]
pub struct EmailOptions {
    /// Absent: the e-mail channel's.
    pub from_address: Option<String>,
}

/// `JourneyPushMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JourneyPushMessage")]
#[serde(rename_all = "PascalCase")]
pub struct PushOptions {
    /// Seconds, as text.
    pub time_to_live: Option<String>,
}

/// `JourneySMSMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JourneySMSMessage")]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct SmsOptions {
    pub entity_id: Option<String>,
    /// `TRANSACTIONAL` or `PROMOTIONAL`.
    pub message_type: Option<String>,
    pub origination_number: Option<String>,
    pub sender_id: Option<String>,
    pub template_id: Option<String>,
}

/// `CustomMessageActivity`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CustomMessageActivity")]
#[serde(rename_all = "PascalCase")]
pub struct CustomActivity {
    /// `plugin:NAME` or an https URL.
    pub delivery_uri: Option<String>,
    /// Absent counts as CUSTOM alone.
    pub endpoint_types: Option<Vec<ChannelType>>,
    /// What the receiver is told beside the endpoints.
    pub message_config: Option<CustomOptions>,
    /// Absent: the journey ends here.
    pub next_activity: Option<String>,
    /// Kept for clients: there are no custom templates.
    pub template_name: Option<String>,
    /// Kept for clients.
    pub template_version: Option<String>,
}

/// `JourneyCustomMessage`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JourneyCustomMessage")]
#[serde(rename_all = "PascalCase")]
pub struct CustomOptions {
    /// Up to 5,000 bytes of anything.
    pub data: Option<String>,
}

/// `ContactCenterActivity`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ContactCenterActivity")]
#[serde(rename_all = "PascalCase")]
pub struct ContactCenter {
    /// Absent: the journey ends here.
    pub next_activity: Option<String>,
}

/// `WaitActivity`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WaitActivity")]
#[serde(rename_all = "PascalCase")]
pub struct Wait {
    /// Absent: the journey ends here.
    pub next_activity: Option<String>,
    /// How long.
    pub wait_time: Option<WaitTime>,
}

/// `WaitTime`: one of its members.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct WaitTime {
    /// ISO 8601 duration, `PT1H`.
    pub wait_for: Option<String>,
    /// ISO instant.
    pub wait_until: Option<String>,
}

/// `ConditionalSplitActivity`: yes or no.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ConditionalSplitActivity")]
#[serde(rename_all = "PascalCase")]
pub struct ConditionalSplit {
    /// What is asked.
    pub condition: Option<Condition>,
    /// When it is asked; absent: at once.
    pub evaluation_wait_time: Option<WaitTime>,
    /// Where a no leads.
    pub false_activity: Option<String>,
    /// Where a yes leads.
    pub true_activity: Option<String>,
}

/// `Condition`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Condition {
    /// What is asked.
    pub conditions: Option<Vec<SimpleCondition>>,
    /// Absent counts as ALL.
    pub operator: Option<Operator>,
}

/// How conditions combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub enum Operator {
    All,
    Any,
}

/// `SimpleCondition`: one of its members.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SimpleCondition {
    /// What became of a message of the journey.
    pub event_condition: Option<EventCondition>,
    /// Membership.
    pub segment_condition: Option<SegmentCondition>,
    /// Conditions on the participant; the only member that begins with a small letter on the wire.
    #[serde(rename = "segmentDimensions")]
    pub segment_dimensions: Option<SegmentDimensions>,
}

/// `EventCondition`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct EventCondition {
    /// Which event.
    pub dimensions: Option<EventDimensions>,
    /// The activity that sent the message.
    pub message_activity: Option<String>,
}

/// `SegmentCondition`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SegmentCondition {
    /// The segment, in the version that is the latest when it is asked.
    pub segment_id: SegmentId,
}

/// `MultiConditionalSplitActivity`: the first branch whose condition holds.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MultiConditionalSplitActivity")]
#[serde(rename_all = "PascalCase")]
pub struct MultiConditionalSplit {
    /// Up to four.
    pub branches: Option<Vec<MultiConditionalBranch>>,
    /// Where everybody else goes.
    pub default_activity: Option<String>,
    /// When the conditions are asked; absent: at once.
    pub evaluation_wait_time: Option<WaitTime>,
}

/// `MultiConditionalBranch`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct MultiConditionalBranch {
    pub condition: Option<SimpleCondition>,
    pub next_activity: Option<String>,
}

/// `RandomSplitActivity`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RandomSplitActivity")]
#[serde(rename_all = "PascalCase")]
pub struct RandomSplit {
    /// Two to five, 100 percent together.
    pub branches: Option<Vec<RandomSplitEntry>>,
}

/// `RandomSplitEntry`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are Pinpoint's")]
pub struct RandomSplitEntry {
    pub next_activity: Option<String>,
    pub percentage: Option<i64>,
}

/// `HoldoutActivity`: some participants end here.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HoldoutActivity")]
#[serde(rename_all = "PascalCase")]
pub struct Holdout {
    /// Absent: the journey ends here for all.
    pub next_activity: Option<String>,
    /// Of the participants that arrive.
    pub percentage: i64,
}
