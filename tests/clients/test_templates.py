"""Templates of all types, their versions, and the one that is active."""

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
    with pytest.raises(pinpoint.exceptions.BadRequestException, match="exists already"):
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


OTHERS = {
    "SMS": ("sms", "SMSTemplate", [{"Body": "Hi {{name}}", "DefaultSubstitutions": '{"name": "you"}'}, {"Body": "Hey"}]),
    "VOICE": (
        "voice",
        "VoiceTemplate",
        [{"Body": "Hello", "LanguageCode": "pl-PL", "VoiceId": "Ewa"}, {"Body": "Good morning"}],
    ),
    "PUSH": (
        "push",
        "PushNotificationTemplate",
        [
            {
                "ADM": {"Action": "OPEN_APP", "Title": "adm", "SmallImageIconUrl": "https://books.test/s.png"},
                "APNS": {"Body": "apple", "Sound": "default", "MediaUrl": "https://books.test/m.png"},
                "GCM": {"Action": "URL", "Url": "https://books.test/", "RawContent": '{"data": {}}'},
                "Default": {"Title": "all", "Body": "{{name}}"},
            },
            {"Default": {"Title": "only"}},
        ],
    ),
    "INAPP": (
        "in_app",
        "InAppTemplate",
        [
            {
                "Layout": "OVERLAYS",
                "CustomConfig": {"theme": "dark"},
                "Content": [{"BackgroundColor": "#FFFFFF", "ImageUrl": "https://books.test/i.png"}],
            },
            {"Layout": "TOP_BANNER"},
        ],
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_type_has_versions_and_tags(pinpoint, name, kind):
    method, shape, (first, second) = OTHERS[kind]

    def call(verb, **arguments):
        return getattr(pinpoint, f"{verb}_{method}_template")(TemplateName=name, **arguments)

    def read(**version):
        return call("get", **version)[f"{shape}Response"]

    request = f"{shape}Request"
    created = call("create", **{request: {**first, "TemplateDescription": "first words", "tags": {"kind": "letter"}}})
    created = created["TemplateCreateMessageBody" if kind == "INAPP" else "CreateTemplateMessageBody"]
    assert created["Arn"].endswith(f":templates/{name}/{kind}")

    template = read()
    assert template["TemplateType"] == kind
    assert {member: template[member] for member in first} == first
    assert (template["Version"], template["TemplateDescription"], template["tags"]) == ("1", "first words", {"kind": "letter"})

    call("update", CreateNewVersion=True, **{request: second})
    active = {"TemplateName": name, "TemplateType": kind}
    assert [read()["Version"], read(Version="2")["Version"]] == ["1", "2"]
    pinpoint.update_template_active_version(**active, TemplateActiveVersionRequest={"Version": "2"})
    template = read()
    assert {member: template[member] for member in second} == second
    assert not (first.keys() - second.keys()) & template.keys(), "an update replaces everything"
    versions = pinpoint.list_template_versions(**active)["TemplateVersionsResponse"]["Item"]
    assert [(version["Version"], version["TemplateType"]) for version in versions] == [("2", kind), ("1", kind)]
    assert versions[1]["TemplateDescription"] == "first words"

    # A name can be given once for each type.
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        pinpoint.get_email_template(TemplateName=name)
    call("delete")
    with pytest.raises(pinpoint.exceptions.NotFoundException):
        read()


def test_lists_go_over_all_types(pinpoint, name):
    pinpoint.create_email_template(TemplateName=name, EmailTemplateRequest=TEMPLATE)
    for method, shape, (first, _) in OTHERS.values():
        create = getattr(pinpoint, f"create_{method}_template")
        create(TemplateName=name, **{f"{shape}Request": {**first, "tags": {"of": method}}})

    def listed(**filters):
        found, token = [], None
        while True:
            page = pinpoint.list_templates(Prefix=name, PageSize="2", **filters, **({"NextToken": token} if token else {}))
            page = page["TemplatesResponse"]
            assert len(page["Item"]) <= 2
            found += page["Item"]
            token = page.get("NextToken")
            if not token:
                return found

    every = listed()
    assert sorted(template["TemplateType"] for template in every) == ["EMAIL", "INAPP", "PUSH", "SMS", "VOICE"]
    assert {template["TemplateType"]: template["tags"].get("of") for template in every}["PUSH"] == "push"
    [text] = listed(TemplateType="SMS")
    assert (text["TemplateType"], text["DefaultSubstitutions"]) == ("SMS", '{"name": "you"}')
    assert text["Arn"].endswith(f":templates/{name}/SMS")


@pytest.mark.parametrize(
    "method,request_,part",
    [
        ("sms", {"SMSTemplateRequest": {"Body": "{{#if x}}"}}, "Body: line 1"),
        ("sms", {"SMSTemplateRequest": {"Body": "x" * 1601}}, "Body: has 1601 characters"),
        ("voice", {"VoiceTemplateRequest": {"Body": "{{"}}, "Body: line 1"),
        ("voice", {"VoiceTemplateRequest": {"DefaultSubstitutions": "[]"}}, "DefaultSubstitutions"),
        ("push", {"PushNotificationTemplateRequest": {"GCM": {"Title": "{{nope 1}}"}}}, "GCM.Title: line 1"),
        ("push", {"PushNotificationTemplateRequest": {"Default": {"Action": "URL"}}}, "Default.Url"),
        ("push", {"PushNotificationTemplateRequest": {"APNS": {"RawContent": "[]"}}}, "APNS.RawContent"),
        ("in_app", {"InAppTemplateRequest": {"Content": [{}] * 6}}, "Content"),
    ],
)
def test_what_cannot_be_said_is_refused_by_its_member(pinpoint, name, method, request_, part):
    create = getattr(pinpoint, f"create_{method}_template")
    with pytest.raises(pinpoint.exceptions.BadRequestException, match=part):
        create(TemplateName=f"{name[:60]}", **request_)
