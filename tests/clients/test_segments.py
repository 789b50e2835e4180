"""Segments: documents, versions, and what they refuse. Whom they select is shown by campaigns."""

import json
from datetime import datetime, timezone

import pytest

LIKES_TEA = {"Attributes": {"likes": {"AttributeType": "INCLUSIVE", "Values": ["tea"]}}}


def create(pinpoint, app, **segment):
    return pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest=segment)["SegmentResponse"]


def test_each_update_is_a_version(pinpoint, app):
    created = create(pinpoint, app, Name="tea", Dimensions=LIKES_TEA, tags={"a": "b"})
    assert (created["Version"], created["SegmentType"]) == (1, "DIMENSIONAL")
    assert created["Arn"].endswith(f":apps/{app}/segments/{created['Id']}")
    assert created["Dimensions"] == LIKES_TEA
    assert created["tags"] == {"a": "b"}
    segment = {"ApplicationId": app, "SegmentId": created["Id"]}

    coffee = {"Attributes": {"likes": {"AttributeType": "EXCLUSIVE", "Values": ["tea"]}}}
    updated = pinpoint.update_segment(**segment, WriteSegmentRequest={"Name": "not tea", "Dimensions": coffee})
    assert updated["SegmentResponse"]["Version"] == 2
    assert pinpoint.get_segment(**segment)["SegmentResponse"]["Dimensions"] == coffee
    first = pinpoint.get_segment_version(**segment, Version="1")["SegmentResponse"]
    assert (first["Name"], first["Dimensions"]) == ("tea", LIKES_TEA)
    versions = pinpoint.get_segment_versions(**segment)["SegmentsResponse"]["Item"]
    assert sorted(version["Version"] for version in versions) == [1, 2]

    listed = pinpoint.get_segments(ApplicationId=app)["SegmentsResponse"]["Item"]
    assert [item["Id"] for item in listed] == [created["Id"]]
    pinpoint.delete_segment(**segment)
    for call in [pinpoint.get_segment, pinpoint.delete_segment, pinpoint.get_segment_versions]:
        with pytest.raises(pinpoint.exceptions.NotFoundException):
            call(**segment)


def test_groups_may_build_on_other_segments(pinpoint, app):
    base = create(pinpoint, app, Name="base", Dimensions=LIKES_TEA)
    groups = {
        "Include": "ALL",
        "Groups": [
            {
                "SourceSegments": [{"Id": base["Id"], "Version": 1}],
                "SourceType": "ANY",
                "Dimensions": [{"Demographic": {"Channel": {"DimensionType": "INCLUSIVE", "Values": ["EMAIL"]}}}],
                "Type": "ALL",
            }
        ],
    }
    built = create(pinpoint, app, Name="built", SegmentGroups=groups)
    assert built["SegmentGroups"] == groups
    groups["Groups"][0]["SourceSegments"][0]["Id"] = "0" * 32
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        create(pinpoint, app, Name="on nothing", SegmentGroups=groups)


@pytest.mark.parametrize(
    "attribute",
    [
        {"plugin:nobody": {"AttributeType": "INCLUSIVE", "Values": ["{}"]}},
        {"plugin:null": {"AttributeType": "INCLUSIVE", "Values": ["{}"]}},
        {"plugin:engagement-score": {"AttributeType": "INCLUSIVE", "Values": ["not JSON"]}},
        {"joined": {"AttributeType": "BETWEEN", "Values": ["2026-01-01T00:00:00Z"]}},
        {"joined": {"AttributeType": "AFTER", "Values": ["soon"]}},
    ],
)
def test_conditions_that_cannot_be_are_refused(pinpoint, app, attribute):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        create(pinpoint, app, Name="s", Dimensions={"Attributes": attribute})


def test_a_predicate_is_named_like_an_attribute(pinpoint, app):
    settings = json.dumps({"min": 5})
    dimensions = {"Attributes": {"plugin:engagement-score": {"AttributeType": "INCLUSIVE", "Values": [settings]}}}
    assert create(pinpoint, app, Name="keen", Dimensions=dimensions)["Dimensions"] == dimensions


def test_an_estimate_and_why(pinpoint, server, app):
    """Our own operations, signed as boto3 signs; what they say is what a segment that is saved means."""
    for index in range(6):
        endpoint = {"ChannelType": "EMAIL", "Address": f"{index}@example.com", "Attributes": {"likes": ["tea"][index % 2 :]}}
        pinpoint.update_endpoint(ApplicationId=app, EndpointId=f"e{index}", EndpointRequest=endpoint)
    event = {"EventType": "visit", "Timestamp": datetime.now(timezone.utc).isoformat()}
    batch = {"e2": {"Endpoint": {}, "Events": {"one": event}}}
    pinpoint.put_events(ApplicationId=app, EventsRequest={"BatchItem": batch})
    visited = {"event:visit": {"AttributeType": "INCLUSIVE", "Values": [json.dumps({"WithinDays": 7})]}}
    dimensions = {"Attributes": {**LIKES_TEA["Attributes"], **visited}}
    path = f"/pinion/v1/apps/{app}/segments"

    asked = json.dumps({"Dimensions": dimensions}).encode()
    status, estimate = server.call("POST", f"{path}/estimate", asked)
    assert (status, estimate["Endpoints"], estimate["Count"], estimate["Sample"]) == (200, 6, 1, ["e2"])
    counts = {condition["Path"]: condition["Count"] for condition in estimate["Segments"][0]["Conditions"]}
    assert counts == {"Dimensions.Attributes.likes": 3, "Dimensions.Attributes.event:visit.Values[0]": 1}

    saved = create(pinpoint, app, Name="visitors", Dimensions=dimensions)
    asked = json.dumps({"SegmentId": saved["Id"], "EndpointId": "e4"}).encode()
    status, why = server.call("POST", f"{path}/explain", asked)
    assert (status, why["Result"]) == (200, "FALSE")
    decided = [condition for condition in why["Segments"][0]["Conditions"] if condition["Decisive"]]
    assert [(found["Path"], found["Saw"]["visit"]["Count"]) for found in decided] == [
        ("Dimensions.Attributes.event:visit.Values[0]", 0)
    ]
    status, refused = server.call("POST", f"{path}/estimate", b"{}")
    assert status == 400 and refused["Message"].startswith("Dimensions:")
