"""In-app campaigns: what an endpoint may show."""

import pytest

CONTENT = {
    "Layout": "OVERLAYS",
    "Content": [
        {
            "BackgroundColor": "#FFFFFF",
            "HeaderConfig": {"Alignment": "CENTER", "Header": "Hello", "TextColor": "#000000"},
            "BodyConfig": {"Alignment": "LEFT", "Body": "Three books", "TextColor": "#000000"},
            "PrimaryBtn": {"DefaultConfig": {"ButtonAction": "LINK", "Text": "Go", "Link": "https://books.test/"}},
        }
    ],
    "CustomConfig": {"theme": "dark"},
}

SCHEDULE = {
    "StartTime": "IMMEDIATE",
    "EndTime": "2099-01-01T00:00:00Z",
    "Frequency": "IN_APP_EVENT",
    "EventFilter": {
        "FilterType": "ENDPOINT",
        "Dimensions": {
            "EventType": {"DimensionType": "INCLUSIVE", "Values": ["page.opened"]},
            "Attributes": {"page": {"AttributeType": "INCLUSIVE", "Values": ["cart"]}},
        },
    },
    "QuietTime": {"Start": "22:00", "End": "07:00"},
}


@pytest.fixture
def segment(pinpoint, app):
    for endpoint, plan in [("gold", "gold"), ("iron", "iron")]:
        request = {"ChannelType": "IN_APP", "Attributes": {"plan": [plan]}}
        pinpoint.update_endpoint(ApplicationId=app, EndpointId=endpoint, EndpointRequest=request)
    dimensions = {"Attributes": {"plan": {"AttributeType": "INCLUSIVE", "Values": ["gold"]}}}
    request = {"Name": "gold", "Dimensions": dimensions}
    return pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest=request)["SegmentResponse"]["Id"]


def create(pinpoint, app, segment, **change):
    request = {
        "Name": "welcome",
        "SegmentId": segment,
        "Schedule": SCHEDULE,
        "MessageConfiguration": {"InAppMessage": CONTENT},
        "Limits": {"Session": 1, "Daily": 2, "Total": 3},
        "Priority": 2,
    } | change
    return pinpoint.create_campaign(ApplicationId=app, WriteCampaignRequest=request)["CampaignResponse"]


def shown(pinpoint, app, endpoint):
    answer = pinpoint.get_in_app_messages(ApplicationId=app, EndpointId=endpoint)
    return answer["InAppMessagesResponse"]["InAppMessageCampaigns"]


def test_members_of_the_segment_get_the_message(pinpoint, app, segment):
    campaign = create(pinpoint, app, segment)
    assert campaign["State"]["CampaignStatus"] == "EXECUTING"
    assert campaign["MessageConfiguration"]["InAppMessage"] == CONTENT
    [message] = shown(pinpoint, app, "gold")
    assert message == {
        "CampaignId": campaign["Id"],
        "TreatmentId": "0",
        "Priority": 2,
        "SessionCap": 1,
        "DailyCap": 2,
        "TotalCap": 3,
        "InAppMessage": CONTENT,
        "Schedule": {
            "EndDate": SCHEDULE["EndTime"],
            "EventFilter": SCHEDULE["EventFilter"],
            "QuietTime": SCHEDULE["QuietTime"],
        },
    }
    assert shown(pinpoint, app, "iron") == []
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        shown(pinpoint, app, "nobody")


def test_a_paused_campaign_is_not_shown(pinpoint, app, segment):
    campaign = create(pinpoint, app, segment)
    for is_paused, count in [(True, 0), (False, 1)]:
        pinpoint.update_campaign(ApplicationId=app, CampaignId=campaign["Id"], WriteCampaignRequest={"IsPaused": is_paused})
        assert len(shown(pinpoint, app, "gold")) == count
    pinpoint.delete_campaign(ApplicationId=app, CampaignId=campaign["Id"])
    assert shown(pinpoint, app, "gold") == []


def test_an_update_changes_what_members_get(pinpoint, app, segment):
    create(pinpoint, app, segment)
    pinpoint.update_endpoint(ApplicationId=app, EndpointId="iron", EndpointRequest={"Attributes": {"plan": ["gold"]}})
    pinpoint.update_endpoint(ApplicationId=app, EndpointId="gold", EndpointRequest={"OptOut": "ALL"})
    assert len(shown(pinpoint, app, "iron")) == 1
    assert shown(pinpoint, app, "gold") == []


@pytest.mark.parametrize(
    "change",
    [
        {"Schedule": {key: value for key, value in SCHEDULE.items() if key != "EventFilter"}},
        {"MessageConfiguration": {"InAppMessage": {"Layout": "OVERLAYS"}}},
        {"MessageConfiguration": {"InAppMessage": CONTENT, "EmailMessage": {"Body": "b"}}},
        {"Schedule": {"StartTime": "IMMEDIATE", "Frequency": "ONCE"}},
        {"Limits": {"Session": 101}},
    ],
)
def test_what_cannot_be_shown_is_refused(pinpoint, app, segment, change):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        create(pinpoint, app, segment, **change)


def test_the_message_comes_from_a_template(pinpoint, app, segment, name):
    pinpoint.create_in_app_template(TemplateName=name, InAppTemplateRequest=CONTENT)
    templates = {"TemplateConfiguration": {"InAppTemplate": {"Name": name}}}
    create(pinpoint, app, segment, **templates, MessageConfiguration={})
    assert [message["InAppMessage"] for message in shown(pinpoint, app, "gold")] == [CONTENT]
    # Without a version the campaign follows the active one.
    changed = {**CONTENT, "Layout": "TOP_BANNER"}
    pinpoint.update_in_app_template(TemplateName=name, InAppTemplateRequest=changed)
    assert [message["InAppMessage"] for message in shown(pinpoint, app, "gold")] == [changed]
    pinpoint.delete_in_app_template(TemplateName=name)
    assert shown(pinpoint, app, "gold") == []
