"""The AWS SDKs for Rust and for JavaScript: the life of each resource, as each of them reads it."""

import os
import subprocess

import pytest

from pinion import REGION, ROOT

RUST = [
    "apps", "jobs", "recommenders", "event-streams", "kpis", "channels", "endpoints", "events", "segments",
    "templates", "campaigns", "in-app", "journeys", "messages", "one-time-passwords",
]  # fmt: skip
JAVASCRIPT = [
    "apps", "endpoints", "segments", "templates", "channels", "campaigns", "journeys", "messages", "jobs",
    "recommenders", "event-streams",
]  # fmt: skip


@pytest.fixture
def run(server):
    environment = {
        **server.environment,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": server.key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": server.key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": REGION,
        "IMPORTS": str(server.imports),
    }
    # Those are the server's own, for S3.
    environment.pop("AWS_REGION", None)

    def run(*command):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.parametrize("group", RUST)
def test_the_sdk_for_rust(run, group):
    run(os.environ.get("PINION_RUST_CLIENT", ROOT / "target/rust-client/debug/pinion-rust-client"), group)


@pytest.mark.parametrize("group", JAVASCRIPT)
def test_the_sdk_for_javascript(run, group):
    run(os.environ.get("PINION_NODE", "node"), ROOT / "target/javascript-client/client.mjs", group)
