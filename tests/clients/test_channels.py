"""Channels: what a request needs, what answers tell, and what they never tell."""

import json

import pytest

TOKEN = {"BundleId": "s3cret", "TeamId": "s3cret", "TokenKey": "s3cret", "TokenKeyId": "s3cret"}
CERTIFICATE = {"Certificate": "s3cret", "PrivateKey": "s3cret"}
MAIL = {"FromAddress": "Shop <shop@books.test>", "Identity": "arn:aws:ses:eu-central-1:1:identity/books.test"}

# The operation's word, the structure's word, the platform, a request, and what the answer says of it.
CHANNELS = [
    ("adm", "ADM", "ADM", {"ClientId": "s3cret", "ClientSecret": "s3cret"}, {"HasCredential": True}),
    ("apns", "APNS", "APNS", CERTIFICATE, {"HasCredential": True, "HasTokenKey": False}),
    ("apns_sandbox", "APNSSandbox", "APNS_SANDBOX", TOKEN, {"HasTokenKey": True}),
    ("apns_voip", "APNSVoip", "APNS_VOIP", TOKEN, {"HasTokenKey": True}),
    ("apns_voip_sandbox", "APNSVoipSandbox", "APNS_VOIP_SANDBOX", CERTIFICATE, {"HasTokenKey": False}),
    ("baidu", "Baidu", "BAIDU", {"ApiKey": "key", "SecretKey": "s3cret"}, {"Credential": "key"}),
    ("gcm", "GCM", "GCM", {"ApiKey": "key"}, {"Credential": "key", "DefaultAuthenticationMethod": "KEY"}),
    ("sms", "SMS", "SMS", {"SenderId": "Harbour", "ShortCode": "12345"}, {"SenderId": "Harbour", "ShortCode": "12345"}),
    ("voice", "Voice", "VOICE", {}, {}),
    ("email", "Email", "EMAIL", MAIL, MAIL),
]


@pytest.mark.parametrize("name, word, platform, request_, told", CHANNELS, ids=[row[0] for row in CHANNELS])
def test_a_channel_is_made_switched_and_deleted(pinpoint, app, name, word, platform, request_, told):
    def call(verb, **request):
        return getattr(pinpoint, f"{verb}_{name}_channel")(ApplicationId=app, **request)[f"{word}ChannelResponse"]

    with pytest.raises(pinpoint.exceptions.NotFoundException):
        call("get")
    made = call("update", **{f"{word}ChannelRequest": request_})
    assert (made["Platform"], made["Enabled"], made["Version"], made["Id"]) == (platform, True, 1, name)
    assert (made["ApplicationId"], made["IsArchived"]) == (app, False)
    assert told.items() <= made.items()
    assert "s3cret" not in json.dumps(made)
    assert call("get") == made

    again = call("update", **{f"{word}ChannelRequest": {**request_, "Enabled": False}})
    assert (again["Enabled"], again["Version"]) == (False, 2)
    assert again["CreationDate"] == made["CreationDate"]
    channels = pinpoint.get_channels(ApplicationId=app)["ChannelsResponse"]["Channels"]
    assert channels.keys() == {platform, "IN_APP"}
    assert channels[platform]["Enabled"] is False

    deleted = call("delete")
    assert deleted["Platform"] == platform
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        call("get")
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        call("delete")


@pytest.mark.parametrize(
    "name, word, request_, member",
    [
        ("adm", "ADM", {"ClientId": "i", "ClientSecret": ""}, "ClientSecret"),
        ("apns", "APNS", {"Certificate": "c"}, "PrivateKey"),
        ("apns_voip", "APNSVoip", {**CERTIFICATE, "DefaultAuthenticationMethod": "TOKEN"}, "BundleId"),
        ("baidu", "Baidu", {"ApiKey": "", "SecretKey": "s"}, "ApiKey"),
        ("gcm", "GCM", {"ServiceJson": "{}", "DefaultAuthenticationMethod": "KEY"}, "ApiKey"),
        ("gcm", "GCM", {"ServiceJson": "not json"}, "ServiceJson"),
        ("email", "Email", {"FromAddress": "nobody", "Identity": "i"}, "FromAddress"),
    ],
)
def test_what_a_service_needs_is_asked_for_by_name(pinpoint, app, name, word, request_, member):
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        getattr(pinpoint, f"update_{name}_channel")(ApplicationId=app, **{f"{word}ChannelRequest": request_})
    assert caught.value.response["Error"]["Message"].startswith(f"{member}: ")


def test_credentials_stay_while_a_channel_is_switched(pinpoint, app):
    service = {"ServiceJson": json.dumps({"project_id": "p"}), "DefaultAuthenticationMethod": "TOKEN"}
    pinpoint.update_gcm_channel(ApplicationId=app, GCMChannelRequest=service)
    off = pinpoint.update_gcm_channel(ApplicationId=app, GCMChannelRequest={"Enabled": False})["GCMChannelResponse"]
    assert off["HasFcmServiceCredentials"] is True
    assert off["DefaultAuthenticationMethod"] == "TOKEN"
    assert "Credential" not in off


def test_a_switched_off_channel_sends_nothing(pinpoint, mail_app):
    pinpoint.update_email_channel(ApplicationId=mail_app, EmailChannelRequest={**MAIL, "Enabled": False})
    body = {"EmailMessage": {"SimpleEmail": {"Subject": {"Data": "Hi"}, "TextPart": {"Data": "Hi"}}}}
    request = {"Addresses": {"ann@example.com": {"ChannelType": "EMAIL"}}, "MessageConfiguration": body}
    try:
        answer = pinpoint.send_messages(ApplicationId=mail_app, MessageRequest=request)
    except pinpoint.exceptions.BadRequestException as refused:
        assert "not enabled" in refused.response["Error"]["Message"]
    else:
        result = answer["MessageResponse"]["Result"]["ann@example.com"]
        assert result["DeliveryStatus"] == "PERMANENT_FAILURE"
        assert "not enabled" in result["StatusMessage"]
