"""Campaigns: documents, versions, pausing, and one told from its import to its figures."""

import collections
import datetime
import json

import pytest

from pinion import fetch, unsubscribe_link, wait_for

EVERYBODY = {"Demographic": {"Channel": {"DimensionType": "INCLUSIVE", "Values": ["EMAIL"]}}}
MESSAGE = {"EmailMessage": {"Title": "Hello", "Body": "Hello", "HtmlBody": "<p>Hello</p>"}}


@pytest.fixture
def segment(pinpoint, app):
    request = {"Name": "everybody", "Dimensions": EVERYBODY}
    return pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest=request)["SegmentResponse"]["Id"]


def create(pinpoint, app, segment, **campaign):
    campaign = {
        "Name": "c",
        "SegmentId": segment,
        "MessageConfiguration": MESSAGE,
        "Schedule": {"StartTime": "IMMEDIATE"},
        **campaign,
    }
    return pinpoint.create_campaign(ApplicationId=app, WriteCampaignRequest=campaign)["CampaignResponse"]


def status(pinpoint, app, campaign):
    return pinpoint.get_campaign(ApplicationId=app, CampaignId=campaign)["CampaignResponse"]["State"]["CampaignStatus"]


def wait_for_status(pinpoint, app, campaign, *wanted):
    wait_for(lambda: status(pinpoint, app, campaign) in wanted, f"the campaign to be {wanted}", seconds=120)


def later(days=30):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_campaign_is_versioned_paused_and_deleted(pinpoint, mail_app, segment):
    schedule = {"StartTime": later(), "Frequency": "DAILY", "EndTime": later(60), "Timezone": "UTC"}
    created = create(pinpoint, mail_app, segment, Schedule=schedule, tags={"a": "b"}, Description="d")
    assert created["State"]["CampaignStatus"] == "SCHEDULED"
    assert (created["Version"], created["SegmentVersion"], created["IsPaused"]) == (1, 1, False)
    assert created["Arn"].endswith(f"/campaigns/{created['Id']}")
    assert created["tags"] == {"a": "b"}
    campaign = {"ApplicationId": mail_app, "CampaignId": created["Id"]}

    def update(**request):
        return pinpoint.update_campaign(**campaign, WriteCampaignRequest=request)["CampaignResponse"]

    updated = update(Name="renamed")
    assert (updated["Version"], updated["Description"]) == (2, "d")
    assert update(IsPaused=True)["State"]["CampaignStatus"] == "PAUSED"
    assert update(IsPaused=False)["State"]["CampaignStatus"] == "SCHEDULED"
    first = pinpoint.get_campaign_version(**campaign, Version="1")["CampaignResponse"]
    assert first["Name"] == "c"
    versions = pinpoint.get_campaign_versions(**campaign)["CampaignsResponse"]["Item"]
    assert sorted(version["Version"] for version in versions) == [1, 2, 3, 4]
    listed = pinpoint.get_campaigns(ApplicationId=mail_app)["CampaignsResponse"]["Item"]
    assert [item["Id"] for item in listed] == [created["Id"]]
    assert pinpoint.get_campaign_activities(**campaign)["ActivitiesResponse"]["Item"] == []

    deleted = pinpoint.delete_campaign(**campaign)["CampaignResponse"]
    assert deleted["State"]["CampaignStatus"] == "DELETED"
    for call in [pinpoint.get_campaign, pinpoint.delete_campaign, pinpoint.get_campaign_activities]:
        with pytest.raises(pinpoint.exceptions.NotFoundException):
            call(**campaign)


@pytest.mark.parametrize(
    "wrong",
    [
        {"SegmentId": "0" * 32},
        {"HoldoutPercent": 101},
        {"HoldoutPercent": 60, "AdditionalTreatments": [{"SizePercent": 50, "MessageConfiguration": MESSAGE}]},
        {"Schedule": {"StartTime": "soon"}},
        {"Schedule": {"StartTime": "2020-01-01T00:00:00Z"}},
        {"Limits": {"MessagesPerSecond": 0}},
        {"MessageConfiguration": {"EmailMessage": {"Title": "{{#if x}}"}}},
        {"MessageConfiguration": {}, "TemplateConfiguration": {"EmailTemplate": {"Name": "no-such-template"}}},
        {"MessageConfiguration": {}, "TemplateConfiguration": {"SMSTemplate": {"Name": "no-such-template"}}},
        {"MessageConfiguration": {"SMSMessage": {"Body": "{{#if x}}"}}},
        {"MessageConfiguration": {"GCMMessage": {"Title": "{{"}}},
        {"MessageConfiguration": {"DefaultMessage": {"JsonBody": "[1]"}}},
        {"Hook": {"LambdaFunctionName": "plugin:nobody", "Mode": "FILTER"}},
        {"CustomDeliveryConfiguration": {"DeliveryUri": "http://example.com"}},
    ],
)
def test_campaigns_that_cannot_be_are_refused(pinpoint, mail_app, segment, wrong):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        create(pinpoint, mail_app, segment, **wrong)


def test_a_campaign_that_cannot_run_says_why(pinpoint, app, segment):
    campaign = create(pinpoint, app, segment)["Id"]
    wait_for_status(pinpoint, app, campaign, "INVALID")
    [activity] = activities(pinpoint, app, campaign)
    assert activity["Result"] == "FAIL"


def test_a_custom_channel_is_a_plugin(pinpoint, app, segment):
    people(pinpoint, app, 3)
    campaign = create(
        pinpoint,
        app,
        segment,
        MessageConfiguration={"CustomMessage": {"Data": "for {{Id}}"}},
        CustomDeliveryConfiguration={"DeliveryUri": "plugin:null", "EndpointTypes": ["EMAIL"]},
    )["Id"]
    wait_for_status(pinpoint, app, campaign, "COMPLETED")
    [activity] = activities(pinpoint, app, campaign)
    assert (activity["TotalEndpointCount"], activity["SuccessfulEndpointCount"]) == (3, 3)


def test_a_custom_message_is_posted_as_pinpoint_posts_it(pinpoint, app, segment, outbox):
    people(pinpoint, app, 60, Attributes={"likes": ["żółw"]})
    campaign = create(
        pinpoint,
        app,
        segment,
        MessageConfiguration={"CustomMessage": {"Data": '{"kind": "card"}'}},
        CustomDeliveryConfiguration={"DeliveryUri": "plugin:webhook", "EndpointTypes": ["EMAIL"]},
    )["Id"]
    wait_for_status(pinpoint, app, campaign, "COMPLETED")
    posts = [json.loads(message["raw"]) for message in outbox.messages() if message["kind"] == "post"]
    posts = [post for post in posts if post.get("CampaignId") == campaign]
    assert all(len(post["Endpoints"]) <= 50 and post["Data"] == '{"kind": "card"}' for post in posts)
    reached = {id_: endpoint for post in posts for id_, endpoint in post["Endpoints"].items()}
    assert set(reached) == {f"p{n}" for n in range(60)}
    assert reached["p7"]["Address"] == address(app, 7)
    assert reached["p7"]["Attributes"] == {"likes": ["żółw"]}
    assert {(post["ApplicationId"], post["TreatmentId"]) for post in posts} == {(app, "0")}


@pytest.mark.parametrize("from_templates", [False, True])
def test_one_campaign_speaks_on_every_channel(pinpoint, text_app, outbox, name, from_templates):
    app, phone = text_app, f"+1206555{'02' if from_templates else '03'}00"
    reach = {"mail": ("EMAIL", address(app, 1)), "text": ("SMS", phone), "push": ("GCM", f"token-{app}"), "apple": ("APNS", f"apple-{app}")}
    for endpoint, (channel, to) in reach.items():
        request = {"ChannelType": channel, "Address": to, "Attributes": {"book": ["Emma"]}}
        pinpoint.update_endpoint(ApplicationId=app, EndpointId=endpoint, EndpointRequest=request)
    request = {"Name": "all", "Dimensions": {"Attributes": {"book": {"AttributeType": "INCLUSIVE", "Values": ["Emma"]}}}}
    segment = pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest=request)["SegmentResponse"]["Id"]
    if from_templates:
        name = name[:60] + app
        pinpoint.create_email_template(TemplateName=name, EmailTemplateRequest={"Subject": "Mail {{Attributes.book}}", "TextPart": "t"})
        defaults = '{"gone": "default"}'
        request = {"Body": "Text {{Attributes.book}} {{gone}}", "DefaultSubstitutions": defaults}
        pinpoint.create_sms_template(TemplateName=name, SMSTemplateRequest=request)
        request = {"Default": {"Title": "Push {{Attributes.book}}", "Body": "{{gone}}"}, "DefaultSubstitutions": defaults}
        pinpoint.create_push_template(TemplateName=name, PushNotificationTemplateRequest=request)
        kinds = ["EmailTemplate", "SMSTemplate", "PushTemplate"]
        says = {"MessageConfiguration": {}, "TemplateConfiguration": {kind: {"Name": name} for kind in kinds}}
        text = "Text Emma default"
    else:
        says = {
            "MessageConfiguration": {
                "EmailMessage": {"Title": "Mail {{Attributes.book}}", "Body": "t"},
                "SMSMessage": {"Body": "Text {{Attributes.book}}", "MessageType": "PROMOTIONAL"},
                "GCMMessage": {"Title": "Push {{Attributes.book}}", "JsonBody": '{"book": "{{Attributes.book}}", "n": 1}'},
                "DefaultMessage": {"Title": "Default", "Body": "default"},
            }
        }
        text = "Text Emma"
    campaign = create(pinpoint, app, segment, **says)["Id"]
    wait_for_status(pinpoint, app, campaign, "COMPLETED")
    [activity] = activities(pinpoint, app, campaign)
    # Apple's channel is not enabled for the application.
    assert (activity["TotalEndpointCount"], activity["SuccessfulEndpointCount"]) == (4, 3)
    assert outbox.wait_for(address(app, 1))["subject"] == "Mail Emma"
    assert outbox.texts("sms", phone) == [text]
    [payload] = outbox.texts("push", f"token-{app}")
    data = json.loads(payload)["data"]
    assert (data["pinpoint.notification.title"], data["pinpoint.notification.body"]) == ("Push Emma", "default")
    assert (data["pinpoint.campaign.campaign_id"], data["pinpoint.campaign.treatment_id"]) == (campaign, "0")
    if not from_templates:
        assert json.loads(data["pinpoint.jsonBody"]) == {"book": "Emma", "n": "1"}


def test_a_paused_campaign_resumes_where_it_was(pinpoint, mail_app, segment, outbox):
    people(pinpoint, mail_app, 60)
    campaign = create(pinpoint, mail_app, segment, Limits={"MessagesPerSecond": 20})["Id"]
    wait_for(lambda: sum(a["SuccessfulEndpointCount"] for a in activities(pinpoint, mail_app, campaign)), "the first mail")

    def pause(is_paused):
        pinpoint.update_campaign(ApplicationId=mail_app, CampaignId=campaign, WriteCampaignRequest={"IsPaused": is_paused})

    pause(True)
    wait_for_status(pinpoint, mail_app, campaign, "PAUSED")
    assert activities(pinpoint, mail_app, campaign)[0]["State"] == "PAUSED"
    pause(False)
    wait_for_status(pinpoint, mail_app, campaign, "COMPLETED")
    [activity] = activities(pinpoint, mail_app, campaign)
    assert activity["SuccessfulEndpointCount"] == 60
    mails = collections.Counter(to for mail in outbox.messages() for to in mail["to"] if mail_app in to)
    assert (len(mails), set(mails.values())) == (60, {1})


def activities(pinpoint, app, campaign):
    answer = pinpoint.get_campaign_activities(ApplicationId=app, CampaignId=campaign)
    return answer["ActivitiesResponse"]["Item"]


def address(app, n):
    return f"p{n}.{app}@example.com"


def people(pinpoint, app, count, **more):
    items = [{"Id": f"p{n}", "ChannelType": "EMAIL", "Address": address(app, n), **more} for n in range(count)]
    for start in range(0, count, 100):
        request = {"Item": items[start : start + 100]}
        pinpoint.update_endpoints_batch(ApplicationId=app, EndpointBatchRequest=request)


def test_the_whole_story(server, pinpoint, mail_app, outbox, name):
    """Import, segment with a predicate, templates, two treatments and a holdout, receipts, figures."""
    app = mail_app
    csv = ["Id,ChannelType,Address,OptOut,Attributes.likes,Attributes.likes,Demographic.Locale,User.UserId,User.UserAttributes.FirstName"]
    for n in range(400):
        kind = {10: "bounce+", 8: "reject+", 14: "defer+"}.get(n % 100, "")
        likes = '"cakes, ""big""",tea' if n % 2 == 0 else "coffee,"
        out = "ALL" if n % 100 == 6 else "NONE"
        csv.append(f"s{n},EMAIL,{kind}s{n}.{app}@example.com,{out},{likes},{'pl-PL' if n % 4 == 0 else 'en'},u{n},Zoë{n}")
    (server.imports / f"{app}.csv").write_text("\n".join(csv) + "\n")
    request = {"S3Url": f"file://{server.imports}/{app}.csv", "Format": "CSV", "RoleArn": "arn:aws:iam::1:role/x", "DefineSegment": False}
    job = pinpoint.create_import_job(ApplicationId=app, ImportJobRequest=request)["ImportJobResponse"]["Id"]
    wait_for(
        lambda: pinpoint.get_import_job(ApplicationId=app, JobId=job)["ImportJobResponse"]["JobStatus"] == "COMPLETED",
        "the import",
    )

    # Those who bought something lately, among those who like tea.
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    keen = [n for n in range(400) if n % 3 != 0]
    for start in range(0, len(keen), 100):
        batch = {
            f"s{n}": {"Endpoint": {}, "Events": {"1": {"EventType": "_monetization.purchase", "Timestamp": now}}}
            for n in keen[start : start + 100]
        }
        pinpoint.put_events(ApplicationId=app, EventsRequest={"BatchItem": batch})
    dimensions = {
        "Attributes": {
            "likes": {"AttributeType": "INCLUSIVE", "Values": ["tea"]},
            "plugin:engagement-score": {"AttributeType": "INCLUSIVE", "Values": [json.dumps({"min": 5})]},
        }
    }
    segment = pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest={"Name": "keen on tea", "Dimensions": dimensions})
    wanted = {n for n in keen if n % 2 == 0}

    for treatment in "ab":
        pinpoint.create_email_template(
            TemplateName=f"{name}-{treatment}",
            EmailTemplateRequest={
                "Subject": f"{treatment}: {{{{Attributes.greeting}}}} {{{{User.UserAttributes.FirstName.[0]}}}}",
                "HtmlPart": '<html><body>{{#each Attributes.likes}}<i>{{this}}</i>{{/each}}<a href="https://books.test/tea">tea</a></body></html>',
                "TextPart": "{{Attributes.greeting}}",
            },
        )
    content = {"default": "en", "content": {"en": {"greeting": "Hello"}, "pl": {"greeting": "Cześć"}}}
    campaign = create(
        pinpoint,
        app,
        segment["SegmentResponse"]["Id"],
        MessageConfiguration={},
        TemplateConfiguration={"EmailTemplate": {"Name": f"{name}-a"}},
        TreatmentName="a",
        AdditionalTreatments=[
            {"TreatmentName": "b", "SizePercent": 45, "TemplateConfiguration": {"EmailTemplate": {"Name": f"{name}-b"}}}
        ],
        HoldoutPercent=10,
        Hook={"LambdaFunctionName": f"plugin:best-content-by-locale?{json.dumps(content)}", "Mode": "FILTER"},
    )
    treatment_b = campaign["AdditionalTreatments"][0]["Id"]
    wait_for_status(pinpoint, app, campaign["Id"], "COMPLETED")

    mails = [mail for mail in outbox.messages() if any(app in to for to in mail["to"])]
    reached = collections.Counter(to for mail in mails for to in mail["to"])
    assert set(reached.values()) == {1}
    numbers = {int(to.split("@")[0].split(".")[0].split("s")[-1]): to for to in reached}
    refused = {n for n in wanted if n % 100 in [6, 8, 10]}
    assert set(numbers) <= wanted - refused
    for mail in mails:
        n = int(mail["to"][0].split(".")[0].split("s")[-1])
        assert mail["subject"][3:] == f"{'Cześć' if n % 4 == 0 else 'Hello'} Zoë{n}"
        # Quoted-printable may break lines anywhere but inside an entity that fits.
        assert "cakes, &quot;big&quot;" in mail["raw"].replace("=\r\n", "")

    by_treatment = {activity["TreatmentId"]: activity for activity in activities(pinpoint, app, campaign["Id"])}
    assert set(by_treatment) == {"0", treatment_b}
    holdout = int(by_treatment["0"]["ExecutionMetrics"].get("TREATMENT_HOLDOUT", 0))
    totals = {id_: activity["TotalEndpointCount"] for id_, activity in by_treatment.items()}
    assert sum(totals.values()) + holdout == len(wanted)
    assert sum(a["SuccessfulEndpointCount"] for a in by_treatment.values()) == len(mails)
    skipped = collections.Counter()
    for activity in by_treatment.values():
        skipped.update({reason: int(count) for reason, count in activity["ExecutionMetrics"].items()})
    assert skipped["ENDPOINT_OPT_OUT"] <= sum(n % 100 == 6 for n in wanted)
    assert sum(skipped.values()) + len(mails) == len(wanted)

    # Half of a's readers open, all of b's; some of b's click; one has enough.
    opened, clicked = collections.Counter(), collections.Counter()
    for index, mail in enumerate(mails):
        treatment = mail["subject"][0]
        if treatment == "b" or index % 2 == 0:
            [pixel] = [image for image in mail["images"] if "/t/o/" in image]
            status_, headers, body = fetch(pixel)
            assert (status_, headers["content-type"], body[:6]) == (200, "image/gif", b"GIF89a")
            opened[treatment] += 1
        if treatment == "b" and index % 3 == 0:
            [link] = [link for link in mail["links"] if "/t/c/" in link]
            assert fetch(link)[1]["location"] == "https://books.test/tea"
            clicked[treatment] += 1
    tired = mails[0]
    link = unsubscribe_link(tired)
    assert fetch(link)[0] == 200
    assert fetch(link, b"List-Unsubscribe=One-Click")[0] == 200
    assert fetch(link[:-2] + ("AA" if link[-2:] != "AA" else "BB"), b"List-Unsubscribe=One-Click")[0] == 404

    def kpi(name_):
        answer = pinpoint.get_campaign_date_range_kpi(ApplicationId=app, CampaignId=campaign["Id"], KpiName=name_)
        rows = answer["CampaignDateRangeKpiResponse"]["KpiResult"]["Rows"]
        return {row["GroupedBys"][0]["Value"] if row["GroupedBys"] else "": float(row["Values"][0]["Value"]) for row in rows}

    by_activity = {"a": by_treatment["0"]["Id"], "b": by_treatment[treatment_b]["Id"]}
    grouped = "-grouped-by-campaign-activity"
    assert wait_for(lambda: sum(kpi("direct-email-opens" + grouped).values()) == sum(opened.values()), "opens", 10)
    for treatment, activity in by_activity.items():
        delivered = by_treatment["0" if treatment == "a" else treatment_b]["SuccessfulEndpointCount"]
        assert kpi("successful-deliveries" + grouped)[activity] == delivered
        assert kpi("direct-email-opens" + grouped)[activity] == opened[treatment]
        assert kpi("clicks" + grouped).get(activity, 0) == clicked[treatment]
        assert kpi("email-open-rate" + grouped)[activity] == pytest.approx(opened[treatment] / delivered)
    assert kpi("unique-deliveries")[""] == pytest.approx(len(mails), rel=0.05)
    bounced = skipped["HARD_BOUNCE"]
    attempted = sum(kpi("attempted-deliveries" + grouped).values())
    assert attempted == len(mails) + bounced + skipped["REJECTED"]
    assert kpi("hard-bounce-rate")[""] == pytest.approx(bounced / attempted)

    # The next campaign leaves out who unsubscribed and who bounced.
    again = create(pinpoint, app, segment["SegmentResponse"]["Id"], Name="again")["Id"]
    wait_for_status(pinpoint, app, again, "COMPLETED")
    [activity] = activities(pinpoint, app, again)
    assert activity["ExecutionMetrics"]["SUPPRESSED_UNSUBSCRIBED"] == "1"
    assert int(activity["ExecutionMetrics"].get("SUPPRESSED_BOUNCE", 0)) == bounced
    assert len(outbox.to(tired["to"][0])) == 1
