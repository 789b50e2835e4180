"""The AWS CLI, as published, on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pinion import REGION, wait_for, wait_for_job


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


ROLE = "arn:aws:iam::123456789012:role/pinpoint"
MAIL = {"FromAddress": "news@books.test", "Identity": "arn:aws:ses:eu-central-1:1:identity/books.test"}


@pytest.fixture
def of_app(aws):
    app = aws("create-app", create_application_request={"Name": "cli"})["ApplicationResponse"]["Id"]
    return ("--application-id", app)


def test_users_and_their_events(aws, of_app):
    items = [{"Id": n, "ChannelType": "EMAIL", "Address": f"{n}@example.com", "User": {"UserId": "ann@ż"}} for n in "ab"]
    aws("update-endpoints-batch", *of_app, endpoint_batch_request={"Item": items})
    of_user = (*of_app, "--user-id", "ann@ż")
    assert len(aws("get-user-endpoints", *of_user)["EndpointsResponse"]["Item"]) == 2
    event = {"EventType": "bought", "Timestamp": "2026-11-20T10:00:00Z"}
    events = aws("put-events", *of_app, events_request={"BatchItem": {"a": {"Endpoint": {}, "Events": {"one": event}}}})
    assert events["EventsResponse"]["Results"]["a"]["EventsItemResponse"]["one"]["StatusCode"] == 202
    kind = ("--attribute-type", "endpoint-custom-attributes")
    aws("remove-attributes", *of_app, *kind, update_attributes_request={"Blacklist": ["gen*"]})
    aws("delete-user-endpoints", *of_user)
    aws("get-user-endpoints", *of_user, fails="(NotFoundException)")


def test_a_campaign(aws, of_app):
    aws("update-email-channel", *of_app, email_channel_request=MAIL)
    endpoint = {"ChannelType": "EMAIL", "Address": "campaign.cli@example.com"}
    aws("update-endpoint", *of_app, "--endpoint-id", "one", endpoint_request=endpoint)
    segment = aws("create-segment", *of_app, write_segment_request={"Name": "all", "Dimensions": {}})["SegmentResponse"]
    request = {
        "Name": "c",
        "SegmentId": segment["Id"],
        "Schedule": {"StartTime": "IMMEDIATE"},
        "MessageConfiguration": {"EmailMessage": {"Title": "Hello", "Body": "Hi"}},
    }
    campaign = aws("create-campaign", *of_app, write_campaign_request=request)["CampaignResponse"]["Id"]
    of_campaign = (*of_app, "--campaign-id", campaign)

    def status():
        return aws("get-campaign", *of_campaign)["CampaignResponse"]["State"]["CampaignStatus"]

    wait_for(lambda: status() == "COMPLETED", "the campaign to complete")
    [activity] = aws("get-campaign-activities", *of_campaign)["ActivitiesResponse"]["Item"]
    assert activity["SuccessfulEndpointCount"] == 1
    kpi = aws("get-campaign-date-range-kpi", *of_campaign, "--kpi-name", "successful-delivery-rate")
    assert kpi["CampaignDateRangeKpiResponse"]["CampaignId"] == campaign
    assert len(aws("get-campaign-versions", *of_campaign)["CampaignsResponse"]["Item"]) == 1
    aws("delete-campaign", *of_campaign)


def test_a_journey(aws, of_app):
    activities = {"wait": {"Wait": {"WaitTime": {"WaitFor": "PT1H"}}}}
    request = {"Name": "welcome", "StartActivity": "wait", "Activities": activities}
    journey = aws("create-journey", *of_app, write_journey_request=request)["JourneyResponse"]["Id"]
    of_journey = (*of_app, "--journey-id", journey)
    aws("update-journey", *of_journey, write_journey_request={**request, "Name": "goodbye"})
    assert aws("get-journey", *of_journey)["JourneyResponse"]["Name"] == "goodbye"
    assert len(aws("list-journeys", *of_app)["JourneysResponse"]["Item"]) == 1
    aws("delete-journey", *of_journey)
    aws("get-journey", *of_journey, fails="(NotFoundException)")


@pytest.mark.parametrize(
    "kind,member,document",
    [
        ("email", "email-template-request", {"Subject": "s", "HtmlPart": "<p>{{name}}</p>"}),
        ("sms", "sms-template-request", {"Body": "b"}),
        ("push", "push-notification-template-request", {"Default": {"Title": "t"}}),
        ("voice", "voice-template-request", {"Body": "b"}),
        ("in-app", "in-app-template-request", {"Layout": "OVERLAYS"}),
    ],
)
def test_a_template(aws, kind, member, document):
    of_template = ("--template-name", f"cli-{kind}")
    argument = {member.replace("-", "_"): document}
    aws(f"create-{kind}-template", *of_template, **argument)
    aws(f"update-{kind}-template", *of_template, "--create-new-version", **argument)
    [read] = aws(f"get-{kind}-template", *of_template).values()
    assert {name: read[name] for name in document} == document
    listed = aws("list-templates", "--prefix", f"cli-{kind}")["TemplatesResponse"]["Item"]
    assert [template["TemplateName"] for template in listed] == [f"cli-{kind}"]
    aws(f"delete-{kind}-template", *of_template)
    aws(f"get-{kind}-template", *of_template, fails="(NotFoundException)")


def test_channels_and_streams(aws, of_app):
    aws("update-sms-channel", *of_app, sms_channel_request={"Enabled": True, "SenderId": "BOOKS"})
    apns = {"BundleId": "org.example", "TeamId": "T", "TokenKey": "very secret", "TokenKeyId": "K"}
    aws("update-apns-channel", *of_app, apns_channel_request=apns)
    read = aws("get-apns-channel", *of_app)["APNSChannelResponse"]
    assert read["HasTokenKey"] is True and "very secret" not in json.dumps(read)
    assert {"SMS", "APNS"} <= set(aws("get-channels", *of_app)["ChannelsResponse"]["Channels"])
    aws("delete-apns-channel", *of_app)
    aws("get-apns-channel", *of_app, fails="(NotFoundException)")
    stream = {"DestinationStreamArn": "arn:aws:kinesis:eu-central-1:123456789012:stream/events", "RoleArn": ROLE}
    aws("put-event-stream", *of_app, write_event_stream=stream)
    assert aws("get-event-stream", *of_app)["EventStream"]["RoleArn"] == ROLE
    aws("delete-event-stream", *of_app)


def test_messages_and_passwords(aws, of_app):
    aws("update-sms-channel", *of_app, sms_channel_request={"Enabled": True})
    phone = "+48601234567"
    request = {"Addresses": {phone: {"ChannelType": "SMS"}}, "MessageConfiguration": {"SMSMessage": {"Body": "Hi"}}}
    sent = aws("send-messages", *of_app, message_request=request)["MessageResponse"]
    assert sent["Result"][phone]["DeliveryStatus"] == "SUCCESSFUL"
    request = {
        "BrandName": "Books", "Channel": "SMS", "DestinationIdentity": phone, "OriginationIdentity": "+48509876543",
        "ReferenceId": "r",
    }  # fmt: skip
    aws("send-otp-message", *of_app, send_otp_message_request_parameters=request)
    guess = {"DestinationIdentity": phone, "Otp": "wrong", "ReferenceId": "r"}
    verified = aws("verify-otp-message", *of_app, verify_otp_message_request_parameters=guess)
    assert verified["VerificationResponse"]["Valid"] is False
    number = aws("phone-number-validate", number_validate_request={"PhoneNumber": phone})["NumberValidateResponse"]
    assert number["CountryCodeIso2"] == "PL"


def test_jobs(aws, of_app, server):
    file = server.imports / f"cli-{of_app[1]}.csv"
    file.write_text("ChannelType,Address\nEMAIL,job.cli@example.com\n")
    request = {"Format": "CSV", "RoleArn": ROLE, "S3Url": f"file://{file}"}
    job = aws("create-import-job", *of_app, import_job_request=request)["ImportJobResponse"]["Id"]
    done = wait_for_job(lambda: aws("get-import-job", *of_app, "--job-id", job)["ImportJobResponse"])
    assert (done["JobStatus"], done["CompletedPieces"]) == ("COMPLETED", 1)
    request = {"RoleArn": ROLE, "S3UrlPrefix": f"file://{server.imports}/cli-{of_app[1]}/"}
    job = aws("create-export-job", *of_app, export_job_request=request)["ExportJobResponse"]["Id"]
    done = wait_for_job(lambda: aws("get-export-job", *of_app, "--job-id", job)["ExportJobResponse"])
    assert done["JobStatus"] == "COMPLETED"


def test_a_recommender(aws):
    request = {
        "RecommendationProviderUri": "plugin:best-content-by-locale", "RecommendationProviderRoleArn": ROLE,
        "RecommendationsDisplayName": "Books",
    }  # fmt: skip
    made = aws("create-recommender-configuration", create_recommender_configuration=request)
    of_it = ("--recommender-id", made["RecommenderConfigurationResponse"]["Id"])
    aws("update-recommender-configuration", *of_it, update_recommender_configuration={**request, "Name": "more"})
    assert aws("get-recommender-configuration", *of_it)["RecommenderConfigurationResponse"]["Name"] == "more"
    aws("delete-recommender-configuration", *of_it)


def test_errors_are_told_by_their_names(aws):
    aws("get-recommender-configuration", "--recommender-id", "nobody", fails="(NotFoundException)")
