"""Direct messages: one call, a result for each recipient, and the mail as it arrives."""

import pytest

from pinion import fetch, wait_for


def simple(subject="Your code", text="It is {{code}}.", html=None):
    email = {"Subject": {"Data": subject, "Charset": "UTF-8"}, "TextPart": {"Data": text}}
    if html:
        email["HtmlPart"] = {"Data": html}
    return {"EmailMessage": {"SimpleEmail": email}}


def send(pinpoint, app, **request):
    return pinpoint.send_messages(ApplicationId=app, MessageRequest=request)["MessageResponse"]


def test_each_address_gets_its_own_substitutions(pinpoint, mail_app, outbox):
    response = send(
        pinpoint,
        mail_app,
        Addresses={
            "otp-ann@example.com": {"ChannelType": "EMAIL", "Substitutions": {"code": ["123"]}},
            "otp-bob@example.com": {"ChannelType": "EMAIL", "Substitutions": {"code": ["456"]}},
        },
        MessageConfiguration=simple(subject="Kod dla Ciebie – żółw 日本"),
    )
    assert response["ApplicationId"] == mail_app
    for address, code in [("otp-ann@example.com", "123"), ("otp-bob@example.com", "456")]:
        result = response["Result"][address]
        assert (result["DeliveryStatus"], result["StatusCode"]) == ("SUCCESSFUL", 200)
        mail = outbox.wait_for(address)
        assert mail["subject"] == "Kod dla Ciebie – żółw 日本"
        assert f"It is {code}." in mail["raw"]
        assert mail["message_id"].startswith(result["MessageId"])


def test_an_endpoint_is_reached_by_its_id_and_its_attributes(pinpoint, mail_app, outbox, name):
    pinpoint.create_email_template(
        TemplateName=name,
        EmailTemplateRequest={
            "Subject": "For {{User.UserAttributes.FirstName.[0]}}",
            "HtmlPart": '<html><body><a href="https://books.test/?a=1&amp;b=2">{{capitalize Attributes.book.[0]}}</a></body></html>',
            "DefaultSubstitutions": '{"User.UserAttributes.FirstName": "friend"}',
        },
    )
    for endpoint, user in [("d/1", {"UserId": "u", "UserAttributes": {"FirstName": ["<Zoë>"]}}), ("d/2", {})]:
        request = {"ChannelType": "EMAIL", "Address": f"{endpoint[-1]}.direct@example.com", "Attributes": {"book": ["moby dick & co"]}, "User": user}
        pinpoint.update_endpoint(ApplicationId=mail_app, EndpointId=endpoint, EndpointRequest=request)
    response = send(
        pinpoint,
        mail_app,
        Endpoints={"d/1": {}, "d/2": {}, "nobody": {}},
        MessageConfiguration={"EmailMessage": {}},
        TemplateConfiguration={"EmailTemplate": {"Name": name}},
    )
    results = response["EndpointResult"]
    assert results["d/1"]["DeliveryStatus"] == results["d/2"]["DeliveryStatus"] == "SUCCESSFUL"
    assert results["d/1"]["Address"] == "1.direct@example.com"
    assert results["nobody"]["DeliveryStatus"] == "PERMANENT_FAILURE"

    first, second = outbox.wait_for("1.direct@example.com"), outbox.wait_for("2.direct@example.com")
    assert (first["subject"], second["subject"]) == ("For <Zoë>", "For friend")
    [link] = [link for link in first["links"] if "/t/c/" in link]
    status, headers, _ = fetch(link)
    assert (status, headers["location"]) == (302, "https://books.test/?a=1&b=2")
    # Nobody can be unsubscribed from a receipt.
    assert not any(name.lower() == "list-unsubscribe" for name, _ in first["headers"])


def test_failures_are_results(pinpoint, mail_app):
    addresses = ["bounce+direct@example.com", "reject+direct@example.com", "defer+direct@example.com"]
    response = send(
        pinpoint,
        mail_app,
        Addresses={address: {"ChannelType": "EMAIL"} for address in addresses} | {"+48500100200": {"ChannelType": "SMS"}},
        MessageConfiguration=simple(),
    )
    statuses = {address: result["DeliveryStatus"] for address, result in response["Result"].items()}
    assert statuses == {
        "bounce+direct@example.com": "PERMANENT_FAILURE",
        "reject+direct@example.com": "PERMANENT_FAILURE",
        "defer+direct@example.com": "TEMPORARY_FAILURE",
        "+48500100200": "PERMANENT_FAILURE",
    }


def test_an_address_that_bounced_is_not_tried_again(pinpoint, mail_app, outbox):
    request = {"Addresses": {"bounce+twice@example.com": {"ChannelType": "EMAIL"}}, "MessageConfiguration": simple()}

    def result():
        return send(pinpoint, mail_app, **request)["Result"]["bounce+twice@example.com"]

    first = result()
    assert (first["DeliveryStatus"], "MessageId" in first) == ("PERMANENT_FAILURE", True)
    # The outcome is committed behind the answer.
    second = wait_for(lambda: (again := result()) and "MessageId" not in again and again, "the suppression", 10)
    assert second["StatusMessage"] == "SUPPRESSED_BOUNCE"


def test_who_opted_out_is_left_alone(pinpoint, mail_app):
    request = {"ChannelType": "EMAIL", "Address": "out@example.com", "OptOut": "ALL"}
    pinpoint.update_endpoint(ApplicationId=mail_app, EndpointId="out", EndpointRequest=request)
    response = send(pinpoint, mail_app, Endpoints={"out": {}}, MessageConfiguration=simple())
    assert response["EndpointResult"]["out"]["DeliveryStatus"] == "OPT_OUT"


def test_requests_without_sense_are_refused(pinpoint, mail_app, app):
    to = {"x@example.com": {"ChannelType": "EMAIL"}}
    for request in [
        {"MessageConfiguration": simple()},
        {"Addresses": to, "MessageConfiguration": {"EmailMessage": {}}},
        {"Addresses": to, "MessageConfiguration": simple(text="{{#if x}}")},
        {"Addresses": {"x@example.com": {}}, "MessageConfiguration": simple()},
        {"Addresses": {f"{n}@example.com": {"ChannelType": "EMAIL"} for n in range(101)}, "MessageConfiguration": simple()},
    ]:
        with pytest.raises(pinpoint.exceptions.BadRequestException):
            send(pinpoint, mail_app, **request)


def test_without_a_channel_nothing_is_sent(pinpoint, app):
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        send(pinpoint, app, Addresses={"x@example.com": {"ChannelType": "EMAIL"}}, MessageConfiguration=simple())
    assert "e-mail channel" in str(caught.value)
