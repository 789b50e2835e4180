"""Every operation of the service model: called as it should be, and in every way that it should not be.

Without rights each is called in `test_access`.
"""

import json

import pytest

from model import MODEL, check_answer, check_error, labels, operation, payload, wire_name
from pinion import REGION
from world import REFUSED, World, raw, signed

NAMES = MODEL.operation_names
WRONG = {
    "structure": "text",
    "map": ["list"],
    "list": {"a": "map"},
    "string": {"a": "map"},
    "timestamp": {"a": "map"},
    "boolean": "maybe",
    "integer": "many",
    "long": "many",
    "double": "much",
    "float": "much",
}


@pytest.fixture
def world(server, pinpoint):
    return World(server, pinpoint)


@pytest.fixture(scope="session")
def stranger(server):
    """A key of another account."""
    return server.create_key("--account", "210987654321")


@pytest.fixture
def call(server):
    return lambda name, arguments, key=None: raw(server.url, key or server.key, name, arguments)


@pytest.mark.parametrize("name", NAMES)
def test_a_valid_request_is_answered_as_the_model_says(world, call, name):
    answer = call(name, world.arguments(name))
    if name in REFUSED:
        check_error(answer, REFUSED[name])
    else:
        check_answer(name, answer)


def send(server, world, name, body):
    """The operation with this JSON as its body, whatever it is."""
    import botocore.serialize

    arguments = {key: value for key, value in world.arguments(name).items() if key in labels(name)}
    request = botocore.serialize.create_serializer("rest-json", False).serialize_to_request(arguments, operation(name))
    headers = {"content-type": "application/json"}
    return signed(server.url, server.key, request["method"], request["url_path"], json.dumps(body), headers)


def without(shape, value, path=()):
    """Every copy of a body that lacks one required member, with the member's name."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for member, inner in shape.members.items():
            name = wire_name(member, inner)
            if name not in value:
                continue
            if member in shape.required_members:
                yield name, {key: kept for key, kept in value.items() if key != name}
            for missing, copy in without(inner, value[name]):
                yield missing, {**value, name: copy}
    elif shape.type_name == "list" and isinstance(value, list):
        for index, inner in enumerate(value):
            for missing, copy in without(shape.member, inner):
                yield missing, [*value[:index], copy, *value[index + 1 :]]
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, inner in value.items():
            for missing, copy in without(shape.value, inner):
                yield missing, {**value, key: copy}


@pytest.mark.parametrize("name", [name for name in NAMES if payload(name)])
def test_a_request_without_a_required_member_is_refused_by_the_member_s_name(server, world, name):
    member, shape = payload(name)
    for missing, body in without(shape, world.arguments(name)[member]):
        answer = send(server, world, name, body)
        # An event without its required parts fails alone: the others of its batch are taken.
        if name == "PutEvents" and answer.status_code == 202:
            assert missing in answer.text
            assert '"StatusCode":400' in answer.text.replace(" ", "")
            continue
        assert missing in check_error(answer, 400), (name, missing, answer.text)


@pytest.mark.parametrize("name", [name for name in NAMES if payload(name)])
def test_a_member_of_the_wrong_type_is_refused_by_its_name(server, world, name):
    member, shape = payload(name)
    good = world.arguments(name)[member]
    for inner_name, inner in shape.members.items():
        # `tags` in an update is ignored, as at AWS.
        if inner_name == "tags" and name.startswith("Update"):
            continue
        wire = wire_name(inner_name, inner)
        answer = send(server, world, name, {**good, wire: WRONG[inner.type_name]})
        assert wire in check_error(answer, 400), (name, wire, answer.text)


@pytest.mark.parametrize("name", [name for name in NAMES if payload(name)])
@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_a_body_that_is_no_object_is_refused(server, world, name, body):
    check_error(send(server, world, name, body), 400)


@pytest.mark.parametrize("name", [name for name in NAMES if payload(name)])
def test_a_body_that_is_no_json_is_refused(server, world, name):
    arguments = world.arguments(name)
    model = operation(name)
    path = model.http["requestUri"]
    for label in labels(name):
        path = path.replace("{" + wire_name(label, model.input_shape.members[label]) + "}", str(arguments[label]).replace("/", "%2F").replace(":", "%3A"))
    for broken in [b"{", b'{"Name": "\xff"}', b"{} {}", b'{"a":' * 200]:
        answer = signed(server.url, server.key, model.http["method"], path, broken, {"content-type": "application/json"})
        check_error(answer, 400)


@pytest.mark.parametrize("name", [name for name in NAMES if "ApplicationId" in labels(name)])
def test_an_application_that_is_not_there_is_not_found(world, call, name):
    arguments = {**world.arguments(name), "ApplicationId": "0" * 32}
    check_error(call(name, arguments), 404)


@pytest.mark.parametrize("name", NAMES)
def test_another_account_sees_nothing(world, call, stranger, name):
    answer = call(name, world.arguments(name), stranger)
    if "ApplicationId" in labels(name) or "RecommenderId" in labels(name) or "ResourceArn" in labels(name):
        check_error(answer, 403, 404)
    elif "TemplateName" in labels(name) and not name.startswith("Create"):
        check_error(answer, 404)
    else:
        assert answer.status_code < 500
    given = str(world.arguments(name))
    ids = [world.made.get(what) for what in ("segment", "campaign", "journey", "recommender")]
    for secret in filter(None, [world.app_id, *ids]):
        assert secret in given or secret not in answer.text, answer.text


@pytest.mark.parametrize("name", NAMES)
def test_an_unsigned_request_is_refused(server, world, name):
    model = operation(name)
    path = model.http["requestUri"].split("?")[0].replace("{", "").replace("}", "")
    answer = signed(server.url, None, model.http["method"], path, b"{}" if payload(name) else None)
    check_error(answer, 403)


@pytest.mark.parametrize("name", [name for name in NAMES if "ApplicationId" in labels(name)])
def test_a_region_is_a_world_of_its_own(server, world, name):
    assert REGION != "us-west-2"
    arguments = world.arguments(name)
    path = operation(name).http["requestUri"].split("?")[0]
    for label in labels(name):
        value = str(arguments[label]).replace("/", "%2F").replace("@", "%40")
        path = path.replace("{" + wire_name(label, operation(name).input_shape.members[label]) + "}", value)
    body = b"{}" if payload(name) else None
    answer = signed(server.url, server.key, operation(name).http["method"], path, body, region="us-west-2")
    check_error(answer, 400, 404)
