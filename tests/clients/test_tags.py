"""Tags of applications, campaigns, segments and templates."""

import pytest

ODD = {"plain": "1", "a@b": "@", "a/b": "/", "100%": "%", "a+b": "+", "a*~b": "*~", "x:y&z=1;": "&=;", "two words": "a b", "ż 日本": "ż"}


def test_odd_keys_travel_unharmed(pinpoint, app):
    arn = pinpoint.get_app(ApplicationId=app)["ApplicationResponse"]["Arn"]

    def tags():
        return pinpoint.list_tags_for_resource(ResourceArn=arn)["TagsModel"]["tags"]

    assert tags() == {}
    put = pinpoint.tag_resource(ResourceArn=arn, TagsModel={"tags": ODD})
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags() == ODD
    assert pinpoint.get_app(ApplicationId=app)["ApplicationResponse"]["tags"] == ODD
    pinpoint.untag_resource(ResourceArn=arn, TagKeys=[key for key in ODD if key != "plain"])
    assert tags() == {"plain": "1"}


def test_segments_and_templates_have_tags(pinpoint, app, name):
    dimensions = {"Attributes": {"x": {"Values": ["y"]}}}
    request = {"Name": "s", "Dimensions": dimensions, "tags": {"from": "start"}}
    segment = pinpoint.create_segment(ApplicationId=app, WriteSegmentRequest=request)["SegmentResponse"]
    template = pinpoint.create_email_template(TemplateName=name, EmailTemplateRequest={"Subject": "s"})
    for arn in [segment["Arn"], template["CreateTemplateMessageBody"]["Arn"]]:
        pinpoint.tag_resource(ResourceArn=arn, TagsModel={"tags": {"later": "yes"}})
        assert pinpoint.list_tags_for_resource(ResourceArn=arn)["TagsModel"]["tags"]["later"] == "yes"
    got = pinpoint.get_segment(ApplicationId=app, SegmentId=segment["Id"])["SegmentResponse"]
    assert got["tags"] == {"from": "start", "later": "yes"}


def test_only_what_is_there_can_be_tagged(pinpoint, app):
    arn = pinpoint.get_app(ApplicationId=app)["ApplicationResponse"]["Arn"]
    with pytest.raises(pinpoint.exceptions.ClientError) as caught:
        pinpoint.tag_resource(ResourceArn=f"{arn}/segments/none", TagsModel={"tags": {"a": "b"}})
    assert caught.value.response["Error"]["Code"] == "NotFoundException"
    with pytest.raises(pinpoint.exceptions.ClientError) as caught:
        pinpoint.tag_resource(ResourceArn=arn, TagsModel={"tags": {"aws:x": "b"}})
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
