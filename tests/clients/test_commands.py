"""The operator's commands: through the running server, and on a data folder that nobody serves."""

import json
import subprocess

import pytest

from pinion import ROOT
from test_access import allow


@pytest.fixture
def run(server):
    """A command on the server's data folder."""
    return lambda *arguments: server.pinion(*arguments, "--data", server.data, "--region", "eu-central-1")


def test_applications(run, pinpoint, name):
    made = json.loads(run("app", "create", name, "--tag", "team=crew"))
    assert made["tags"] == {"team": "crew"}
    assert pinpoint.get_app(ApplicationId=made["Id"])["ApplicationResponse"]["Name"] == name
    assert any(line.startswith(made["Id"]) and line.endswith(name) for line in run("app", "list").splitlines())
    shown = json.loads(run("app", "show", made["Id"]))
    in_app = {"Enabled": True, "IsArchived": False, "Version": 0}
    assert (shown["Name"], shown["Channels"], shown["Settings"]["Limits"]) == (name, {"IN_APP": in_app}, {})
    with pytest.raises(AssertionError, match="application nothing not found"):
        run("app", "show", "nothing")
    run("app", "delete", made["Id"])
    with pytest.raises(AssertionError, match="not found"):
        run("app", "show", made["Id"])
    with pytest.raises(AssertionError, match="must be twelve digits"):
        run("app", "list", "--account", "12")


def test_simulation(run, server, name):
    server.create_user(name, allow("mobiletargeting:GetApp"))
    asked = ["--action", "mobiletargeting:GetApp", "--action", "mobiletargeting:DeleteApp"]
    told = run("iam", "simulate", "--principal", f"user/{name}", *asked).splitlines()
    assert told == [
        f"allowed  mobiletargeting:GetApp on *: statement 0 of policy test of user/{name}",
        "denied   mobiletargeting:DeleteApp on *: no policy allows it",
    ]


def test_settings(server, tmp_path):
    assert "can be read" in server.pinion("config", "check")
    file = tmp_path / "pinion.toml"
    file.write_text("[http]\npublic_url = 7\n")
    with pytest.raises(AssertionError, match="line 2"):
        server.pinion("config", "check", "--config", file)


def test_an_endpoint_that_is_none(server):
    with pytest.raises(AssertionError, match="--endpoint ftp://x: must be an http or https URL"):
        server.pinion("app", "list", "--endpoint", "ftp://x", "--access-key-id", "a", "--secret-access-key", "b")


def test_endpoints_and_campaigns(run, pinpoint, mail_app):
    request = {"Address": "ann@example.com", "ChannelType": "EMAIL"}
    pinpoint.update_endpoint(ApplicationId=mail_app, EndpointId="a/b c", EndpointRequest=request)
    assert json.loads(run("endpoint", "show", mail_app, "a/b c"))["Address"] == "ann@example.com"
    dimensions = {"Attributes": {"x": {"Values": ["y"]}}}
    segment = pinpoint.create_segment(ApplicationId=mail_app, WriteSegmentRequest={"Dimensions": dimensions})
    message = {"EmailMessage": {"Title": "t", "Body": "b", "FromAddress": "a@books.test"}}
    campaign = pinpoint.create_campaign(
        ApplicationId=mail_app,
        WriteCampaignRequest={
            "Name": "spring",
            "SegmentId": segment["SegmentResponse"]["Id"],
            "Schedule": {"StartTime": "2099-01-01T00:00:00Z"},
            "MessageConfiguration": message,
        },
    )["CampaignResponse"]["Id"]
    assert json.loads(run("campaign", "show", mail_app, campaign))["Activities"] == []
    assert run("campaign", "pause", mail_app, campaign) == "spring is PAUSED"
    assert pinpoint.get_campaign(ApplicationId=mail_app, CampaignId=campaign)["CampaignResponse"]["IsPaused"]
    assert run("campaign", "resume", mail_app, campaign) == "spring is SCHEDULED"


def test_plugins(run):
    component = ROOT / "target" / "plugins" / "null.wasm"
    assert "null  " in run("plugin", "list")
    assert json.loads(run("plugin", "put", "null", component))["Owner"] == "ACCOUNT"
    granted = json.loads(run("plugin", "grants", "null", "https://api.example.com:443"))
    assert granted["Grants"] == ["https://api.example.com:443"]
    assert json.loads(run("plugin", "grants", "null"))["Grants"] == []
    assert json.loads(run("plugin", "show", "null"))["Kind"] == "channel"
    run("plugin", "delete", "null")
    assert json.loads(run("plugin", "show", "null"))["Owner"] == "SERVER"
    with pytest.raises(AssertionError, match="comes with the server"):
        run("plugin", "delete", "null")


def test_a_command_with_a_key_asks_over_the_network(server, app, name):
    key = server.create_user(name, allow("mobiletargeting:GetApp"))
    environment = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": "eu-central-1",
    }

    def pinion(*arguments):
        done = subprocess.run(
            [server.binary, *arguments], env=server.environment | environment, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, done.stderr

    code, out, _ = pinion("call", "GET", f"/v1/apps/{app}")
    assert (code, json.loads(out)["Id"]) == (0, app)
    code, _, err = pinion("app", "list")
    assert code == 1
    assert "is not authorized to perform: mobiletargeting:GetApps" in err


def test_without_a_server_commands_work_on_the_data(server, tmp_path):
    data = tmp_path / "data"
    with pytest.raises(AssertionError, match="there is no data folder"):
        server.pinion("iam", "user", "create", "ann", "--data", data)
    server.pinion("key", "create", "--data", data)
    assert json.loads(server.pinion("iam", "user", "create", "ann", "--data", data))["UserName"] == "ann"
    assert "ann" in server.pinion("iam", "user", "list", "--data", data)
    # Another account is another world.
    assert server.pinion("iam", "user", "list", "--data", data, "--account", "222222222222") == ""


def test_the_doctor(server, tmp_path):
    told = server.pinion("doctor", "--data", server.data).splitlines()
    assert all(line.startswith("ok ") for line in told), told
    for what in ["settings", "disk space", "database and master key", "clock", "plugins", "binding EMAIL", "identity provider"]:
        assert any(what in line for line in told), (what, told)

    def ill(environment, data=server.data):
        done = subprocess.run(
            [server.binary, "doctor", "--data", data],
            env=server.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 1
        return "\n".join(line for line in done.stdout.splitlines() if line.startswith("FAIL"))

    assert "data folder" in ill({}, tmp_path / "none")
    assert "master key" in ill({"PINION_STORE__MASTER_KEY": "00" * 32})
    assert "database" in ill({"PINION_DATABASE__URL": "postgres://nobody@127.0.0.1:1/none"})
    assert "binding EMAIL" in ill({"PINION_BINDINGS__EMAIL__SETTINGS__PORT": "1"})
    assert "binding SMS" in ill({"PINION_BINDINGS__SMS__PLUGIN": "nobody"})
    assert "settings" in ill({"PINION_HTTP__PUBLIC_URL": "no url"})
    keys = server.identity["ES256"].setting('jwks_file = "/nowhere.json"')
    assert "identity provider" in ill({"PINION_ACCESS__OIDC": f"[{keys}]"})
