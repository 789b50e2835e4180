"""One of everything, made when an operation needs it, so that each of them can be called as it should be."""

import urllib.parse
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.serialize
import requests

from model import MODEL, operation, payload
from pinion import REGION

ROLE = "arn:aws:iam::123456789012:role/pinpoint"
CHANNELS = {
    "Adm": {"ClientId": "id", "ClientSecret": "secret"},
    "Apns": {"Certificate": "certificate", "PrivateKey": "key"},
    "ApnsSandbox": {"BundleId": "org.example.app", "TeamId": "TEAM", "TokenKey": "key", "TokenKeyId": "KEY"},
    "ApnsVoip": {"Certificate": "certificate", "PrivateKey": "key"},
    "ApnsVoipSandbox": {"Certificate": "certificate", "PrivateKey": "key"},
    "Baidu": {"ApiKey": "key", "SecretKey": "secret"},
    "Email": {"FromAddress": "news@books.test", "Identity": "arn:aws:ses:eu-central-1:1:identity/books.test"},
    "Gcm": {"ApiKey": "key"},
    "Sms": {"SenderId": "BOOKS"},
    "Voice": {"Enabled": True},
}
TEMPLATES = {
    "Email": {"Subject": "Hello", "TextPart": "Hello"},
    "InApp": {"Layout": "BOTTOM_BANNER", "Content": [{"HeaderConfig": {"Alignment": "LEFT", "Header": "Hello", "TextColor": "#000000"}}]},
    "Push": {"Default": {"Title": "Hello", "Body": "Hello"}},
    "Sms": {"Body": "Hello"},
    "Voice": {"Body": "Hello"},
}
JOURNEY = {
    "Name": "welcome",
    "StartActivity": "wait",
    "Activities": {"wait": {"Wait": {"WaitTime": {"WaitFor": "PT1H"}}}},
}
ENDPOINT = {
    "Address": "ana@books.test",
    "ChannelType": "EMAIL",
    "Attributes": {"genre": ["poetry"]},
    "User": {"UserId": "ana", "UserAttributes": {"FirstName": ["Ana"]}},
}
RECOMMENDER = {
    "RecommendationProviderUri": "plugin:best-content-by-locale",
    "RecommendationProviderRoleArn": ROLE,
    "RecommendationsDisplayName": "Books",
}
STREAM = {"DestinationStreamArn": "arn:aws:kinesis:eu-central-1:123456789012:stream/events", "RoleArn": ROLE}
# What asks for a state that nothing here has reached, and why.
REFUSED = {
    "UpdateJourneyState": 400,  # journeys cannot be run yet
    "GetJourneyRunExecutionMetrics": 404,  # so there are no runs
    "GetJourneyRunExecutionActivityMetrics": 404,
}


def signed(url, key, method, path, body=None, headers=None, region=REGION):
    """Sends a request that botocore's signer signed, and gives the answer as it is."""
    request = botocore.awsrequest.AWSRequest(method, url + path, data=body, headers=headers or {})
    if key:
        credentials = botocore.credentials.Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        botocore.auth.SigV4Auth(credentials, "mobiletargeting", region).add_auth(request)
    prepared = request.prepare()
    return requests.request(prepared.method, prepared.url, data=prepared.body, headers=dict(prepared.headers))


def raw(url, key, name, arguments):
    """Calls an operation with whatever arguments: nothing is checked on this side, nothing is read."""
    request = botocore.serialize.create_serializer("rest-json", False).serialize_to_request(arguments, operation(name))
    path = request["url_path"]
    if request["query_string"]:
        path += "?" + urllib.parse.urlencode(request["query_string"], doseq=True)
    return signed(url, key, request["method"], path, request["body"] or None, request["headers"])


class World:
    def __init__(self, server, pinpoint):
        self.server, self.pinpoint = server, pinpoint
        self.made = {}
        self.suffix = uuid.uuid4().hex[:12]

    def get(self, what, make):
        if what not in self.made:
            self.made[what] = make()
        return self.made[what]

    @property
    def app(self):
        create = lambda: self.pinpoint.create_app(CreateApplicationRequest={"Name": "sweep"})
        return self.get("app", lambda: create()["ApplicationResponse"])

    @property
    def app_id(self):
        return self.app["Id"]

    @property
    def segment(self):
        dimensions = {"Attributes": {"genre": {"AttributeType": "INCLUSIVE", "Values": ["poetry"]}}}
        request = {"Name": "poets", "Dimensions": dimensions}
        create = lambda: self.pinpoint.create_segment(ApplicationId=self.app_id, WriteSegmentRequest=request)
        return self.get("segment", lambda: create()["SegmentResponse"]["Id"])

    def campaign_request(self):
        self.channel("Email")
        return {
            "Name": "offer",
            "SegmentId": self.segment,
            "Schedule": {"StartTime": "2099-01-01T00:00:00Z", "Frequency": "ONCE"},
            "MessageConfiguration": {"EmailMessage": {"Title": "Hello", "Body": "Hello"}},
        }

    @property
    def campaign(self):
        request = self.campaign_request()
        create = lambda: self.pinpoint.create_campaign(ApplicationId=self.app_id, WriteCampaignRequest=request)
        return self.get("campaign", lambda: create()["CampaignResponse"]["Id"])

    @property
    def journey(self):
        create = lambda: self.pinpoint.create_journey(ApplicationId=self.app_id, WriteJourneyRequest=JOURNEY)
        return self.get("journey", lambda: create()["JourneyResponse"]["Id"])

    @property
    def endpoint(self):
        def make():
            self.pinpoint.update_endpoint(ApplicationId=self.app_id, EndpointId="ana@phone", EndpointRequest=ENDPOINT)
            return "ana@phone"

        return self.get("endpoint", make)

    def channel(self, kind):
        def make():
            update = getattr(self.pinpoint, f"update_{_snake(kind)}_channel")
            member, _ = payload(f"Update{kind}Channel")
            update(ApplicationId=self.app_id, **{member: CHANNELS[kind]})
            return kind

        return self.get(f"channel {kind}", make)

    def template(self, kind):
        def make():
            member, _ = payload(f"Create{kind}Template")
            name = f"sweep-{kind}-{self.suffix}"
            create = getattr(self.pinpoint, f"create_{_snake(kind)}_template")
            create(TemplateName=name, **{member: TEMPLATES[kind]})
            return name

        return self.get(f"template {kind}", make)

    @property
    def recommender(self):
        create = lambda: self.pinpoint.create_recommender_configuration(CreateRecommenderConfiguration=RECOMMENDER)
        return self.get("recommender", lambda: create()["RecommenderConfigurationResponse"]["Id"])

    @property
    def stream(self):
        put = lambda: self.pinpoint.put_event_stream(ApplicationId=self.app_id, WriteEventStream=STREAM)
        return self.get("stream", put)

    def import_request(self):
        file = self.server.imports / f"{self.suffix}.csv"
        file.write_text("ChannelType,Address\nEMAIL,bo@books.test\n")
        return {"Format": "CSV", "RoleArn": ROLE, "S3Url": f"file://{file}"}

    def export_request(self):
        return {"RoleArn": ROLE, "S3UrlPrefix": f"file://{self.server.imports}/export-{self.suffix}/"}

    def job(self, name):
        if "Import" in name:
            create = lambda: self.pinpoint.create_import_job(ApplicationId=self.app_id, ImportJobRequest=self.import_request())
            return self.get("import", lambda: create()["ImportJobResponse"]["Id"])
        create = lambda: self.pinpoint.create_export_job(ApplicationId=self.app_id, ExportJobRequest=self.export_request())
        return self.get("export", lambda: create()["ExportJobResponse"]["Id"])

    def arguments(self, name):
        """What a caller who knows the API gives this operation. What must exist before it is made."""
        if "Channel" in name and name[:3] in ("Get", "Del") and name != "GetChannels":
            self.channel(name.removeprefix("Get").removeprefix("Delete").removesuffix("Channel"))
        if name in ("GetEventStream", "DeleteEventStream"):
            assert self.stream
        arguments = {}
        for member, shape in operation(name).input_shape.members.items():
            if shape.serialization.get("location") == "uri":
                arguments[member] = self.label(name, member)
        body = payload(name)
        if body:
            arguments[body[0]] = self.body(name)
        if name == "UntagResource":
            arguments["TagKeys"] = ["season"]
        return arguments

    def label(self, name, member):
        kind = next((kind for kind in TEMPLATES if name.endswith(f"{kind}Template")), "Email")
        return {
            "ApplicationId": lambda: self.app_id,
            "AttributeType": lambda: "endpoint-custom-attributes",
            "CampaignId": lambda: self.campaign,
            "EndpointId": lambda: self.endpoint,
            "JobId": lambda: self.job(name),
            "JourneyActivityId": lambda: "wait",
            "JourneyId": lambda: self.journey,
            "KpiName": lambda: "journey-emails-sent" if "Journey" in name else "successful-delivery-rate",
            "RecommenderId": lambda: self.recommender,
            "ResourceArn": lambda: self.app["Arn"],
            "RunId": lambda: "none",
            "SegmentId": lambda: self.segment,
            "TemplateName": lambda: f"new-{kind}-{self.suffix}" if name.startswith("Create") else self.template(kind),
            "TemplateType": lambda: "EMAIL",
            "UserId": lambda: self.endpoint and ENDPOINT["User"]["UserId"],
            "Version": lambda: "1",
        }[member]()

    def body(self, name):
        for kind, document in TEMPLATES.items():
            if name.endswith(f"{kind}Template"):
                return document
        if name.startswith("Update") and name.endswith("Channel"):
            return CHANNELS[name.removeprefix("Update").removesuffix("Channel")]
        mail = {"EmailMessage": {"SimpleEmail": {"Subject": {"Data": "Hello"}, "TextPart": {"Data": "Hello"}}}}
        phone = "+48601234567"
        return {
            "CreateApp": lambda: {"Name": "sweep"},
            "CreateCampaign": self.campaign_request,
            "UpdateCampaign": self.campaign_request,
            "CreateExportJob": self.export_request,
            "CreateImportJob": self.import_request,
            "CreateJourney": lambda: JOURNEY,
            "UpdateJourney": lambda: JOURNEY,
            "UpdateJourneyState": lambda: {"State": "ACTIVE"},
            "CreateRecommenderConfiguration": lambda: RECOMMENDER,
            "UpdateRecommenderConfiguration": lambda: RECOMMENDER,
            "CreateSegment": lambda: {"Name": "all", "Dimensions": {}},
            "UpdateSegment": lambda: {"Name": "all", "Dimensions": {}},
            "PhoneNumberValidate": lambda: {"PhoneNumber": phone, "IsoCountryCode": "PL"},
            "PutEventStream": lambda: STREAM,
            "PutEvents": lambda: {
                "BatchItem": {
                    "ana": {"Endpoint": {}, "Events": {"one": {"EventType": "bought", "Timestamp": "2026-11-20T10:00:00Z"}}}
                }
            },
            "RemoveAttributes": lambda: {"Blacklist": ["genre*"]},
            "SendMessages": lambda: {
                "Addresses": {"eva@books.test": {"ChannelType": "EMAIL"}},
                "MessageConfiguration": mail if self.channel("Email") else None,
            },
            "SendUsersMessages": lambda: {
                "Users": {"ana": {}} if self.endpoint else None,
                "MessageConfiguration": mail if self.channel("Email") else None,
            },
            "SendOTPMessage": lambda: {
                "BrandName": "Books",
                "Channel": self.channel("Sms").upper(),
                "DestinationIdentity": phone,
                "OriginationIdentity": "+48509876543",
                "ReferenceId": self.suffix,
            },
            "VerifyOTPMessage": lambda: {"DestinationIdentity": phone, "Otp": "12345", "ReferenceId": self.suffix},
            "TagResource": lambda: {"tags": {"season": "autumn"}},
            "UpdateApplicationSettings": lambda: {"Limits": {"Daily": 3}},
            "UpdateEndpoint": lambda: ENDPOINT,
            "UpdateEndpointsBatch": lambda: {"Item": [{"Id": "one", **ENDPOINT}]},
            "UpdateTemplateActiveVersion": lambda: {"Version": "latest"},
        }[name]()


def _snake(kind):
    return {"ApnsSandbox": "apns_sandbox", "ApnsVoip": "apns_voip", "ApnsVoipSandbox": "apns_voip_sandbox", "InApp": "in_app"}.get(
        kind, kind.lower()
    )


assert len(MODEL.operation_names) == 122
