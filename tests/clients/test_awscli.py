"""The AWS CLI, as published, on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pinion import REGION


@pytest.fixture
def aws(server, tmp_path):
    environment = {
        **server.environment,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": server.key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": server.key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONUTF8": "1",
    }
    program = Path(sys.executable).with_name("aws")

    def run(operation, *arguments, fails=None, **documents):
        for name, document in documents.items():
            arguments += (f"--{name.replace('_', '-')}", json.dumps(document))
        done = subprocess.run(
            [program, "pinpoint", operation, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
        if fails:
            assert done.returncode != 0
            assert fails in done.stderr
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_an_application_from_beginning_to_end(aws):
    app = aws("create-app", create_application_request={"Name": "From the CLI"})["ApplicationResponse"]["Id"]
    of_app = ("--application-id", app)
    endpoint = {"ChannelType": "EMAIL", "Address": "cli@example.com", "Attributes": {"likes": ["żółw"]}}
    aws("update-endpoint", *of_app, "--endpoint-id", "a/b@c ż", endpoint_request=endpoint)
    got = aws("get-endpoint", *of_app, "--endpoint-id", "a/b@c ż")["EndpointResponse"]
    assert got["Attributes"] == {"likes": ["żółw"]}

    segment = {"Name": "s", "Dimensions": {"Attributes": {"likes": {"AttributeType": "INCLUSIVE", "Values": ["żółw"]}}}}
    segment = aws("create-segment", *of_app, write_segment_request=segment)["SegmentResponse"]
    assert [item["Id"] for item in aws("get-segments", *of_app)["SegmentsResponse"]["Item"]] == [segment["Id"]]

    arn = aws("get-app", *of_app)["ApplicationResponse"]["Arn"]
    aws("tag-resource", "--resource-arn", arn, tags_model={"tags": {"a b": "c"}})
    assert aws("list-tags-for-resource", "--resource-arn", arn)["TagsModel"]["tags"] == {"a b": "c"}
    kpi = aws("get-application-date-range-kpi", *of_app, "--kpi-name", "txn-emails-sent")
    assert kpi["ApplicationDateRangeKpiResponse"]["KpiResult"]["Rows"] == []

    aws("delete-app", *of_app)
    aws("get-app", *of_app, fails="(NotFoundException)")


def test_errors_are_told_by_their_names(aws):
    aws("get-recommender-configuration", "--recommender-id", "nobody", fails="(NotFoundException)")
