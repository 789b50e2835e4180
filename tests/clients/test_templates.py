"""E-mail templates, their versions, and the one that is active."""

import pytest

TEMPLATE = {"Subject": "Hello {{User.UserAttributes.FirstName.[0]}}", "HtmlPart": "<p>Hi</p>", "TextPart": "Hi"}


def test_a_new_version_serves_only_once_it_is_active(pinpoint, name):
    created = pinpoint.create_email_template(
        TemplateName=name,
        EmailTemplateRequest={
            **TEMPLATE,
            "DefaultSubstitutions": '{"User.UserAttributes.FirstName": "friend"}',
            "Headers": [{"Name": "X-Shop", "Value": "harbour"}],
            "tags": {"kind": "letter"},
        },
    )["CreateTemplateMessageBody"]
    assert created["Message"] == "Created"
    assert created["Arn"].endswith(f":templates/{name}/EMAIL")

    def subject(**version):
        return pinpoint.get_email_template(TemplateName=name, **version)["EmailTemplateResponse"]["Subject"]

    first = pinpoint.get_email_template(TemplateName=name)["EmailTemplateResponse"]
    assert (first["Version"], first["TemplateType"], first["tags"]) == ("1", "EMAIL", {"kind": "letter"})
    assert first["Headers"] == [{"Name": "X-Shop", "Value": "harbour"}]

    update = {"Subject": "Second"}
    pinpoint.update_email_template(TemplateName=name, CreateNewVersion=True, EmailTemplateRequest=update)
    assert subject() == TEMPLATE["Subject"]
    assert subject(Version="2") == "Second"
    active = {"TemplateName": name, "TemplateType": "EMAIL"}
    pinpoint.update_template_active_version(**active, TemplateActiveVersionRequest={"Version": "latest"})
    assert subject() == "Second"
    pinpoint.update_template_active_version(**active, TemplateActiveVersionRequest={"Version": "1"})
    assert subject() == TEMPLATE["Subject"]

    versions = pinpoint.list_template_versions(**active)["TemplateVersionsResponse"]["Item"]
    assert sorted(version["Version"] for version in versions) == ["1", "2"]
    listed = pinpoint.list_templates(Prefix=name, TemplateType="EMAIL")["TemplatesResponse"]["Item"]
    assert [template["TemplateName"] for template in listed] == [name]

    assert pinpoint.delete_email_template(TemplateName=name)["MessageBody"]["Message"]
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_email_template(TemplateName=name)


def test_a_name_is_given_once(pinpoint, name):
    pinpoint.create_email_template(TemplateName=name, EmailTemplateRequest=TEMPLATE)
    with pytest.raises(pinpoint.exceptions.ConflictException):
        pinpoint.create_email_template(TemplateName=name, EmailTemplateRequest=TEMPLATE)


@pytest.mark.parametrize("odd", ["a@b", "a/b", "100%", "a+b", "a b", "żółw", "日本", "~x", "a:b;c&d=e*"])
def test_names_are_letters_digits_underscores_and_hyphens(pinpoint, odd):
    # Refused for its name, and not because the signature of such a path could not be verified.
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        pinpoint.create_email_template(TemplateName=odd, EmailTemplateRequest=TEMPLATE)
    assert "template-name" in str(caught.value)
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_email_template(TemplateName=odd)


@pytest.mark.parametrize(
    "template,part",
    [
        ({"Subject": "{{#if Attributes.x}}open"}, "Subject"),
        ({"HtmlPart": "one\ntwo {{unheardOf 1}}"}, "line 2"),
        ({"TextPart": "{{Attributes.}}"}, "TextPart"),
        ({"Subject": "s", "DefaultSubstitutions": "not JSON"}, "DefaultSubstitutions"),
        ({"Subject": "s", "Headers": [{"Name": "Bcc", "Value": "all@example.com"}]}, "Headers"),
    ],
)
def test_a_template_that_does_not_compile_is_refused_by_part_and_line(pinpoint, name, template, part):
    with pytest.raises(pinpoint.exceptions.BadRequestException) as caught:
        pinpoint.create_email_template(TemplateName=name[:100], EmailTemplateRequest=template)
    assert part in str(caught.value)
