"""RemoveAttributes, from endpoints, metrics and users."""

import pytest

ODD = "@ / + % * ~ : & = ; ż 日本"


def test_attributes_go_by_name_and_by_glob(pinpoint, app):
    endpoint = {
        "Attributes": {"plan": ["pro"], "plan-b": ["x"], ODD: ["y"], "kept": ["z"]},
        "Metrics": {"plan": 1.0, "kept": 2.0},
        "User": {"UserId": "u", "UserAttributes": {"plan": ["u"], "kept": ["v"]}},
    }
    for id in ("ann", ODD):
        pinpoint.update_endpoint(ApplicationId=app, EndpointId=id, EndpointRequest=endpoint)

    def remove(kind, *names):
        request = {"Blacklist": list(names)}
        kind = f"endpoint-{kind}-attributes"
        answer = pinpoint.remove_attributes(ApplicationId=app, AttributeType=kind, UpdateAttributesRequest=request)
        resource = answer["AttributesResource"]
        assert (resource["ApplicationId"], resource["AttributeType"]) == (app, kind)
        return resource["Attributes"]

    assert remove("custom", "plan*", ODD, "nothing") == [ODD, "plan", "plan-b"]
    assert remove("metric", "p?an") == ["plan"]
    assert remove("user", "*an") == ["plan"]
    assert remove("user", "*an") == []
    for id in ("ann", ODD):
        left = pinpoint.get_endpoint(ApplicationId=app, EndpointId=id)["EndpointResponse"]
        assert left["Attributes"] == {"kept": ["z"]}
        assert left["Metrics"] == {"kept": 2.0}
        assert left["User"]["UserAttributes"] == {"kept": ["v"]}


@pytest.mark.parametrize("kind, names", [("endpoint-attributes", ["x"]), ("endpoint-user-attributes", [])])
def test_mistakes_are_bad_requests(pinpoint, app, kind, names):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        request = {"Blacklist": names}
        pinpoint.remove_attributes(ApplicationId=app, AttributeType=kind, UpdateAttributesRequest=request)
