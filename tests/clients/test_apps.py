"""Applications and their settings."""

import pytest


def test_an_application_lives_and_dies(pinpoint):
    created = pinpoint.create_app(CreateApplicationRequest={"Name": "Żagle & 海", "tags": {"team": "crew"}})
    app = created["ApplicationResponse"]
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert len(app["Id"]) == 32
    assert app["Name"] == "Żagle & 海"
    assert app["Arn"].endswith(f":apps/{app['Id']}")
    assert app["tags"] == {"team": "crew"}

    got = pinpoint.get_app(ApplicationId=app["Id"])["ApplicationResponse"]
    assert got == app
    assert pinpoint.delete_app(ApplicationId=app["Id"])["ApplicationResponse"]["Id"] == app["Id"]
    with pytest.raises(pinpoint.exceptions.NotFoundException) as caught:
        pinpoint.get_app(ApplicationId=app["Id"])
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert app["Id"] in error["Error"]["Message"]
    assert error["ResponseMetadata"]["RequestId"]


def test_a_list_is_read_page_by_page(pinpoint):
    wanted = {
        pinpoint.create_app(CreateApplicationRequest={"Name": f"page {n}"})["ApplicationResponse"]["Id"]
        for n in range(5)
    }
    found, pages, token = set(), 0, {}
    while True:
        page = pinpoint.get_apps(PageSize="2", **token)["ApplicationsResponse"]
        assert len(page["Item"]) <= 2
        found |= {app["Id"] for app in page["Item"]}
        pages += 1
        if "NextToken" not in page:
            break
        token = {"Token": page["NextToken"]}
    assert wanted <= found
    assert pages >= 3


def test_an_application_needs_a_name(pinpoint):
    with pytest.raises(pinpoint.exceptions.BadRequestException):
        pinpoint.create_app(CreateApplicationRequest={"Name": " "})


def test_settings_that_are_left_out_stay(pinpoint, app):
    before = pinpoint.get_application_settings(ApplicationId=app)["ApplicationSettingsResource"]
    assert (before["CampaignHook"], before["Limits"], before["QuietTime"]) == ({}, {}, {})

    def update(**settings):
        pinpoint.update_application_settings(ApplicationId=app, WriteApplicationSettingsRequest=settings)

    update(Limits={"Daily": 42})
    update(QuietTime={"Start": "22:00", "End": "07:30"})
    after = pinpoint.get_application_settings(ApplicationId=app)["ApplicationSettingsResource"]
    assert after["Limits"] == {"Daily": 42}
    assert after["QuietTime"] == {"Start": "22:00", "End": "07:30"}
    assert after["ApplicationId"] == app


def test_a_hook_must_name_a_plugin_that_is_there(pinpoint, app):
    def hook(function):
        request = {"CampaignHook": {"LambdaFunctionName": function, "Mode": "FILTER"}}
        pinpoint.update_application_settings(ApplicationId=app, WriteApplicationSettingsRequest=request)

    hook('plugin:best-content-by-locale?{"content": {"en": {"greeting": "Hello"}}}')
    for wrong in ["plugin:nobody", "plugin:null", "arn:aws:lambda:eu-central-1:1:function:f"]:
        with pytest.raises(pinpoint.exceptions.BadRequestException):
            hook(wrong)


def test_accounts_and_regions_are_worlds_apart(server, pinpoint, app):
    stranger = server.client(server.create_key("--account", "999988887777"))
    elsewhere = server.client(region="us-west-2")
    for client in [stranger, elsewhere]:
        with pytest.raises(client.exceptions.NotFoundException):
            client.get_app(ApplicationId=app)
    theirs = stranger.create_app(CreateApplicationRequest={"Name": "theirs"})["ApplicationResponse"]
    assert ":999988887777:" in theirs["Arn"]
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_app(ApplicationId=theirs["Id"])
