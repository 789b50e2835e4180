"""Temporary credentials, with boto3's `sts` client as published."""

import datetime
import json
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from test_access import allow, refusal


def trust(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trusted(principal, **more):
    return {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"], **more}


def fault(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def sts(server):
    return server.client(service="sts")


@pytest.fixture
def account(sts):
    return sts.get_caller_identity()["Account"]


@pytest.fixture
def user(server, name):
    """An `sts` client of a user who may assume roles."""
    return server.client(server.create_user(name, allow("sts:*")), service="sts")


@pytest.fixture
def role(server, account, name):
    """The ARN of a role that may list applications, trusted in its account."""
    file = server.document(trust(trusted({"AWS": account})))
    server.iam("role", "create", name, "--trust", file, "--max-session", "7200", "--tag", "team=crew")
    server.put_policy(f"role/{name}", allow(["mobiletargeting:GetApps", "mobiletargeting:ListTemplates"]))
    return f"arn:aws:iam::{account}:role/{name}"


def test_who_am_i(sts, user, account, name):
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    who = user.get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{account}:user/{name}"
    assert who["UserId"].startswith("AIDA")
    # Presigned, as others let somebody prove who they are.
    url = user.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urllib.request.urlopen(url) as answer:
        assert f"user/{name}" in answer.read().decode()


def test_a_role_for_an_hour(server, user, role, account, name):
    given = user.assume_role(RoleArn=role, RoleSessionName="session-1")
    assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/{name}/session-1"
    credentials = given["Credentials"]
    left = credentials["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)
    client = server.client(credentials)
    client.get_apps()
    message = refusal(client.get_channels, ApplicationId="x")
    assert message.startswith(f"User: arn:aws:sts::{account}:assumed-role/{name}/session-1 is not authorized")
    # Nothing without the token, and nothing with another's.
    without = {**credentials, "SessionToken": None}
    assert fault(server.client(without).get_apps) == "UnrecognizedClientException"
    server.iam("role", "revoke-sessions", name)
    assert fault(client.get_apps) == "UnrecognizedClientException"


def test_policies_tags_and_external_ids(server, user, account, name):
    condition = {"StringEquals": {"sts:ExternalId": "unguessable", "aws:RequestTag/team": "shore"}}
    file = server.document(trust(trusted({"AWS": account}, Condition=condition)))
    server.iam("role", "create", name, "--trust", file)
    server.put_policy(f"role/{name}", allow("*", Condition={"StringEquals": {"aws:PrincipalTag/team": "shore"}}))
    role = f"arn:aws:iam::{account}:role/{name}"
    tags = [{"Key": "team", "Value": "shore"}]
    narrow = json.dumps(trust(allow("mobiletargeting:GetApps")))
    given = user.assume_role(
        RoleArn=role, RoleSessionName="s1", ExternalId="unguessable", Tags=tags, Policy=narrow, DurationSeconds=900
    )
    assert given["PackedPolicySize"] > 0
    client = server.client(given["Credentials"])
    client.get_apps()
    assert "no session policy allows" in refusal(client.list_templates)
    for wrong in [{"Tags": tags}, {"ExternalId": "unguessable"}, {"Tags": tags, "ExternalId": "guess"}]:
        assert fault(user.assume_role, RoleArn=role, RoleSessionName="s1", **wrong) == "AccessDenied"
    arguments = {"RoleArn": role, "RoleSessionName": "s1", "ExternalId": "unguessable", "Tags": tags}
    with pytest.raises(user.exceptions.MalformedPolicyDocumentException):
        user.assume_role(**arguments, Policy="{}")
    assert fault(user.assume_role, **arguments, DurationSeconds=7200) == "ValidationError"


def test_the_sdk_assumes_roles_by_itself(server, user, role, tmp_path, monkeypatch, name):
    """A profile with `role_arn`, as people have it in ~/.aws/config, renews credentials without a line of code."""
    key = server.create_user(f"{name}-profile", allow("sts:AssumeRole"))
    config = tmp_path / "config"
    config.write_text(
        f"[profile base]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
        f"[profile crew]\nrole_arn = {role}\nsource_profile = base\nregion = eu-central-1\n"
        f"endpoint_url = {server.url}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    session = boto3.Session(profile_name="crew")
    session.client("pinpoint").get_apps()
    assert f"assumed-role/{name}/" in session.client("sts").get_caller_identity()["Arn"]


def test_session_tokens(server, name):
    key = server.create_user(name, allow("mobiletargeting:GetApps"))
    sts = server.client(key, service="sts")
    credentials = sts.get_session_token(DurationSeconds=900)["Credentials"]
    client = server.client(credentials)
    client.get_apps()
    refusal(client.list_templates)
    assert fault(server.client(credentials, service="sts").get_session_token) == "AccessDenied"
    server.iam("key", "disable", name, key["AccessKeyId"])
    assert fault(client.get_apps) == "UnrecognizedClientException"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_web_identity(server, account, name, algorithm):
    provider = server.identity[algorithm]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider.name},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{provider.name}:aud": "pinion"},
            "StringLike": {f"{provider.name}:sub": "repo:me/*"},
        },
    }
    server.iam("role", "create", name, "--trust", server.document(trust(statement)))
    server.put_policy(f"role/{name}", allow("mobiletargeting:GetApps"))
    # Nobody signs this request.
    sts = boto3.client("sts", endpoint_url=server.url, region_name="eu-central-1", config=Config(retries={"max_attempts": 0}))
    arguments = {"RoleArn": f"arn:aws:iam::{account}:role/{name}", "RoleSessionName": "web-1"}
    given = sts.assume_role_with_web_identity(**arguments, WebIdentityToken=provider.token(sub="repo:me/it"))
    assert given["SubjectFromWebIdentityToken"] == "repo:me/it"
    assert given["Audience"] == "pinion"
    server.client(given["Credentials"]).get_apps()
    for claims, code in [
        ({"sub": "repo:you/it"}, "AccessDenied"),
        ({"sub": "repo:me/it", "aud": "other"}, "InvalidIdentityToken"),
        ({"sub": "repo:me/it", "exp": 1}, "ExpiredTokenException"),
        ({"sub": "repo:me/it", "iss": "https://elsewhere.example.com"}, "InvalidIdentityToken"),
    ]:
        token = provider.token(**claims)
        assert fault(sts.assume_role_with_web_identity, **arguments, WebIdentityToken=token) == code
