"""Events of applications, and figures of an application."""

import datetime

import pytest

from pinion import wait_for

NOW = datetime.datetime.now(datetime.timezone.utc)


def event(kind="page.view", at=NOW, **more):
    return {"EventType": kind, "Timestamp": at.isoformat(), **more}


def put(pinpoint, app, **batches):
    response = pinpoint.put_events(ApplicationId=app, EventsRequest={"BatchItem": batches})
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 202
    return response["EventsResponse"]["Results"]


def test_each_event_has_its_own_verdict(pinpoint, app):
    results = put(
        pinpoint,
        app,
        e1={
            "Endpoint": {"Address": "e1@example.com", "ChannelType": "EMAIL"},
            "Events": {
                "good": event(Attributes={"page": "ż"}, Metrics={"seconds": 2.5}),
                "when": {"EventType": "page.view", "Timestamp": "yesterday"},
                "long": event("x" * 51),
            },
        },
        e2={"Endpoint": {"OptOut": "MAYBE"}, "Events": {"good": event()}},
    )
    assert {id_: verdict["StatusCode"] for id_, verdict in results["e1"]["EventsItemResponse"].items()} == {
        "good": 202,
        "when": 400,
        "long": 400,
    }
    assert results["e1"]["EndpointItemResponse"]["StatusCode"] == 202
    assert results["e2"]["EndpointItemResponse"]["StatusCode"] == 400
    assert pinpoint.get_endpoint(ApplicationId=app, EndpointId="e1")["EndpointResponse"]["Address"] == "e1@example.com"


def test_an_empty_endpoint_changes_nothing(pinpoint, app):
    request = {"Address": "keep@example.com", "Attributes": {"a": ["b"]}, "OptOut": "ALL"}
    pinpoint.update_endpoint(ApplicationId=app, EndpointId="e", EndpointRequest=request)
    put(pinpoint, app, e={"Endpoint": {}, "Events": {"1": event()}})
    got = pinpoint.get_endpoint(ApplicationId=app, EndpointId="e")["EndpointResponse"]
    assert (got["Address"], got["OptOut"], got["Attributes"]) == ("keep@example.com", "ALL", {"a": ["b"]})
    assert put(pinpoint, app) == {}


def test_a_hundred_events_and_no_more(pinpoint, app):
    put(pinpoint, app, e={"Endpoint": {}, "Events": {str(n): event() for n in range(100)}})
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        put(pinpoint, app, e={"Endpoint": {}, "Events": {str(n): event() for n in range(101)}})


def kpi(pinpoint, app, name, **range_):
    answer = pinpoint.get_application_date_range_kpi(ApplicationId=app, KpiName=name, **range_)
    return answer["ApplicationDateRangeKpiResponse"]


def test_without_data_there_are_no_rows(pinpoint, app):
    got = kpi(pinpoint, app, "txn-emails-sent")
    assert (got["KpiName"], got["KpiResult"]["Rows"]) == ("txn-emails-sent", [])
    assert got["EndTime"] - got["StartTime"] == datetime.timedelta(days=31)


def test_direct_mail_is_counted(pinpoint, mail_app):
    message = {"EmailMessage": {"SimpleEmail": {"Subject": {"Data": "s"}, "TextPart": {"Data": "t"}}}}
    addresses = {address: {"ChannelType": "EMAIL"} for address in ["k1@example.com", "k2@example.com", "bounce+k@example.com"]}
    pinpoint.send_messages(ApplicationId=mail_app, MessageRequest={"Addresses": addresses, "MessageConfiguration": message})

    def value(name):
        rows = kpi(pinpoint, mail_app, name)["KpiResult"]["Rows"]
        return float(rows[0]["Values"][0]["Value"]) if rows else None

    wait_for(lambda: value("txn-emails-sent") == 3, "three mails to be counted", seconds=10)
    assert value("txn-emails-delivered") == 2
    assert value("txn-emails-hard-bounced") == 1
    assert value("txn-emails-delivery-rate") == pytest.approx(2 / 3)
    [row] = kpi(pinpoint, mail_app, "txn-emails-sent-grouped-by-date")["KpiResult"]["Rows"]
    assert row["GroupedBys"][0]["Value"][:10].replace("-", "") in {
        day.strftime("%Y%m%d") for day in [NOW, datetime.datetime.now(datetime.timezone.utc)]
    }


def test_ranges_and_names_are_checked(pinpoint, app):
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        kpi(pinpoint, app, "unheard-of")
    day = datetime.timedelta(days=1)
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        kpi(pinpoint, app, "txn-emails-sent", StartTime=NOW - 91 * day, EndTime=NOW)
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        kpi(pinpoint, app, "txn-emails-sent", StartTime=NOW, EndTime=NOW - day)
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_journey_date_range_kpi(ApplicationId=app, JourneyId="j", KpiName="journey-emails-sent")
