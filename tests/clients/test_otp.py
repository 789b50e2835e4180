"""One-time passwords: sent as texts, verified once."""

import re

import pytest

from pinion import wait_for


def send(pinpoint, app, number, **change):
    request = {
        "Channel": "SMS",
        "BrandName": "Harbour Books",
        "CodeLength": 6,
        "ValidityPeriod": 15,
        "AllowedAttempts": 3,
        "OriginationIdentity": "+18555550142",
        "DestinationIdentity": number,
        "ReferenceId": "SampleReferenceId",
    } | change
    return pinpoint.send_otp_message(ApplicationId=app, SendOTPMessageRequestParameters=request)["MessageResponse"]


def verify(pinpoint, app, number, code, reference="SampleReferenceId"):
    request = {"DestinationIdentity": number, "ReferenceId": reference, "Otp": code}
    answer = pinpoint.verify_otp_message(ApplicationId=app, VerifyOTPMessageRequestParameters=request)
    return answer["VerificationResponse"]["Valid"]


def test_a_code_is_valid_once(pinpoint, text_app, outbox):
    number = "+12065550007"
    response = send(pinpoint, text_app, number)
    assert response["ApplicationId"] == text_app and response["RequestId"]
    result = response["Result"][number]
    assert (result["DeliveryStatus"], result["StatusCode"]) == ("SUCCESSFUL", 200)
    [text] = wait_for(lambda: outbox.texts("sms", number), "the text")
    assert re.fullmatch(r"This is your One Time Password: \d{6} from Harbour Books", text)
    code = re.search(r"\d{6}", text)[0]
    assert not verify(pinpoint, text_app, number, "000000" if code != "000000" else "111111")
    assert not verify(pinpoint, text_app, number, code, reference="another")
    assert not verify(pinpoint, text_app, "+12065550008", code)
    assert verify(pinpoint, text_app, number, code) is True
    assert verify(pinpoint, text_app, number, code) is False


def test_attempts_run_out(pinpoint, text_app, outbox):
    number = "+12065550009"
    send(pinpoint, text_app, number, AllowedAttempts=1, CodeLength=8, Language="ja-JP")
    [text] = outbox.texts("sms", number)
    code = re.search(r"\d{8}", text)[0]
    assert text == f"Harbour Booksのワンタイムパスワードは{code}です"
    assert not verify(pinpoint, text_app, number, "wrong")
    assert not verify(pinpoint, text_app, number, code)


def test_without_the_channel_the_result_says_so(pinpoint, app):
    result = send(pinpoint, app, "+12065550010")["Result"]["+12065550010"]
    assert result["DeliveryStatus"] == "PERMANENT_FAILURE"
    assert "SMS channel is not enabled" in result["StatusMessage"]


@pytest.mark.parametrize(
    "change",
    [
        {"Channel": "EMAIL"},
        {"CodeLength": 4},
        {"ValidityPeriod": 61},
        {"AllowedAttempts": 0},
        {"BrandName": "x" * 21},
        {"ReferenceId": "x" * 49},
        {"Language": "pl-PL"},
        {"DestinationIdentity": "0700"},
    ],
)
def test_mistakes_are_named(pinpoint, text_app, change):
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        send(pinpoint, text_app, **({"number": "+12065550011"} | change))
    assert next(iter(change)) in str(caught.value)
