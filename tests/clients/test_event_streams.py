"""The event stream of an application."""

import pytest

STREAM = "arn:aws:kinesis:eu-central-1:123456789012:stream/events"
ROLE = "arn:aws:iam::123456789012:role/pinpoint"


def test_a_stream_is_put_changed_and_deleted(pinpoint, app):
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_event_stream(ApplicationId=app)
    for stream in (STREAM, "arn:aws:firehose:eu-central-1:123456789012:deliverystream/events"):
        write = {"DestinationStreamArn": stream, "RoleArn": ROLE}
        put = pinpoint.put_event_stream(ApplicationId=app, WriteEventStream=write)["EventStream"]
        assert (put["ApplicationId"], put["DestinationStreamArn"], put["RoleArn"]) == (app, stream, ROLE)
        assert pinpoint.get_event_stream(ApplicationId=app)["EventStream"] == put
    assert pinpoint.delete_event_stream(ApplicationId=app)["EventStream"] == put
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.delete_event_stream(ApplicationId=app)


@pytest.mark.parametrize("stream, role, retried", [(STREAM, "pinpoint", True), ("events", ROLE, False)])
def test_terraform_tries_again_only_if_the_role_is_malformed(pinpoint, app, stream, role, retried):
    write = {"DestinationStreamArn": stream, "RoleArn": role}
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        pinpoint.put_event_stream(ApplicationId=app, WriteEventStream=write)
    message = caught.value.response["Error"]["Message"]
    assert ("make sure the IAM Role is configured correctly" in message) == retried
