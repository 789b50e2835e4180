"""Endpoints, one and many, and the endpoints of a user."""

import pytest

NAMES = [
    "plain-1",
    "ann@example.com",
    "a/b",
    "100%",
    "a+b",
    "a*b",
    "~tilde",
    "x:y",
    "a&b=c;d",
    "with space",
    "żółw",
    "日本",
    "%2F",
    "a?b#c",
    "'\"<>",
]


def update(pinpoint, app, endpoint, **request):
    return pinpoint.update_endpoint(ApplicationId=app, EndpointId=endpoint, EndpointRequest=request)


def get(pinpoint, app, endpoint):
    return pinpoint.get_endpoint(ApplicationId=app, EndpointId=endpoint)["EndpointResponse"]


def test_an_update_merges(pinpoint, app):
    answer = update(
        pinpoint,
        app,
        "e1",
        Address="ann@example.com",
        ChannelType="EMAIL",
        Attributes={"likes": ["tea", "cake, \"big\""]},
        Metrics={"visits": 3},
        Location={"City": "Gdańsk", "Latitude": 54.3521, "Longitude": 18.6466},
        Demographic={"Locale": "pl-PL", "Timezone": "Europe/Warsaw"},
        User={"UserId": "u1", "UserAttributes": {"FirstName": ["Żaneta"]}},
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["MessageBody"]["Message"] == "Accepted"
    first = get(pinpoint, app, "e1")
    assert first["Attributes"] == {"likes": ["tea", "cake, \"big\""]}
    assert first["Metrics"] == {"visits": 3.0}
    assert (first["Location"]["Latitude"], first["Location"]["Longitude"]) == (54.4, 18.6)
    assert (first["EndpointStatus"], first["OptOut"]) == ("ACTIVE", "NONE")
    assert 0 <= int(first["CohortId"]) <= 99
    assert first["User"] == {"UserId": "u1", "UserAttributes": {"FirstName": ["Żaneta"]}}

    update(pinpoint, app, "e1", Attributes={"plan": ["gold"]}, OptOut="ALL")
    second = get(pinpoint, app, "e1")
    assert second["Attributes"] == {"likes": ["tea", "cake, \"big\""], "plan": ["gold"]}
    assert second["Address"] == "ann@example.com"
    assert second["OptOut"] == "ALL"
    assert second["CreationDate"] == first["CreationDate"]
    assert second["CohortId"] == first["CohortId"]


def test_a_batch_stores_all_or_nothing(pinpoint, app):
    def batch(*items):
        return pinpoint.update_endpoints_batch(ApplicationId=app, EndpointBatchRequest={"Item": list(items)})

    items = [{"Id": f"b{n}", "ChannelType": "EMAIL", "Address": f"b{n}@example.com"} for n in range(100)]
    assert batch(*items)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert get(pinpoint, app, "b99")["Address"] == "b99@example.com"

    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        batch({"Id": "good", "Address": "g@example.com"}, {"Id": "bad", "OptOut": "MAYBE"})
    assert "Item[1]" in str(caught.value)
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        get(pinpoint, app, "good")
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        batch(*items, {"Id": "one too many"})


def test_a_deleted_endpoint_is_gone(pinpoint, app):
    update(pinpoint, app, "e", Address="e@example.com", ChannelType="EMAIL")
    deleted = pinpoint.delete_endpoint(ApplicationId=app, EndpointId="e")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert deleted["EndpointResponse"]["Address"] == "e@example.com"
    for call in [pinpoint.get_endpoint, pinpoint.delete_endpoint]:
        with pytest.raises(pinpoint.exceptions.NotFoundException):
            call(ApplicationId=app, EndpointId="e")


def test_attributes_of_a_user_belong_to_all_of_its_endpoints(pinpoint, app):
    update(pinpoint, app, "phone", User={"UserId": "u/1 ż"}, Address="+48500", ChannelType="SMS")
    update(pinpoint, app, "mail", User={"UserId": "u/1 ż", "UserAttributes": {"tier": ["gold"]}})
    items = pinpoint.get_user_endpoints(ApplicationId=app, UserId="u/1 ż")["EndpointsResponse"]["Item"]
    assert {item["Id"] for item in items} == {"phone", "mail"}
    assert all(item["User"]["UserAttributes"] == {"tier": ["gold"]} for item in items)

    deleted = pinpoint.delete_user_endpoints(ApplicationId=app, UserId="u/1 ż")["EndpointsResponse"]["Item"]
    assert len(deleted) == 2
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_user_endpoints(ApplicationId=app, UserId="u/1 ż")
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        get(pinpoint, app, "mail")


@pytest.mark.parametrize("endpoint", NAMES)
def test_odd_names_travel_unharmed(pinpoint, app, endpoint):
    update(pinpoint, app, endpoint, Address="x@example.com", Attributes={endpoint: [endpoint]})
    got = get(pinpoint, app, endpoint)
    assert got["Id"] == endpoint
    assert got["Attributes"] == {endpoint: [endpoint]}
    pinpoint.delete_endpoint(ApplicationId=app, EndpointId=endpoint)
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        get(pinpoint, app, endpoint)


@pytest.mark.parametrize(
    "request_,part",
    [
        ({"OptOut": "SOMETIMES"}, "OptOut"),
        ({"EndpointStatus": "ASLEEP"}, "EndpointStatus"),
        ({"EffectiveDate": "yesterday"}, "EffectiveDate"),
        ({"ChannelType": "PIGEON"}, "ChannelType"),
        ({"Attributes": {"x" * 51: ["v"]}}, "Attributes"),
        ({"Attributes": {"x": ["v" * 101]}}, "Attributes.x"),
        ({"Location": {"Latitude": 91}}, "Latitude"),
        ({"Address": "two\nlines"}, "Address"),
    ],
)
def test_mistakes_are_named(pinpoint, app, request_, part):
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        update(pinpoint, app, "e", **request_)
    assert part in str(caught.value)


@pytest.mark.parametrize("endpoint", ["a$b", "{a}", "x" * 1025])
def test_ids_that_pinpoint_forbids_are_refused(pinpoint, app, endpoint):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        update(pinpoint, app, endpoint)


def test_an_address_has_one_active_endpoint(pinpoint, app):
    def statuses():
        return [get(pinpoint, app, endpoint)["EndpointStatus"] for endpoint in ["old", "new"]]

    for endpoint in ["old", "new"]:
        update(pinpoint, app, endpoint, Address="Ann@example.com" if endpoint == "old" else "ann@example.com", ChannelType="EMAIL")
    assert statuses() == ["INACTIVE", "ACTIVE"]
    # A job that refreshes attributes of all endpoints it ever knew takes nothing back.
    update(pinpoint, app, "old", Attributes={"seen": ["yes"]})
    assert statuses() == ["INACTIVE", "ACTIVE"]
    update(pinpoint, app, "old", EndpointStatus="ACTIVE")
    assert statuses() == ["ACTIVE", "INACTIVE"]


def test_a_user_has_fifteen_endpoints(pinpoint, app):
    user = {"UserId": "full"}
    items = [
        {"Id": f"p{n}", "ChannelType": "GCM", "Address": f"t{n}", "User": user, "EffectiveDate": f"2026-01-{n + 1:02}T00:00:00Z"}
        for n in range(15)
    ]
    pinpoint.update_endpoints_batch(ApplicationId=app, EndpointBatchRequest={"Item": items})
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        update(pinpoint, app, "mail", ChannelType="EMAIL", Address="m@example.com", User=user)
    batch = [{"Id": "other"}, {"Id": "mail", "ChannelType": "EMAIL", "User": user}]
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        pinpoint.update_endpoints_batch(ApplicationId=app, EndpointBatchRequest={"Item": batch})
    assert "Item[1].User.UserId" in str(caught.value)
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        get(pinpoint, app, "other")

    update(pinpoint, app, "p15", ChannelType="APNS", Address="t15", User=user)
    oldest = get(pinpoint, app, "p0")
    assert (oldest["EndpointStatus"], "User" in oldest) == ("INACTIVE", False)
    assert len(pinpoint.get_user_endpoints(ApplicationId=app, UserId="full")["EndpointsResponse"]["Item"]) == 15


def test_an_endpoint_holds_250_attributes_and_15_kilobytes(pinpoint, app):
    update(pinpoint, app, "e", Attributes={f"a{n}": ["v"] for n in range(250)})
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        update(pinpoint, app, "e", Metrics={"m": 1})
    values = [f"{n:0100}" for n in range(50)]
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        update(pinpoint, app, "large", Attributes={"a": values, "b": values, "c": values})
    assert "15360" in str(caught.value)
