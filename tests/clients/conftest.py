"""One server for the whole suite; each test makes an application of its own in it."""

import os
import shutil
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pinion import Outbox, Server

S3_KEYS = {"AWS_ACCESS_KEY_ID": "s3", "AWS_SECRET_ACCESS_KEY": "s3", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3_url():
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(scope="session")
def s3(s3_url):
    return boto3.client(
        "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id="s3", aws_secret_access_key="s3"
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory, s3_url):
    server = Server(tmp_path_factory.mktemp("pinion"), {"AWS_ENDPOINT_URL_S3": s3_url, **S3_KEYS})
    yield server
    if "PINION_OUT" in os.environ:
        shutil.copy(server.log, Path(os.environ["PINION_OUT"]) / "server.log")
    server.stop()


@pytest.fixture(scope="session")
def outbox(server):
    return Outbox(server)


@pytest.fixture(scope="session")
def pinpoint(server):
    return server.client()


@pytest.fixture
def app(pinpoint, request):
    """The id of a fresh application."""
    created = pinpoint.create_app(CreateApplicationRequest={"Name": request.node.name})
    return created["ApplicationResponse"]["Id"]


@pytest.fixture
def mail_app(pinpoint, app):
    """An application that may send mail."""
    request = {"FromAddress": "Harbour Books <news@books.test>", "Identity": "arn:aws:ses:eu-central-1:1:identity/books.test"}
    pinpoint.update_email_channel(ApplicationId=app, EmailChannelRequest=request)
    return app


@pytest.fixture
def text_app(pinpoint, mail_app):
    """An application that may send mail, texts and pushes."""
    pinpoint.update_sms_channel(ApplicationId=mail_app, SMSChannelRequest={"Enabled": True, "SenderId": "BOOKS"})
    pinpoint.update_gcm_channel(ApplicationId=mail_app, GCMChannelRequest={"Enabled": True, "ApiKey": "key"})
    return mail_app


@pytest.fixture
def name(request):
    """A name that no other test uses."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)
