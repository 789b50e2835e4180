"""Plugins of an account: uploaded, listed, used in campaigns, replaced while they serve, and deleted."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from pinion import ROOT

GREETING = json.dumps({"default": "en", "content": {"en": {"greeting": "good day"}}})
MEBIBYTE = 1 << 20


def component(server, plugin, **manifest):
    """A built component with another manifest. It must not become longer, for the section has its length in front."""
    source = ROOT / "tests/fixtures" / plugin if "/" in plugin else ROOT / "plugins" / plugin
    built = (Path(server.binary).parents[1] / "plugins" / f"{plugin}.wasm").read_bytes()
    old = (source / "plugin.json").read_bytes()
    assert built.count(old) == 1
    new = json.dumps({**json.loads(old), "description": "", **manifest}).encode()
    assert len(new) <= len(old)
    return built.replace(old, new.ljust(len(old)))


@pytest.fixture
def greeter(server):
    """Two versions of one personalizer: the first says what its settings say, the second `hello`."""
    first = component(server, "best-content-by-locale", name="greeter", version="1")
    second = component(server, "bad/forger", name="greeter", version="2")
    yield first, second
    server.call("DELETE", "/pinion/v1/plugins/greeter")


def put(server, body, name="greeter", key=None):
    return server.call("PUT", f"/pinion/v1/plugins/{name}", body, key)


def get(server, name="greeter", key=None):
    return server.call("GET", f"/pinion/v1/plugins/{name}", key=key)


def names(server, key=None):
    status, listed = server.call("GET", "/pinion/v1/plugins", key=key)
    assert status == 200
    return {plugin["Name"]: plugin["Owner"] for plugin in listed["Item"]}


@pytest.fixture
def greet(pinpoint, mail_app, outbox):
    """What a new reader is greeted with."""
    readers = iter(range(1_000))

    def greet(plugin="greeter"):
        reader = f"reader{next(readers)}-{mail_app}@example.com"
        endpoint = {"ChannelType": "EMAIL", "Address": reader, "Attributes": {"only": [reader]}}
        pinpoint.update_endpoint(ApplicationId=mail_app, EndpointId=reader, EndpointRequest=endpoint)
        only = {"Attributes": {"only": {"AttributeType": "INCLUSIVE", "Values": [reader]}}}
        segment = pinpoint.create_segment(
            ApplicationId=mail_app, WriteSegmentRequest={"Name": reader, "Dimensions": only}
        )["SegmentResponse"]["Id"]
        campaign = {
            "Name": reader,
            "SegmentId": segment,
            "MessageConfiguration": {
                "EmailMessage": {"Title": "Hi", "Body": "{{Attributes.greeting}}!", "HtmlBody": "<p>x</p>"}
            },
            "Hook": {"LambdaFunctionName": f"plugin:{plugin}?{GREETING}", "Mode": "FILTER"},
            "Schedule": {"StartTime": "IMMEDIATE"},
        }
        pinpoint.create_campaign(ApplicationId=mail_app, WriteCampaignRequest=campaign)
        raw = outbox.wait_for(reader)["raw"]
        return next(words for words in ["good day", "hello"] if f"{words}!" in raw)

    return greet


def test_a_component_from_its_upload_to_its_end(server, pinpoint, app, greeter, greet):
    first, second = greeter
    assert get(server)[0] == 404
    assert "greeter" not in names(server)
    status, plugin = put(server, first)
    assert status == 200, plugin
    assert plugin == {
        "Name": "greeter",
        "Version": "1",
        "Kind": "personalizer",
        "Description": "",
        "Owner": "ACCOUNT",
        "Digest": hashlib.sha256(first).hexdigest(),
        "Size": len(first),
        "Asks": [],
        "Grants": [],
    }
    assert get(server) == (200, plugin)
    assert names(server)["greeter"] == "ACCOUNT"
    assert names(server)["null"] == "SERVER"
    assert greet() == "good day"

    status, replaced = put(server, second)
    assert (status, replaced["Version"], replaced["Digest"]) == (200, "2", hashlib.sha256(second).hexdigest())
    assert get(server) == (200, replaced)
    assert greet() == "hello"

    assert server.call("DELETE", "/pinion/v1/plugins/greeter") == (200, replaced)
    for status, error in [get(server), server.call("DELETE", "/pinion/v1/plugins/greeter")]:
        assert (status, "plugin greeter" in error["Message"]) == (404, True)
    assert "greeter" not in names(server)
    with pytest.raises(pinpoint.exceptions.BadRequestException, match="plugin greeter is not installed"):
        greet()


def test_an_accounts_plugin_is_its_own(server, greeter):
    stranger = server.create_key("--account", "999999999999")
    put(server, greeter[0])
    assert get(server, key=stranger)[0] == 404
    assert "greeter" not in names(server, key=stranger)
    assert server.call("DELETE", "/pinion/v1/plugins/greeter", key=stranger)[0] == 404
    assert put(server, greeter[1], key=stranger)[0] == 200
    assert (get(server)[1]["Version"], get(server, key=stranger)[1]["Version"]) == ("1", "2")
    assert server.call("DELETE", "/pinion/v1/plugins/greeter", key=stranger)[0] == 200
    assert get(server)[1]["Version"] == "1"


def test_grants_are_given_to_the_name_and_stay_when_the_component_is_replaced(server):
    asks = ["https://*:443"]
    poster = component(server, "webhook", name="poster", version="1", hosts=asks)
    status, plugin = put(server, poster, "poster")
    assert (status, plugin["Asks"], plugin["Grants"]) == (200, asks, [])
    grants = ["https://api.example.com:443", "https://*.example.org:443"]

    def give(grants):
        return server.call("PUT", "/pinion/v1/plugins/poster/grants", json.dumps({"Grants": grants}).encode())

    status, plugin = give(grants)
    assert (status, plugin["Grants"]) == (200, grants)
    assert get(server, "poster")[1]["Grants"] == grants
    newer = component(server, "webhook", name="poster", version="2", hosts=asks)
    status, plugin = put(server, newer, "poster")
    assert (status, plugin["Version"], plugin["Grants"]) == (200, "2", grants)
    for wrong in [["ftp://x:1"], ["https://api.example.com"], "https://api.example.com:443", [443]]:
        status, error = give(wrong)
        assert (status, "Grants" in error["Message"]) == (400, True), error
    assert get(server, "poster")[1]["Grants"] == grants
    assert give([])[1]["Grants"] == []
    assert server.call("DELETE", "/pinion/v1/plugins/poster")[0] == 200
    assert give([])[0] == 404


def test_a_broken_upload_leaves_the_old_one_serving(server, greeter, greet):
    first, _ = greeter
    _, plugin = put(server, first)
    random = os.urandom(1_000)
    uploads = [
        (b"", 400, "must be a WebAssembly component"),
        (random, 400, "the file is not WebAssembly"),
        (b"\0asm\x01\0\0\0", 400, "the file is a core module, not a component: build it for wasm32-wasip2"),
        (b"\0asm\x0d\0\x01\0", 400, "the component has no manifest"),
        (first[: len(first) // 2], 400, "the file is not a valid component"),
        (component(server, "null", name="greeter", kind="predicate"), 400, "but the component is a channel"),
        (component(server, "null"), 400, "the component's manifest names it null"),
        (component(server, "null", name="greeter", max_batch=0), 400, "max_batch must be between 1 and 1000"),
        (component(server, "null", name="greeter", colour="red"), 400, "unknown field `colour`"),
        (random * (32 * MEBIBYTE // len(random) + 1), 413, ""),
    ]
    for body, expected, words in uploads:
        status, error = put(server, body)
        assert status == expected, error
        assert words in error["Message"] and error["RequestID"], error
        assert get(server) == (200, plugin)
    assert greet() == "good day"


def test_what_comes_with_the_server_is_not_changed(server):
    before = get(server, "null")
    assert before[1]["Owner"] == "SERVER"
    for status, error in [
        server.call("DELETE", "/pinion/v1/plugins/null"),
        server.call("PUT", "/pinion/v1/plugins/null/grants", b'{"Grants": []}'),
    ]:
        assert status == 403, error
    # An account may have its own under the same name; without it the server's is there again.
    assert put(server, component(server, "null", version="9"), "null")[0] == 200
    assert (get(server, "null")[1]["Owner"], get(server, "null")[1]["Version"]) == ("ACCOUNT", "9")
    assert server.call("DELETE", "/pinion/v1/plugins/null")[0] == 200
    assert get(server, "null") == before
