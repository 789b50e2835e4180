"""Direct messages: one call, a result for each recipient, and the mail as it arrives."""

import json
from email import message_from_string
from email.message import EmailMessage
from email.policy import default

import pytest
from botocore.exceptions import ClientError

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
    response = send(pinpoint, app, Addresses={"x@example.com": {"ChannelType": "EMAIL"}}, MessageConfiguration=simple())
    result = response["Result"]["x@example.com"]
    assert (result["DeliveryStatus"], "MessageId" in result) == ("PERMANENT_FAILURE", False)
    assert "EMAIL channel is not enabled" in result["StatusMessage"]


def test_a_raw_mail_arrives_with_its_attachment(pinpoint, mail_app, outbox):
    mail = EmailMessage()
    mail["Subject"] = "Rechnung für Zoë"
    mail["X-Order"] = "7"
    mail["Bcc"] = "secret@example.com"
    mail.set_content("siehe Anhang")
    mail.add_attachment(bytes(range(256)), maintype="application", subtype="pdf", filename="rechnung.pdf")
    configuration = {"EmailMessage": {"RawEmail": {"Data": mail.as_bytes()}, "FromAddress": "billing@books.test"}}
    response = send(pinpoint, mail_app, Addresses={"raw-zoe@example.com": {"ChannelType": "EMAIL"}}, MessageConfiguration=configuration)
    result = response["Result"]["raw-zoe@example.com"]
    assert result["DeliveryStatus"] == "SUCCESSFUL", result
    arrived = outbox.wait_for("raw-zoe@example.com")
    assert arrived["from"] == "billing@books.test"
    assert arrived["subject"] == "Rechnung für Zoë"
    assert arrived["message_id"].startswith(result["MessageId"])
    parsed = message_from_string(arrived["raw"], policy=default)
    [attachment] = parsed.iter_attachments()
    assert attachment.get_content() == bytes(range(256))
    assert parsed["X-Order"] == "7" and parsed["Bcc"] is None


def test_overrides_are_rendered_and_stay_in_their_line(pinpoint, mail_app, outbox):
    own = {
        "ChannelType": "EMAIL",
        "TitleOverride": "Order {{n}}\r\nX-Evil: 1",
        "BodyOverride": "Hello {{who}}",
        "Substitutions": {"n": ["7"], "who": ["Ann\r\nBcc: x"]},
    }
    send(pinpoint, mail_app, Addresses={"override@example.com": own}, MessageConfiguration=simple())
    mail = outbox.wait_for("override@example.com")
    assert mail["subject"] == "Order 7 X-Evil: 1"
    assert not any(name.lower() in ["x-evil", "bcc"] for name, _ in mail["headers"])
    assert "Hello Ann" in mail["raw"]


def test_texts_and_pushes_reach_their_bindings(pinpoint, text_app, outbox):
    response = send(
        pinpoint,
        text_app,
        Addresses={"+12065550123": {"ChannelType": "SMS", "Substitutions": {"n": ["7"]}}, "token-1": {"ChannelType": "GCM"}},
        Context={"order": "7"},
        TraceId="trace",
        MessageConfiguration={
            "SMSMessage": {"Body": "Order {{n}}", "MessageType": "TRANSACTIONAL"},
            "DefaultPushNotificationMessage": {"Title": "Hi", "Body": "there", "Action": "OPEN_APP"},
        },
    )
    assert {result["DeliveryStatus"] for result in response["Result"].values()} == {"SUCCESSFUL"}
    assert outbox.texts("sms", "+12065550123") == ["Order 7"]
    [push] = outbox.texts("push", "token-1")
    assert json.loads(push)["data"] == {
        "pinpoint.notification.title": "Hi",
        "pinpoint.notification.body": "there",
        "pinpoint.openApp": "true",
        "pinpoint.order": "7",
        "pinpoint.traceId": "trace",
    }


def test_a_users_message_reaches_all_active_endpoints(pinpoint, text_app, outbox):
    for endpoint, request in [
        ("u-mail", {"ChannelType": "EMAIL", "Address": "users-ann@example.com"}),
        ("u-text", {"ChannelType": "SMS", "Address": "+12065550124"}),
        ("u-old", {"ChannelType": "SMS", "Address": "+12065550125", "EndpointStatus": "INACTIVE"}),
        ("u-out", {"ChannelType": "SMS", "Address": "+12065550126", "OptOut": "ALL"}),
    ]:
        request["User"] = {"UserId": "ann", "UserAttributes": {"Name": ["Ann"]}}
        pinpoint.update_endpoint(ApplicationId=text_app, EndpointId=endpoint, EndpointRequest=request)
    response = pinpoint.send_users_messages(
        ApplicationId=text_app,
        SendUsersMessageRequest={
            "Users": {"ann": {"Substitutions": {"code": ["9"]}}, "nobody": {}},
            "MessageConfiguration": {"DefaultMessage": {"Body": "{{User.UserAttributes.Name.[0]}}: {{code}}"}},
        },
    )["SendUsersMessageResponse"]
    assert response["ApplicationId"] == text_app and response["RequestId"]
    statuses = {endpoint: result["DeliveryStatus"] for endpoint, result in response["Result"]["ann"].items()}
    assert statuses == {"u-mail": "SUCCESSFUL", "u-text": "SUCCESSFUL", "u-out": "OPT_OUT"}
    assert response["Result"]["nobody"] == {}
    assert outbox.texts("sms", "+12065550124") == ["Ann: 9"]
    assert "Ann: 9" in outbox.wait_for("users-ann@example.com")["raw"]


def with_invocation(server, invocation):
    """A client all of whose requests seem to be tries of one call."""
    client = server.client()

    def name(request, **_):
        del request.headers["amz-sdk-invocation-id"]
        request.headers["amz-sdk-invocation-id"] = invocation

    client.meta.events.register_last("before-send.pinpoint.SendMessages", name)
    return client


def test_a_repeat_is_answered_and_not_sent_again(server, mail_app, outbox):
    client = with_invocation(server, "11111111-2222-3333-4444-555555555555")
    request = {"Addresses": {"repeat@example.com": {"ChannelType": "EMAIL"}}, "MessageConfiguration": simple()}
    first = send(client, mail_app, **request)
    again = send(client, mail_app, **request)
    assert again == first
    outbox.wait_for("repeat@example.com")
    assert len(outbox.to("repeat@example.com")) == 1
    with pytest.raises(ClientError) as caught:
        send(client, mail_app, **{**request, "MessageConfiguration": simple(text="another")})
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    # The SDK's own ids are fresh for every call.
    other = server.client()
    assert send(other, mail_app, **request)["RequestId"] != first["RequestId"]
    assert len(outbox.to("repeat@example.com")) == 2


def test_texts_and_pushes_come_from_templates(pinpoint, text_app, outbox, name):
    pinpoint.create_sms_template(
        TemplateName=name, SMSTemplateRequest={"Body": "Order {{n}} of {{who}}", "DefaultSubstitutions": '{"who": "yours"}'}
    )
    push = {"GCM": {"Title": "Order {{n}}", "Action": "URL", "Url": "https://books.test/{{n}}"}, "Default": {"Body": "of {{who}}"}}
    pinpoint.create_push_template(
        TemplateName=name, PushNotificationTemplateRequest={**push, "DefaultSubstitutions": '{"who": "yours"}'}
    )
    substitutions = {"Substitutions": {"n": ["7"]}}
    templates = {"SMSTemplate": {"Name": name}, "PushTemplate": {"Name": name, "Version": "1"}}
    response = send(
        pinpoint,
        text_app,
        Addresses={"+12065550177": {"ChannelType": "SMS", **substitutions}, "token-templates": {"ChannelType": "GCM", **substitutions}},
        MessageConfiguration={"GCMMessage": {"Body": "own {{who}}"}},
        TemplateConfiguration=templates,
    )
    assert {result["DeliveryStatus"] for result in response["Result"].values()} == {"SUCCESSFUL"}
    assert outbox.texts("sms", "+12065550177") == ["Order 7 of yours"]
    [payload] = outbox.texts("push", "token-templates")
    data = json.loads(payload)["data"]
    # The message's own words, then the template's part for this service.
    assert (data["pinpoint.notification.title"], data["pinpoint.notification.body"]) == ("Order 7", "own yours")
    assert data["pinpoint.url"] == "https://books.test/7"

    for wrong, field in [
        ({"SMSTemplate": {"Name": "nobody-made-it"}}, "TemplateConfiguration.SMSTemplate.Name"),
        ({"SMSTemplate": {"Name": name, "Version": "2"}}, "TemplateConfiguration.SMSTemplate"),
        ({"SMSTemplate": {"Name": name, "Version": "first"}}, "TemplateConfiguration.SMSTemplate.Version"),
    ]:
        with pytest.raises(pinpoint.exceptions.BadRequestException, match=field):
            send(
                pinpoint,
                text_app,
                Addresses={"+12065550177": {"ChannelType": "SMS"}},
                MessageConfiguration={},
                TemplateConfiguration=wrong,
            )
