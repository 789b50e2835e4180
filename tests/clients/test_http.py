"""What every answer has on the wire: the time, what browsers ask for, and when to come again."""

import email.utils
import time

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from pinion import REGION, Server
from world import signed

ORIGIN = "https://shop.example"
# What Amplify sends from a browser.
AMPLIFY = "amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,x-amz-date,x-amz-security-token,x-amz-user-agent"


def test_every_answer_tells_the_time(server):
    answers = [
        signed(server.url, server.key, "GET", "/v1/apps"),
        signed(server.url, server.key, "GET", "/v1/nothing"),
        signed(server.url, None, "GET", "/v1/apps"),
        requests.get(f"{server.url}/openapi.json"),
        requests.get(f"{server.url}/healthz"),
        requests.options(f"{server.url}/v1/apps", headers={"origin": ORIGIN, "access-control-request-method": "GET"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 403, 200, 200, 200]
    for answer in answers:
        at = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert abs(at - time.time()) < 60


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_browser_may_ask_from_anywhere(server, method):
    asked = {"origin": ORIGIN, "access-control-request-method": method, "access-control-request-headers": AMPLIFY}
    answer = requests.options(f"{server.url}/v1/apps/a/events", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert method in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower().split(",")
    assert set(AMPLIFY.split(",")) <= {name.strip() for name in allowed}
    assert int(answer.headers["access-control-max-age"]) > 0


def test_a_browser_may_read_answers_and_errors(server):
    for key, status in [(server.key, 200), (None, 403)]:
        answer = signed(server.url, key, "GET", "/v1/apps", headers={"origin": ORIGIN})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = answer.headers["access-control-expose-headers"].lower()
        for name in ["x-amzn-errortype", "x-amzn-requestid", "date", "retry-after"]:
            assert name in exposed
        # A signature says who asks, so no cookie is ever wanted.
        assert "access-control-allow-credentials" not in answer.headers


def test_a_rate_that_is_passed(tmp_path):
    server = Server(tmp_path, {"PINION_RATES__GETAPPS": "2", "PINION_RATES__DEFAULT": "1000"})
    try:
        pinpoint = server.client()
        caught = None
        for _ in range(10):
            try:
                pinpoint.get_apps()
            except ClientError as error:
                caught = error.response
                break
        assert caught["Error"]["Code"] == "TooManyRequestsException"
        assert caught["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert caught["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
        # Another operation has its own rate, and an SDK that tries again gets through.
        pinpoint.get_recommender_configurations()
        patient = boto3.client(
            "pinpoint",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id=server.key["AccessKeyId"],
            aws_secret_access_key=server.key["SecretAccessKey"],
            config=Config(retries={"mode": "standard", "max_attempts": 5}),
        )
        assert [patient.get_apps()["ApplicationsResponse"]["Item"] for _ in range(5)] == [[]] * 5
    finally:
        server.stop()
