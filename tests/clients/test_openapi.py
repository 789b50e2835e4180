"""`/openapi.json` beside AWS's service model: what either says of Pinpoint's part, the other says too."""

import json
import urllib.request

import pytest

from model import JSON_TYPES, MODEL, operation, payload, wire_name

PUSHES = [
    "ADMMessage",
    "APNSMessage",
    "BaiduMessage",
    "DefaultPushNotificationMessage",
    "GCMMessage",
    "APNSPushNotificationTemplate",
    "AndroidPushNotificationTemplate",
    "DefaultPushNotificationTemplate",
]
# Members that the model does not have, by the model's shape, with the reason.
MORE = {
    "ActivityResponse": {"Detail": "a sentence why a run failed"},
    "WriteApplicationSettingsRequest": {"LastModifiedDate": "clients send back what they read"},
    "EndpointSendConfiguration": {"ChannelType": "read as an AddressConfiguration is"},
    "MessageResult": {"Address": "written as an EndpointMessageResult is, whose address it may be"},
}
# Members that only the model has.
LESS = {
    "ActivityResponse": {
        "TimezonesCompletedCount": "of campaigns in local time, which there are none of",
        "TimezonesTotalCount": "of campaigns in local time, which there are none of",
    },
    "EventStream": {"ExternalId": "AWS no longer uses it"},
    "NumberValidateResponse": {
        "City": "numbering plans do not tell it",
        "County": "numbering plans do not tell it",
        "ZipCode": "numbering plans do not tell it",
    },
    "TemplateVersionsResponse": {"Message": "AWS does not fill it", "RequestID": "the header has it"},
}


@pytest.fixture(scope="session")
def document(server):
    with urllib.request.urlopen(f"{server.url}/openapi.json") as answer:
        return json.load(answer)


def described(document, name):
    """Path, method and description of an operation."""
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            if found["operationId"] == name:
                return path, method, found
    raise AssertionError(f"{name} is not described")


def test_operations_are_those_of_the_model_and_ours(document):
    ours = {found["operationId"] for path in document["paths"].values() for found in path.values()}
    of_aws = {
        found["operationId"]
        for path, methods in document["paths"].items()
        if path.startswith("/v1/")
        for found in methods.values()
    }
    assert of_aws == set(MODEL.operation_names)
    assert len(ours) == sum(len(methods) for methods in document["paths"].values())


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_an_operation_is_described_as_in_the_model(document, name):
    model = operation(name)
    path, method, found = described(document, name)
    assert (path, method) == (model.http["requestUri"], model.http["method"].lower())
    assert [status for status in found["responses"] if status < "300"] == [str(model.http["responseCode"])]
    members = model.input_shape.members
    for place, location in [("path", "uri"), ("query", "querystring"), ("header", "header")]:
        ours = {p["name"]: p.get("required", False) for p in found.get("parameters", []) if p["in"] == place}
        ours.pop("idempotency-key", None)
        required = model.input_shape.required_members
        assert ours == {
            wire_name(member, shape): member in required
            for member, shape in members.items()
            if shape.serialization.get("location") == location
        }, place
    body = payload(name)
    assert ("requestBody" in found) == (body is not None)
    problems = []
    if body:
        assert found["requestBody"]["required"]
        schema = found["requestBody"]["content"]["application/json"]["schema"]
        Comparison(document, True, problems).compare(body[1], schema)
    answer = found["responses"][str(model.http["responseCode"])]
    told = model.output_shape and model.output_shape.serialization.get("payload")
    assert ("content" in answer) == bool(told)
    if told:
        schema = answer["content"]["application/json"]["schema"]
        Comparison(document, False, problems).compare(model.output_shape.members[told], schema)
    assert not problems, "\n".join(problems)


def test_errors_are_those_of_the_model(document):
    errors = {error.name: error.metadata["error"]["httpStatusCode"] for error in operation("CreateApp").error_shapes}
    errors |= {error.name: error.metadata["error"]["httpStatusCode"] for error in operation("CreateImportJob").error_shapes}
    _, _, found = described(document, "GetApp")
    ours = {response["$ref"].rsplit("/", 1)[1]: int(status) for status, response in found["responses"].items() if "$ref" in response}
    assert errors.items() <= ours.items()


class Comparison:
    """Of a shape of the model with a schema of the description; collects the differences."""

    def __init__(self, document, is_request, problems):
        self.schemas = document["components"]["schemas"]
        self.is_request = is_request
        self.problems = problems
        self.under_way = []

    def resolve(self, schema):
        """The schema itself, and the name that it has."""
        options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
        if options:
            (schema,) = options
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return self.schemas[name], name
        return schema, None

    def compare(self, shape, schema, where=""):
        where = where or shape.name
        schema, name = self.resolve(schema)
        if shape.name in self.under_way:
            return
        self.under_way.append(shape.name)
        if shape.type_name == "structure":
            self.structure(shape, schema, name, where)
        elif shape.type_name == "map":
            self.type(schema, "object", where)
            inner = schema.get("additionalProperties")
            if isinstance(inner, dict):
                self.compare(shape.value, inner, f"{where}.*")
            else:
                for key, inner in schema["properties"].items():
                    self.compare(shape.value, inner, f"{where}.{key}")
        elif shape.type_name == "list":
            self.type(schema, "array", where)
            self.compare(shape.member, schema["items"], f"{where}[]")
        else:
            # Bytes travel as base64.
            expected = str if shape.type_name == "blob" else JSON_TYPES[shape.type_name]
            kind = {str: "string", bool: "boolean", int: "integer"}.get(expected, "number")
            ours = schema.get("enum") or [option["const"] for option in schema.get("oneOf", [])]
            if ours:
                ours = [value for value in ours if value is not None]
                model = getattr(shape, "enum", None)
                if model and set(ours) != set(model):
                    self.problems.append(f"{where}: one of {sorted(set(ours) ^ set(model))} is not in both")
            else:
                self.type(schema, kind, where)
        self.under_way.pop()

    def type(self, schema, expected, where):
        found = schema.get("type")
        found = [found] if isinstance(found, str) else found or []
        if [kind for kind in found if kind != "null"] != [expected]:
            self.problems.append(f"{where}: is {found}, not {expected}")

    def structure(self, shape, schema, name, where):
        self.type(schema, "object", where)
        ours = schema.get("properties", {})
        model = {wire_name(member, inner): inner for member, inner in shape.members.items()}
        more = set(ours) - set(model) - set(MORE.get(shape.name, {}))
        if name == "PushMessage" and shape.name in PUSHES:
            # One type is read for all services, and each reads the members that it knows.
            more -= {member for push in PUSHES for member in MODEL.shape_for(push).members}
        if more:
            self.problems.append(f"{where} ({shape.name}): has {sorted(more)}, which the model does not know")
        less = set(model) - set(ours) - set(LESS.get(shape.name, {}))
        if less:
            self.problems.append(f"{where} ({shape.name}): lacks {sorted(less)}")
        required = set(schema.get("required", []))
        in_model = {wire_name(member, shape.members[member]) for member in shape.required_members}
        missing = in_model - required
        if missing:
            self.problems.append(f"{where} ({shape.name}): {sorted(missing)} must be required")
        # Answers may promise more.
        stricter = required - in_model
        if self.is_request and stricter:
            self.problems.append(f"{where} ({shape.name}): {sorted(stricter)} must not be required")
        for member, inner in model.items():
            if member in ours:
                self.compare(inner, ours[member], f"{where}.{member}")


def test_exceptions_are_exceptions():
    for shape, members in MORE.items():
        assert not set(members) & set(MODEL.shape_for(shape).members), shape
    for shape, members in LESS.items():
        assert set(members) <= set(MODEL.shape_for(shape).members), shape
