"""Who signed a request: unknown keys, wrong clocks and tampering are refused."""

import datetime
import http.client
import json
import urllib.error
import urllib.request

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from pinion import wait_for


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    return error["Error"]["Code"]


def test_unknown_and_wrong_keys(server):
    stranger = {"AccessKeyId": "AKIAUNKNOWNUNKNOWN00", "SecretAccessKey": "x" * 40}
    assert refused(server.client(stranger).get_apps) == "UnrecognizedClientException"
    guesser = {**server.key, "SecretAccessKey": "x" * 40}
    assert refused(server.client(guesser).get_apps) == "InvalidSignatureException"


def test_a_disabled_key_is_refused_within_seconds(server):
    key = server.create_key()
    client = server.client(key)
    client.get_apps()
    server.pinion("key", "disable", "--data", server.data, key["AccessKeyId"])

    def is_refused():
        try:
            client.get_apps()
            return False
        except ClientError as error:
            return error.response["Error"]["Code"] == "UnrecognizedClientException"

    wait_for(is_refused, "the key to be disabled", seconds=5)


def send(server, request, path=None, body=None):
    """Status and error code of the answer."""
    url = server.url + path if path else request.url
    data = body if body is not None else request.body or None
    raw = urllib.request.Request(url, data=data, headers=dict(request.headers), method=request.method)
    try:
        with urllib.request.urlopen(raw) as answer:
            return answer.status, None
    except urllib.error.HTTPError as answer:
        document = json.load(answer)
        assert document["Message"] and document["RequestID"]
        return answer.code, answer.headers["x-amzn-ErrorType"]


def test_what_was_signed_cannot_be_changed(server):
    body = json.dumps({"Name": "mine"}).encode()
    create = server.signed("POST", body=body)
    assert send(server, create) == (201, None)
    assert send(server, create, body=body.replace(b"mine", b"your")) == (403, "InvalidSignatureException")
    listing = server.signed()
    assert send(server, listing) == (200, None)
    assert send(server, listing, path="/v1/apps?page-size=1") == (403, "InvalidSignatureException")
    assert send(server, listing, path="/v1/templates") == (403, "InvalidSignatureException")


def test_a_signature_for_another_service_is_none(server):
    status, code = send(server, server.signed(service="ses"))
    assert (status, code) == (403, "InvalidSignatureException")


def test_no_signature_at_all(server):
    assert send(server, AWSRequest("GET", server.url + "/v1/apps")) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_that_is_off(server, monkeypatch, minutes):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))
    status, code = send(server, server.signed())
    assert status == 403
    assert code == "RequestTimeTooSkewed"


@pytest.mark.parametrize("path", ["/v1/apps/../apps", "/v1//apps", "/v1/apps/%2e%2e/apps", "/v1/./apps"])
def test_paths_that_could_be_read_in_two_ways_are_refused(server, path):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.putrequest("GET", path)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
