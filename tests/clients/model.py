"""The service model as AWS publishes it: which operations there are, what they take, what they answer."""

import json

from botocore.session import Session

MODEL = Session().get_service_model("pinpoint")
ERRORS = {
    "BadRequestException": 400,
    "ForbiddenException": 403,
    "NotFoundException": 404,
    "MethodNotAllowedException": 405,
    "ConflictException": 409,
    "PayloadTooLargeException": 413,
    "TooManyRequestsException": 429,
}
JSON_TYPES = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "timestamp": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": (int, float),
    "float": (int, float),
}


def operation(name):
    return MODEL.operation_model(name)


def payload(name):
    """Name and shape of the member that is the body; `None` if an operation has no body."""
    shape = operation(name).input_shape
    member = shape.serialization.get("payload")
    return (member, shape.members[member]) if member else None


def labels(name):
    """The members that stand in the path."""
    members = operation(name).input_shape.members
    return [member for member, shape in members.items() if shape.serialization.get("location") == "uri"]


def wire_name(member, shape):
    return shape.serialization.get("name", member)


def check(shape, value, where="answer"):
    """Fails if a value of JSON is not what the model promises. Optional members may be null or absent."""
    expected = JSON_TYPES[shape.type_name]
    assert isinstance(value, expected), f"{where}: {value!r} is no {shape.type_name}"
    assert not (isinstance(value, bool) and shape.type_name != "boolean"), f"{where}: {value!r} is a boolean"
    if shape.type_name == "structure":
        names = {wire_name(member, inner): inner for member, inner in shape.members.items()}
        required = {wire_name(member, shape.members[member]) for member in shape.required_members}
        assert required <= set(value), f"{where} lacks {sorted(required - set(value))}"
        assert set(value) <= set(names), f"{where} has {sorted(set(value) - set(names))}, which the model does not know"
        for name, inner in value.items():
            if inner is not None or name in required:
                check(names[name], inner, f"{where}.{name}")
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            check(shape.member, inner, f"{where}[{index}]")
    elif shape.type_name == "map":
        for key, inner in value.items():
            check(shape.value, inner, f"{where}.{key}")
    elif shape.type_name == "string" and getattr(shape, "enum", None):
        assert value in shape.enum, f"{where}: {value!r} is none of {shape.enum}"


def check_answer(name, answer):
    """Checks status and body of an answer that should be a success."""
    model = operation(name)
    assert answer.status_code == model.http["responseCode"], (name, answer.status_code, answer.text)
    assert answer.headers.get("x-amzn-RequestId")
    shape = model.output_shape
    member = shape and shape.serialization.get("payload")
    if member:
        check(shape.members[member], json.loads(answer.content), name)
    else:
        assert answer.status_code == 204 and not answer.content


def check_error(answer, *statuses):
    """Checks that an answer is one of AWS's errors, with a body that says why; gives the message."""
    code = answer.headers.get("x-amzn-ErrorType", "").split(":")[0]
    body = json.loads(answer.content)
    assert answer.status_code in statuses, (answer.status_code, body)
    assert code, answer.headers
    if code in ERRORS:
        assert ERRORS[code] == answer.status_code
    assert body["Message"] and body.get("RequestID", answer.headers["x-amzn-RequestId"])
    return body["Message"]


def sample(shape):
    """The smallest value that a client lets through."""
    if shape.type_name == "structure":
        return {member: sample(shape.members[member]) for member in shape.required_members}
    if shape.type_name == "list":
        return []
    if shape.type_name == "map":
        return {}
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return {"integer": 1, "long": 1, "boolean": True, "double": 1.0, "timestamp": 0}.get(shape.type_name, "x")
