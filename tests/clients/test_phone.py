"""What a phone number tells."""

import pytest


def validate(pinpoint, **request):
    return pinpoint.phone_number_validate(NumberValidateRequest=request)["NumberValidateResponse"]


def test_a_number_tells_what_its_plan_says(pinpoint):
    told = validate(pinpoint, PhoneNumber="030 123456", IsoCountryCode="DE")
    assert told == {
        "CleansedPhoneNumberE164": "+4930123456",
        "CleansedPhoneNumberNational": "30123456",
        "Country": "Germany",
        "CountryCodeIso2": "DE",
        "CountryCodeNumeric": "49",
        "OriginalCountryCodeIso2": "DE",
        "OriginalPhoneNumber": "030 123456",
        "PhoneType": "LANDLINE",
        "PhoneTypeCode": 1,
        "Timezone": "Europe/Berlin",
    }
    mobile = validate(pinpoint, PhoneNumber="+12065550142")
    assert (mobile["PhoneType"], mobile["PhoneTypeCode"], mobile["Timezone"]) == ("MOBILE", 0, "America/Los_Angeles")


def test_what_is_no_number_is_invalid(pinpoint):
    told = validate(pinpoint, PhoneNumber="@ / + % * ~ ż 日本")
    assert (told["PhoneType"], told["PhoneTypeCode"]) == ("INVALID", 3)


@pytest.mark.parametrize("request_", [{}, {"PhoneNumber": ""}, {"PhoneNumber": "1", "IsoCountryCode": "Germany"}])
def test_mistakes_are_bad_requests(pinpoint, request_):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        validate(pinpoint, **request_)
