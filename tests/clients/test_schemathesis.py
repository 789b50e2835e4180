"""Schemathesis over `/openapi.json`: whatever fits the description or does not, no answer is a fault of the server,
and every answer is one that the description names.

`PINION_EXAMPLES=200 pytest tests/clients/test_schemathesis.py` looks longer; `PINION_SEED` at other examples.
"""

import json
import os
import urllib.request

import hypothesis
import pytest
import schemathesis
import schemathesis.checks
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, given, settings
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from model import MODEL, labels, operation, wire_name
from pinion import REGION
from world import World

EXAMPLES = int(os.environ.get("PINION_EXAMPLES", "4"))
SEED = int(os.environ.get("PINION_SEED", "0"))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
# Labels of our own operations: what each of them is before they begin.
OURS = {
    "access-key-id": "AKIAAAAAAAAAAAAAAAAA",
    "group-name": "fuzzed",
    "plugin-name": "null",
    "policy-name": "fuzzed",
    "principal": "user/fuzzed",
    "role-name": "fuzzed",
    "user-name": "fuzzed",
}


@schemathesis.serializer("application/wasm")
def component(context, value):
    """Anything at all: none of it is a component."""
    return value if isinstance(value, bytes) else repr(value).encode()


class Signed(AuthBase):
    """Signs what is about to be sent, whatever it is."""

    def __init__(self, key):
        self.credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def __call__(self, request):
        signed = AWSRequest(request.method, request.url, data=request.body or b"")
        if "content-type" in request.headers:
            signed.headers["content-type"] = request.headers["content-type"]
        service = "sts" if request.path_url == "/" else "mobiletargeting"
        SigV4Auth(self.credentials, service, REGION).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


def closed(value):
    """A schema that allows no member that it does not name."""
    if isinstance(value, list):
        return [closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: closed(inner) for key, inner in value.items()}
    if isinstance(copy.get("$ref"), str):
        copy["$ref"] = copy["$ref"].replace("/schemas/", "/schemas/Closed")
    if "properties" in copy:
        copy.setdefault("additionalProperties", False)
    return copy


@pytest.fixture(scope="session")
def schema(server):
    with urllib.request.urlopen(f"{server.url}/openapi.json") as answer:
        document = json.load(answer)
    # Requests are signed here, whatever becomes of their headers.
    del document["security"], document["components"]["securitySchemes"]
    # Requests may say more than is read, answers may not say more than is described.
    schemas = document["components"]["schemas"]
    schemas |= {f"Closed{name}": closed(schema) for name, schema in schemas.items()}
    for methods in document["paths"].values():
        for found in methods.values():
            for answer in found["responses"].values():
                answer |= {"content": closed(answer["content"])} if "content" in answer else {}
    return schemathesis.openapi.from_dict(document)


def look(server, found, label):
    """Sends examples that fit the description of an operation, and examples that do not."""

    def check(case):
        response = case.call(base_url=server.url, auth=Signed(server.key), timeout=30)
        case.validate_response(response, checks=CHECKS)

    for mode in [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]:
        try:
            strategy = found.as_strategy(generation_mode=mode, path_parameters=label)
        except schemathesis.errors.SchemathesisError:
            continue
        run = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(given(strategy)(check))
        try:
            hypothesis.seed(SEED)(run)()
        except hypothesis.errors.Unsatisfiable:
            # Everything fits: there is nothing that it could be asked wrongly.
            continue


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_an_operation_of_pinpoint(server, pinpoint, schema, name):
    world = World(server, pinpoint)
    members = operation(name).input_shape.members
    arguments = world.arguments(name)
    label = {wire_name(member, members[member]): arguments[member] for member in labels(name)}
    look(server, schema.find_operation_by_id(name), label)


def test_operations_of_ours(server, schema):
    for result in schema.get_all_operations():
        found = result.ok()
        if found.path.startswith("/v1/"):
            continue
        label = {name: value for name, value in OURS.items() if f"{{{name}}}" in found.path}
        look(server, found, label)
