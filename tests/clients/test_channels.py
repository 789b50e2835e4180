"""The channels of an application."""

import pytest


def test_the_email_channel_is_put_read_and_deleted(pinpoint, app):
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_email_channel(ApplicationId=app)
    request = {"FromAddress": "news@books.test", "Identity": "arn:aws:ses:eu-central-1:1:identity/books.test", "Enabled": True}
    for version in [1, 2]:
        put = pinpoint.update_email_channel(ApplicationId=app, EmailChannelRequest=request)["EmailChannelResponse"]
        assert put["Version"] == version
    got = pinpoint.get_email_channel(ApplicationId=app)["EmailChannelResponse"]
    assert (got["Platform"], got["Enabled"], got["FromAddress"]) == ("EMAIL", True, "news@books.test")
    channels = pinpoint.get_channels(ApplicationId=app)["ChannelsResponse"]["Channels"]
    assert list(channels) == ["EMAIL"]

    deleted = pinpoint.delete_email_channel(ApplicationId=app)["EmailChannelResponse"]
    assert deleted["Identity"] == request["Identity"]
    for call in [pinpoint.get_email_channel, pinpoint.delete_email_channel]:
        with pytest.raises(pinpoint.exceptions.NotFoundException):
            call(ApplicationId=app)
    assert pinpoint.get_channels(ApplicationId=app)["ChannelsResponse"]["Channels"] == {}
