"""The real server on ports of its own, and the clients that talk to it."""

import base64
import functools
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(condition, what, seconds=60):
    """The first true value of `condition`; fails if there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def wait_for_job(read):
    """A job when it is over."""

    def finished():
        job = read()
        return job if job["JobStatus"] in ["COMPLETED", "FAILED"] else None

    return wait_for(finished, "the job to end")


class IdentityProvider:
    """Signs tokens of OpenID Connect. Its public keys are in a file."""

    def __init__(self, algorithm, folder):
        self.algorithm = algorithm
        self.name = f"login.example.com/{algorithm}"
        numbers = {"kid": "1", "use": "sig", "alg": algorithm}
        if algorithm == "RS256":
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = self.key.public_key().public_numbers()
            numbers |= {"kty": "RSA", "n": b64(public.n.to_bytes(256, "big")), "e": b64(public.e.to_bytes(3, "big"))}
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())
            public = self.key.public_key().public_numbers()
            x, y = (b64(number.to_bytes(32, "big")) for number in (public.x, public.y))
            numbers |= {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        self.file = folder / f"{algorithm}.json"
        self.file.write_text(json.dumps({"keys": [numbers]}))

    def setting(self, keys):
        return f'{{ issuer = "https://{self.name}", audiences = ["pinion"], {keys} }}'

    def token(self, **claims):
        now = int(time.time())
        claims = {"iss": f"https://{self.name}", "aud": "pinion", "iat": now, "exp": now + 300, **claims}
        header = {"alg": self.algorithm, "typ": "JWT", "kid": "1"}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        if self.algorithm == "RS256":
            signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{signed}.{b64(signature)}"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Server:
    """`pinion serve` on a data folder, with the outbox as sink of mail, texts, pushes and custom messages."""

    def __init__(self, folder, environment):
        self.binary = os.environ.get("PINION", ROOT / "target" / "debug" / "pinion")
        self.data = folder / "data"
        self.imports = folder / "imports"
        self.imports.mkdir()
        self.log = folder / "server.log"
        port, smtp = free_port(), free_port()
        keys = folder / "keys"
        keys.mkdir()
        self.identity = {algorithm: IdentityProvider(algorithm, keys) for algorithm in ("RS256", "ES256")}
        # One provider's keys are fetched, the other's read.
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=keys)
        self.keys = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.keys.serve_forever, daemon=True).start()
        fetched = f'jwks_url = "http://127.0.0.1:{self.keys.server_port}/RS256.json"'
        read = f'jwks_file = "{keys / "ES256.json"}"'
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "OUTBOX__SMTP_LISTEN": f"127.0.0.1:{smtp}",
            "BINDINGS__EMAIL__PLUGIN": "email-smtp",
            "BINDINGS__EMAIL__SETTINGS__HOST": "127.0.0.1",
            "BINDINGS__EMAIL__SETTINGS__PORT": str(smtp),
            "BINDINGS__EMAIL__SETTINGS__TLS": "none",
            "BINDINGS__CUSTOM__PLUGIN": "webhook",
            "BINDINGS__CUSTOM__SETTINGS__URL": f"{self.url}/outbox/sink/custom",
            "BINDINGS__SMS__PLUGIN": "webhook",
            "BINDINGS__SMS__SETTINGS__URL": f"{self.url}/outbox/sink/sms",
            "BINDINGS__GCM__PLUGIN": "webhook",
            "BINDINGS__GCM__SETTINGS__URL": f"{self.url}/outbox/sink/push",
            "IMPORTS__FOLDER": str(self.imports),
            # What is exported can be imported.
            "EXPORTS__FOLDER": str(self.imports),
            "ENGINE__RETRY_FIRST_SECONDS": "0.2",
            # Each test makes an application of its own.
            "QUOTAS__APPS": "10000",
            "QUOTAS__ACTIVE_CAMPAIGNS": "10000",
            "ACCESS__OIDC": f"[{self.identity['RS256'].setting(fetched)}, {self.identity['ES256'].setting(read)}]",
        }
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment.update({f"PINION_{name}": value for name, value in settings.items()})
        self.environment.update(environment)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--listen", f"127.0.0.1:{port}"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_for(self.is_ready, "the server to be ready")
        self.key = self.create_key()

    def is_ready(self):
        assert self.process.poll() is None, f"the server ended:\n{self.log.read_text()}"
        try:
            with urllib.request.urlopen(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except OSError:
            return False

    def pinion(self, *arguments):
        """Runs a command beside the server, and gives what it prints."""
        done = subprocess.run(
            [self.binary, *arguments], env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def iam(self, *arguments):
        """`pinion iam` on the data folder: the command goes through the running server."""
        return self.pinion("iam", *arguments, "--data", self.data)

    def create_user(self, name, *statements):
        """A user with one policy, and its key."""
        self.iam("user", "create", name)
        self.put_policy(f"user/{name}", *statements)
        lines = self.iam("key", "create", name).splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        return {"AccessKeyId": found["AWS_ACCESS_KEY_ID"], "SecretAccessKey": found["AWS_SECRET_ACCESS_KEY"]}

    def put_policy(self, holder, *statements):
        self.iam("inline", "put", holder, "test", self.document({"Version": "2012-10-17", "Statement": list(statements)}))

    def document(self, value):
        """A file with a JSON document."""
        file = self.data.parent / f"document-{time.monotonic_ns()}.json"
        file.write_text(json.dumps(value))
        return file

    def create_key(self, *arguments):
        return json.loads(self.pinion("key", "create", "--data", self.data, "--json", *arguments))

    def client(self, key=None, region=REGION, service="pinpoint", **config):
        key = key or self.key
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
            config=Config(retries={"max_attempts": 0}, **config),
        )

    def signed(self, method="GET", path="/v1/apps", body=b"", key=None, service="mobiletargeting"):
        """A request, signed by botocore, of an operation that no client knows."""
        key = key or self.key
        request = AWSRequest(method, self.url + path, data=body, headers={"content-type": "application/json"})
        credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        SigV4Auth(credentials, service, REGION).add_auth(request)
        return request

    def call(self, method, path, body=b"", key=None):
        """Status and document of the answer to a signed request."""
        request = self.signed(method, path, body, key)
        raw = urllib.request.Request(request.url, body or None, dict(request.headers), method=method)
        try:
            with urllib.request.urlopen(raw) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)

    def stop(self):
        """SIGTERM drains, and the server ends with 0."""
        self.keys.shutdown()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0, self.log.read_text()


class Outbox:
    """What arrived, as the outbox's own JSON tells it."""

    def __init__(self, server):
        self.url = server.url
        link = server.pinion("console", "link", "--data", server.data, "--url", server.url)
        with urllib.request.urlopen(link) as answer:
            self.cookie = answer.headers["set-cookie"].split(";")[0]
        self.after = 0
        self.arrived = []

    def messages(self):
        """Everything since the server's start."""
        while True:
            request = urllib.request.Request(
                f"{self.url}/outbox/api/messages?after={self.after}&limit=1000", headers={"cookie": self.cookie}
            )
            with urllib.request.urlopen(request) as answer:
                page = json.load(answer)
            if not page["messages"]:
                return self.arrived
            self.arrived.extend(page["messages"])
            self.after = page["next_after"]

    def to(self, address):
        return [message for message in self.messages() if address in message["to"]]

    def posts(self, path):
        """What was posted below the sink, as JSON."""
        return [json.loads(post["raw"]) for post in self.messages() if post["kind"] == "post" and post["path"] == path]

    def texts(self, path, address):
        """What was said to an address on a channel that posts."""
        posts = self.posts(path)
        return [post["Data"] for post in posts if any(to["Address"] == address for to in post["Endpoints"].values())]

    def wait_for(self, address):
        """The first message to an address."""
        return wait_for(lambda: self.to(address), f"a message to {address}")[0]


def fetch(url, data=None):
    """Status, headers and body of a GET or, with data, a POST; redirects are answers, not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    try:
        with urllib.request.build_opener(Stay).open(url, data) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def unsubscribe_link(message):
    headers = {name.lower(): value for name, value in message["headers"]}
    return re.search("<(http[^>]+)>", headers["list-unsubscribe"])[1]
