"""Journeys: documents and states. They cannot be run yet, and say so."""

import copy
import datetime

import pytest

KPI_NAMES = [
    name
    for counted in "sent delivered opened clicked complained hardbounced softbounced rejected unsubscribed".split()
    for name in [f"journey-emails-{counted}", f"emails-{counted}-grouped-by-journey-activity"]
]


def utc(*moment):
    return datetime.datetime(*moment, tzinfo=datetime.timezone.utc)


@pytest.fixture
def whole(pinpoint, app, name):
    """A journey with every kind of activity."""
    segments = []
    for plan in ["gold", "lead"]:
        dimensions = {"Attributes": {"plan": {"AttributeType": "INCLUSIVE", "Values": [plan]}}}
        request = {"Name": plan, "Dimensions": dimensions}
        segments.append(pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest=request)["SegmentResponse"]["Id"])
    template = f"{name[:80]}-{app[:8]}"
    pinpoint.create_email_template(TemplateName=template, EmailTemplateRequest={"Subject": "Hello"})
    opened = {
        "Dimensions": {"EventType": {"DimensionType": "INCLUSIVE", "Values": ["_email.open"]}},
        "MessageActivity": "hello",
    }
    return {
        "Name": "welcome",
        "StartActivity": "hello",
        "StartCondition": {"Description": "new", "SegmentStartCondition": {"SegmentId": segments[0]}},
        "Activities": {
            "hello": {
                "Description": "first",
                "EMAIL": {"TemplateName": template, "TemplateVersion": "1", "NextActivity": "pause",
                          "MessageConfig": {"FromAddress": "a@example.com"}},
            },
            "pause": {"Wait": {"NextActivity": "asked", "WaitTime": {"WaitFor": "PT1H"}}},
            "asked": {"ConditionalSplit": {
                "Condition": {"Conditions": [{"EventCondition": opened}], "Operator": "ANY"},
                "EvaluationWaitTime": {"WaitFor": "P1D"}, "TrueActivity": "dice", "FalseActivity": "held"}},
            "dice": {"RandomSplit": {"Branches": [
                {"NextActivity": "many", "Percentage": 60}, {"NextActivity": "held", "Percentage": 40}]}},
            "many": {"MultiCondition": {
                "Branches": [
                    {"Condition": {"SegmentCondition": {"SegmentId": segments[1]}}, "NextActivity": "held"},
                    {"Condition": {"SegmentDimensions": {"Attributes": {"a": {"AttributeType": "INCLUSIVE", "Values": ["x"]}}}}},
                ],
                "DefaultActivity": "custom"}},
            "held": {"Holdout": {"NextActivity": "custom", "Percentage": 10}},
            "custom": {"CUSTOM": {"DeliveryUri": "plugin:webhook", "EndpointTypes": ["CUSTOM"],
                                  "MessageConfig": {"Data": "x"}, "NextActivity": "called"}},
            "called": {"ContactCenter": {}},
        },
        "Schedule": {"StartTime": utc(2036, 1, 1), "EndTime": utc(2036, 6, 1), "Timezone": "UTC-09:30"},
        "Limits": {"DailyCap": 1, "EndpointReentryCap": 0, "EndpointReentryInterval": "P1D", "MessagesPerSecond": 50,
                   "TotalCap": 100, "TimeframeCap": {"Cap": 5, "Days": 30}},
        "QuietTime": {"Start": "22:00", "End": "07:00"},
        "WaitForQuietTime": True,
        "SendingSchedule": True,
        "OpenHours": {"EMAIL": {"MONDAY": [{"StartTime": "08:00", "EndTime": "18:00"}]}},
        "ClosedDays": {"EMAIL": [{"Name": "new year", "StartDateTime": "2035-12-31T00:00:00",
                                  "EndDateTime": "2036-01-02T00:00:00"}]},
        "TimezoneEstimationMethods": ["PHONE_NUMBER", "POSTAL_CODE"],
        "RefreshFrequency": "PT12H",
        "RefreshOnSegmentUpdate": True,
        "LocalTime": False,
        "JourneyChannelSettings": {"ConnectCampaignArn": "arn:aws:connect:::x",
                                   "ConnectCampaignExecutionRoleArn": "arn:aws:iam::1:role/x"},
    }


def create(pinpoint, app, journey):
    created = pinpoint.create_journey(ApplicationId=app, WriteJourneyRequest=journey)
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    return created["JourneyResponse"]


def test_every_member_comes_back_as_it_was_written(pinpoint, app, whole):
    created = create(pinpoint, app, whole)
    # Timestamps are real ones: the SDK reads them.
    assert {member: created[member] for member in whole} == whole
    assert created["State"] == "DRAFT"
    assert created["CreationDate"].endswith("Z") and created["LastModifiedDate"] == created["CreationDate"]
    journey = {"ApplicationId": app, "JourneyId": created["Id"]}
    assert pinpoint.get_journey(**journey)["JourneyResponse"] == created
    listed = pinpoint.list_journeys(ApplicationId=app)["JourneysResponse"]["Item"]
    assert listed == [created]

    # What was read can be written, and what is left out stays.
    write = {member: created[member] for member in [*whole, "State", "CreationDate", "LastModifiedDate"]}
    assert pinpoint.update_journey(**journey, WriteJourneyRequest=write)["JourneyResponse"]["Activities"] == whole["Activities"]
    updated = pinpoint.update_journey(**journey, WriteJourneyRequest={"Name": "later"})["JourneyResponse"]
    assert (updated["Name"], updated["Limits"]) == ("later", whole["Limits"])

    deleted = pinpoint.delete_journey(**journey)["JourneyResponse"]
    assert deleted["Name"] == "later"
    for call in [pinpoint.get_journey, pinpoint.delete_journey, pinpoint.get_journey_runs, pinpoint.get_journey_execution_metrics]:
        with pytest.raises(pinpoint.exceptions.NotFoundException):
            call(**journey)


def test_journeys_are_listed_in_pages(pinpoint, app):
    names = {create(pinpoint, app, {"Name": f"j{number}"})["Name"] for number in range(5)}
    seen, token = [], {}
    while True:
        page = pinpoint.list_journeys(ApplicationId=app, PageSize="2", **token)["JourneysResponse"]
        assert len(page["Item"]) <= 2
        seen += [journey["Name"] for journey in page["Item"]]
        if "NextToken" not in page:
            break
        token = {"Token": page["NextToken"]}
    assert sorted(seen) == sorted(names)
    for wrong in [{"PageSize": "0"}, {"PageSize": "x"}, {"Token": "not one of ours"}]:
        with pytest.raises(pinpoint.exceptions.BadRequestException):
            pinpoint.list_journeys(ApplicationId=app, **wrong)


def test_a_journey_cannot_be_published_yet(pinpoint, app, whole):
    with pytest.raises(pinpoint.exceptions.BadRequestException, match="journeys cannot be run by this server yet"):
        create(pinpoint, app, {**whole, "State": "ACTIVE"})
    assert pinpoint.list_journeys(ApplicationId=app)["JourneysResponse"]["Item"] == []
    journey = {"ApplicationId": app, "JourneyId": create(pinpoint, app, whole)["Id"]}
    with pytest.raises(pinpoint.exceptions.BadRequestException, match="journeys cannot be run by this server yet"):
        pinpoint.update_journey(**journey, WriteJourneyRequest={**whole, "State": "ACTIVE"})
    with pytest.raises(pinpoint.exceptions.BadRequestException, match="journeys cannot be run by this server yet"):
        pinpoint.update_journey_state(**journey, JourneyStateRequest={"State": "ACTIVE"})
    for state in ["PAUSED", "CANCELLED"]:
        with pytest.raises(pinpoint.exceptions.BadRequestException, match="was not published"):
            pinpoint.update_journey_state(**journey, JourneyStateRequest={"State": state})
    assert pinpoint.get_journey(**journey)["JourneyResponse"]["State"] == "DRAFT"


@pytest.mark.parametrize(
    "path, value, message",
    [
        (["Name"], "two words", "Name"),
        (["State"], "PAUSED", "State"),
        (["StartActivity"], "nowhere", "StartActivity"),
        (["StartCondition", "SegmentStartCondition", "SegmentId"], "0" * 32, "SegmentStartCondition.SegmentId"),
        (["Activities", "hello", "EMAIL", "TemplateName"], "nobody-made-it", "Activities.hello.EMAIL.TemplateName"),
        (["Activities", "hello", "EMAIL", "NextActivity"], "nowhere", "Activities.hello.EMAIL.NextActivity"),
        (["Activities", "called", "ContactCenter", "NextActivity"], "hello", "leads back"),
        (["Activities", "dice", "RandomSplit", "Branches"], [{"Percentage": 60}, {"Percentage": 30}], "must be 100 together"),
        (["Activities", "held", "Holdout", "Percentage"], 101, "Activities.held.Holdout.Percentage"),
        (["Activities", "custom", "CUSTOM", "DeliveryUri"], "plugin:nobody", "Activities.custom.CUSTOM.DeliveryUri"),
        (["Schedule", "EndTime"], utc(2035, 1, 1), "Schedule.EndTime"),
        (["Schedule", "Timezone"], "Europe/Warsaw", "Schedule.Timezone"),
        (["Limits", "DailyCap"], 101, "Limits.DailyCap"),
        (["QuietTime", "Start"], "25:00", "QuietTime.Start"),
        (["RefreshFrequency"], "daily", "RefreshFrequency"),
        (["SendingSchedule"], False, "OpenHours"),
    ],
)
def test_what_is_wrong_is_told_by_name(pinpoint, app, whole, path, value, message):
    journey = copy.deepcopy(whole)
    at = journey
    for member in path[:-1]:
        at = at[member]
    at[path[-1]] = value
    with pytest.raises(pinpoint.exceptions.BadRequestException, match=message):
        create(pinpoint, app, journey)


def test_nothing_was_counted_of_a_journey_that_never_ran(pinpoint, app, whole):
    journey = {"ApplicationId": app, "JourneyId": create(pinpoint, app, whole)["Id"]}
    assert pinpoint.get_journey_runs(**journey)["JourneyRunsResponse"]["Item"] == []
    counted = pinpoint.get_journey_execution_metrics(**journey)["JourneyExecutionMetricsResponse"]
    assert (counted["JourneyId"], counted["Metrics"]) == (journey["JourneyId"], {})
    assert counted["LastEvaluatedTime"]
    types = {"hello": "MESSAGE", "pause": "WAIT", "asked": "CONDITIONAL_SPLIT", "dice": "RANDOM_SPLIT",
             "many": "MULTI_CONDITIONAL_SPLIT", "held": "HOLDOUT", "custom": "MESSAGE", "called": "CONTACT_CENTER"}
    for activity, kind in types.items():
        counted = pinpoint.get_journey_execution_activity_metrics(**journey, JourneyActivityId=activity)
        counted = counted["JourneyExecutionActivityMetricsResponse"]
        assert (counted["JourneyActivityId"], counted["ActivityType"], counted["Metrics"]) == (activity, kind, {})
    for name in KPI_NAMES:
        kpi = pinpoint.get_journey_date_range_kpi(**journey, KpiName=name)["JourneyDateRangeKpiResponse"]
        assert (kpi["KpiName"], kpi["JourneyId"], kpi["KpiResult"]) == (name, journey["JourneyId"], {"Rows": []})
    missing = pinpoint.exceptions.NotFoundException
    with pytest.raises(missing):
        pinpoint.get_journey_date_range_kpi(**journey, KpiName="unheard-of")
    with pytest.raises(missing):
        pinpoint.get_journey_execution_activity_metrics(**journey, JourneyActivityId="nowhere")
    with pytest.raises(missing):
        pinpoint.get_journey_run_execution_metrics(**journey, RunId="r")
    with pytest.raises(missing):
        pinpoint.get_journey_run_execution_activity_metrics(**journey, RunId="r", JourneyActivityId="hello")
