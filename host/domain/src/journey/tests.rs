//! Journeys that can be, and those that cannot, by the member that is wrong.

use serde_json::{Value, json};

use super::{JourneyDocument, JourneyState, check, check_publishable};
use crate::clock::parse_iso;
use crate::{Error, Result};

/// A journey that can be published.
fn whole() -> Value {
    let opened = json!({
        "Dimensions": {"EventType": {"DimensionType": "INCLUSIVE", "Values": ["_email.open"]}},
        "MessageActivity": "hello",
    });
    json!({
        "Name": "welcome",
        "StartActivity": "hello",
        "StartCondition": {"SegmentStartCondition": {"SegmentId": "s"}},
        "Activities": {
            "hello": {"EMAIL": {"NextActivity": "pause", "TemplateName": "hello",
                                "MessageConfig": {"FromAddress": "a@b.c"}}},
            "pause": {"Wait": {"NextActivity": "asked", "WaitTime": {"WaitFor": "PT1H"}}},
            "asked": {"ConditionalSplit": {
                "Condition": {"Conditions": [{"EventCondition": opened}], "Operator": "ANY"},
                "EvaluationWaitTime": {"WaitUntil": "2026-12-01T00:00:00Z"},
                "TrueActivity": "dice", "FalseActivity": "again"}},
            "again": {"SMS": {"TemplateName": "again", "MessageConfig": {"MessageType": "PROMOTIONAL"}}},
            "dice": {"RandomSplit": {"Branches": [
                {"NextActivity": "many", "Percentage": 60}, {"NextActivity": "held", "Percentage": 40}]}},
            "many": {"MultiCondition": {
                "Branches": [
                    {"Condition": {"SegmentCondition": {"SegmentId": "t"}}, "NextActivity": "held"},
                    {"Condition": {"segmentDimensions": {"Attributes": {"a": {"Values": ["x"]}}}}}],
                "DefaultActivity": "pushed"}},
            "held": {"Holdout": {"NextActivity": "pushed", "Percentage": 10}},
            "pushed": {"PUSH": {"NextActivity": "custom", "TemplateName": "p",
                                "MessageConfig": {"TimeToLive": "60"}}},
            "custom": {"CUSTOM": {"DeliveryUri": "plugin:webhook", "EndpointTypes": ["CUSTOM"],
                                  "MessageConfig": {"Data": "x"}, "NextActivity": "called"}},
            "called": {"ContactCenter": {}, "Description": "the end"},
        },
        "Schedule": {"StartTime": "2026-11-01T00:00:00Z", "EndTime": "2026-12-31T00:00:00Z", "Timezone": "UTC-09:30"},
        "Limits": {"DailyCap": 1, "EndpointReentryCap": 0, "EndpointReentryInterval": "P1D",
                   "MessagesPerSecond": 50, "TotalCap": 100, "TimeframeCap": {"Cap": 5, "Days": 30}},
        "QuietTime": {"Start": "22:00", "End": "07:00"},
        "WaitForQuietTime": true,
        "SendingSchedule": true,
        "OpenHours": {"EMAIL": {"MONDAY": [{"StartTime": "08:00", "EndTime": "12:00"},
                                           {"StartTime": "13:00", "EndTime": "18:00"}]}},
        "ClosedDays": {"SMS": [{"Name": "new year", "StartDateTime": "2026-12-31T00:00:00",
                                "EndDateTime": "2027-01-02T00:00:00"}]},
        "TimezoneEstimationMethods": ["PHONE_NUMBER", "POSTAL_CODE"],
        "RefreshFrequency": "PT12H",
        "RefreshOnSegmentUpdate": true,
        "LocalTime": false,
        "JourneyChannelSettings": {"ConnectCampaignArn": "arn:aws:connect:::x"},
    })
}

/// The whole journey with another value at a JSON pointer.
fn with(pointer: &str, value: Value) -> JourneyDocument {
    let mut journey = whole();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    journey.pointer_mut(parent).unwrap()[member] = value;
    serde_json::from_value(journey).unwrap()
}

fn field(result: Result<()>) -> Option<String> {
    match result {
        Ok(()) => None,
        Err(Error::Invalid { field, .. }) => Some(field),
        Err(Error::LimitExceeded(sentence)) => sentence.split_once(':').map(|(field, _)| field.to_owned()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_whole_journey_is_taken_and_comes_back() {
    let journey: JourneyDocument = serde_json::from_value(whole()).unwrap();
    assert_eq!(check(&journey), Ok(()));
    assert_eq!(
        check_publishable(&journey, parse_iso("2026-11-23").unwrap()),
        Ok(())
    );
    let mut expected = whole();
    expected["Schedule"]["StartTime"] = json!("2026-11-01T00:00:00.000Z");
    expected["Schedule"]["EndTime"] = json!("2026-12-31T00:00:00.000Z");
    assert_eq!(serde_json::to_value(&journey).unwrap(), expected);
}

#[test]
fn a_draft_may_be_incomplete() {
    let draft: JourneyDocument = serde_json::from_value(json!({
        "Name": "draft",
        "Activities": {"a": {"EMAIL": {}}, "b": {"RandomSplit": {}}, "c": {"ConditionalSplit": {}}, "d": {"Wait": {}}},
    }))
    .unwrap();
    assert_eq!(check(&draft), Ok(()));
}

#[test]
fn what_is_wrong_is_refused_even_in_a_draft() {
    let many = |count: usize| -> Value {
        let activities = (0..count).map(|no| (format!("a{no}"), json!({"Wait": {}})));
        activities.collect::<serde_json::Map<_, _>>().into()
    };
    let centers = json!({"a": {"ContactCenter": {}}, "b": {"ContactCenter": {}},
                         "c": {"ContactCenter": {}}, "hello": {"ContactCenter": {}}});
    let branch = |share: i64| json!({"Percentage": share});
    let events = json!({"FilterType": "ENDPOINT", "Dimensions": {"EventType": {"Values": ["e"]}}});
    for (pointer, value, expected) in [
        ("/Name", json!(""), "Name"),
        ("/Name", json!("two words"), "Name"),
        ("/Name", json!("x".repeat(151)), "Name"),
        ("/StartActivity", json!("nowhere"), "StartActivity"),
        ("/Activities", many(41), "Activities"),
        ("/Activities", centers, "Activities"),
        ("/Activities/a b", json!({"Wait": {}}), "Activities.a b"),
        ("/Activities/hello", json!({}), "Activities.hello"),
        (
            "/Activities/hello",
            json!({"EMAIL": {}, "SMS": {}}),
            "Activities.hello",
        ),
        (
            "/Activities/hello/EMAIL/NextActivity",
            json!("nowhere"),
            "Activities.hello.EMAIL.NextActivity",
        ),
        (
            "/Activities/dice/RandomSplit/Branches/1/NextActivity",
            json!("nowhere"),
            "Activities.dice.RandomSplit.Branches[1].NextActivity",
        ),
        // Round and round: told at the first activity of the ring, by name.
        (
            "/Activities/called/ContactCenter/NextActivity",
            json!("pushed"),
            "Activities.called.ContactCenter.NextActivity",
        ),
        (
            "/Activities/again/SMS/NextActivity",
            json!("again"),
            "Activities.again.SMS.NextActivity",
        ),
        (
            "/Activities/dice/RandomSplit/Branches",
            json!([branch(60), branch(30)]),
            "Activities.dice.RandomSplit.Branches",
        ),
        (
            "/Activities/dice/RandomSplit/Branches",
            json!([branch(100)]),
            "Activities.dice.RandomSplit.Branches",
        ),
        (
            "/Activities/dice/RandomSplit/Branches",
            json!([branch(110), branch(-10)]),
            "Activities.dice.RandomSplit.Branches[0].Percentage",
        ),
        (
            "/Activities/many/MultiCondition/Branches",
            json!([{}, {}, {}, {}, {}]),
            "Activities.many.MultiCondition.Branches",
        ),
        (
            "/Activities/many/MultiCondition/Branches/0/Condition",
            json!({}),
            "Activities.many.MultiCondition.Branches[0].Condition",
        ),
        (
            "/Activities/many/MultiCondition/Branches/1/Condition/segmentDimensions",
            json!({"Attributes": {"a": {"Values": []}}}),
            "Activities.many.MultiCondition.Branches[1].Condition.segmentDimensions.Attributes.a.Values",
        ),
        (
            "/Activities/held/Holdout/Percentage",
            json!(101),
            "Activities.held.Holdout.Percentage",
        ),
        (
            "/Activities/pause/Wait/WaitTime",
            json!({"WaitFor": "1 hour"}),
            "Activities.pause.Wait.WaitTime.WaitFor",
        ),
        (
            "/Activities/pause/Wait/WaitTime",
            json!({"WaitFor": "P366D"}),
            "Activities.pause.Wait.WaitTime.WaitFor",
        ),
        (
            "/Activities/pause/Wait/WaitTime",
            json!({"WaitUntil": "soon"}),
            "Activities.pause.Wait.WaitTime.WaitUntil",
        ),
        (
            "/Activities/pause/Wait/WaitTime",
            json!({"WaitFor": "PT1H", "WaitUntil": "2026-12-01"}),
            "Activities.pause.Wait.WaitTime",
        ),
        (
            "/Activities/asked/ConditionalSplit/Condition/Conditions/0/EventCondition/MessageActivity",
            json!("pause"),
            "Activities.asked.ConditionalSplit.Condition.Conditions[0].EventCondition.MessageActivity",
        ),
        (
            "/Activities/asked/ConditionalSplit/Condition/Conditions/0/EventCondition/Dimensions",
            json!({"EventType": {"Values": []}}),
            "Activities.asked.ConditionalSplit.Condition.Conditions[0].EventCondition.Dimensions.EventType.Values",
        ),
        (
            "/Activities/pushed/PUSH/MessageConfig/TimeToLive",
            json!("a while"),
            "Activities.pushed.PUSH.MessageConfig.TimeToLive",
        ),
        (
            "/Activities/again/SMS/MessageConfig/MessageType",
            json!("LOUD"),
            "Activities.again.SMS.MessageConfig.MessageType",
        ),
        (
            "/Activities/custom/CUSTOM/MessageConfig/Data",
            json!("x".repeat(5_001)),
            "Activities.custom.CUSTOM.MessageConfig.Data",
        ),
        (
            "/StartCondition/EventStartCondition",
            json!({"EventFilter": events}),
            "StartCondition",
        ),
        (
            "/StartCondition",
            json!({"EventStartCondition": {}}),
            "StartCondition.EventStartCondition.EventFilter",
        ),
        (
            "/Schedule/EndTime",
            json!("2026-10-01T00:00:00Z"),
            "Schedule.EndTime",
        ),
        (
            "/Schedule/EndTime",
            json!("2029-10-01T00:00:00Z"),
            "Schedule.EndTime",
        ),
        ("/Schedule/Timezone", json!("Europe/Warsaw"), "Schedule.Timezone"),
        ("/Schedule/Timezone", json!("UTC+14"), "Schedule.Timezone"),
        ("/Limits/DailyCap", json!(101), "Limits.DailyCap"),
        ("/Limits/TimeframeCap/Days", json!(31), "Limits.TimeframeCap.Days"),
        ("/Limits/MessagesPerSecond", json!(0), "Limits.MessagesPerSecond"),
        (
            "/Limits/EndpointReentryInterval",
            json!("P1M"),
            "Limits.EndpointReentryInterval",
        ),
        ("/QuietTime/Start", json!("25:00"), "QuietTime.Start"),
        ("/RefreshFrequency", json!("daily"), "RefreshFrequency"),
        ("/SendingSchedule", json!(false), "OpenHours"),
        (
            "/OpenHours/EMAIL/MONDAY/0/StartTime",
            json!("8"),
            "OpenHours.EMAIL.MONDAY[0].StartTime",
        ),
        (
            "/OpenHours/EMAIL/MONDAY/0/EndTime",
            json!("07:00"),
            "OpenHours.EMAIL.MONDAY[0].EndTime",
        ),
        (
            "/OpenHours/EMAIL/MONDAY/0/EndTime",
            json!("14:00"),
            "OpenHours.EMAIL.MONDAY[1]",
        ),
        (
            "/ClosedDays/SMS/0/EndDateTime",
            json!("2026-12-30"),
            "ClosedDays.SMS[0].EndDateTime",
        ),
        (
            "/JourneyChannelSettings/ConnectCampaignArn",
            json!("x"),
            "JourneyChannelSettings.ConnectCampaignArn",
        ),
    ] {
        let journey = with(pointer, value.clone());
        assert_eq!(
            field(check(&journey)).as_deref(),
            Some(expected),
            "{pointer}: {value}"
        );
    }
}

#[test]
fn a_journey_that_events_start_has_no_local_time() {
    let filter = json!({"FilterType": "ENDPOINT", "Dimensions": {"EventType": {"Values": ["shop.bought"]}}});
    let event = json!({"EventStartCondition": {"EventFilter": filter, "SegmentId": "s"}});
    let mut journey = with("/StartCondition", event);
    assert_eq!(check(&journey), Ok(()));
    journey.local_time = Some(true);
    assert_eq!(field(check(&journey)).as_deref(), Some("LocalTime"));
}

#[test]
fn what_is_published_must_be_complete() {
    for (pointer, value, expected) in [
        ("/StartActivity", json!(""), "StartActivity"),
        ("/StartActivity", json!("pause"), "Activities.hello"),
        (
            "/StartCondition",
            json!({"Description": "later"}),
            "StartCondition",
        ),
        (
            "/Activities/hello/EMAIL/TemplateName",
            json!(null),
            "Activities.hello.EMAIL.TemplateName",
        ),
        (
            "/Activities/custom/CUSTOM/DeliveryUri",
            json!(null),
            "Activities.custom.CUSTOM.DeliveryUri",
        ),
        (
            "/Activities/pause/Wait/WaitTime",
            json!(null),
            "Activities.pause.Wait.WaitTime",
        ),
        (
            "/Activities/asked/ConditionalSplit/Condition/Conditions",
            json!([]),
            "Activities.asked.ConditionalSplit.Condition.Conditions",
        ),
        (
            "/Activities/asked/ConditionalSplit/Condition/Conditions/0/EventCondition/MessageActivity",
            json!("again"),
            "Activities.asked.ConditionalSplit.Condition.Conditions[0].EventCondition.MessageActivity",
        ),
        (
            "/Activities/many/MultiCondition/Branches/0/Condition",
            json!(null),
            "Activities.many.MultiCondition.Branches[0].Condition",
        ),
        ("/RefreshFrequency", json!(""), "RefreshOnSegmentUpdate"),
        (
            "/Schedule/EndTime",
            json!("2026-11-02T00:00:00Z"),
            "Schedule.EndTime",
        ),
    ] {
        let journey = with(pointer, value.clone());
        assert_eq!(check(&journey), Ok(()), "{pointer}: {value}");
        let refused = check_publishable(&journey, parse_iso("2026-11-23").unwrap());
        assert_eq!(field(refused).as_deref(), Some(expected), "{pointer}: {value}");
    }
}

#[test]
fn a_journey_without_activities_cannot_be_published() {
    let draft: JourneyDocument = serde_json::from_value(json!({"Name": "draft"})).unwrap();
    let refused = check_publishable(&draft, parse_iso("2026-11-23").unwrap());
    assert_eq!(field(refused).as_deref(), Some("Activities"));
}

#[test]
fn owners_move_journeys_along_these_ways() {
    use JourneyState::{Active, Cancelled, Closed, Completed, Draft, Paused};
    let legal = [
        (Draft, Active),
        (Active, Paused),
        (Active, Cancelled),
        (Paused, Active),
        (Paused, Cancelled),
        (Closed, Cancelled),
    ];
    for from in JourneyState::ALL {
        for to in JourneyState::ALL {
            let expected = legal.contains(&(from, to));
            assert_eq!(from.check_move(to).is_ok(), expected, "{from:?} to {to:?}");
        }
    }
    for (asked, expected) in [
        (None, Some(Draft)),
        (Some(Draft), Some(Draft)),
        (Some(Active), Some(Active)),
        (Some(Paused), None),
        (Some(Completed), None),
    ] {
        assert_eq!(JourneyState::of_write(asked).ok(), expected, "{asked:?}");
    }
}

#[test]
fn what_a_write_leaves_out_stays_and_state_and_dates_are_not_stored() {
    let read = |value| serde_json::from_value::<JourneyDocument>(value).unwrap();
    let before = read(json!({"Name": "a", "LocalTime": true, "RefreshFrequency": "PT1H"}));
    let write = read(json!({
        "Name": "b", "RefreshFrequency": "", "State": "DRAFT", "CreationDate": "2026-01-01T00:00:00Z",
    }));
    let after = serde_json::to_value(before.merged(write)).unwrap();
    assert_eq!(
        after,
        json!({"Name": "b", "LocalTime": true, "RefreshFrequency": ""})
    );
}
