//! The decision as a whole: examples of AWS's documentation, and laws that hold for any policies.

use std::sync::Arc;

use proptest::prelude::*;

use super::decide::why;
use super::*;

fn named(name: &str, statements: &str) -> Arc<Named> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#);
    let document = Json::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let policy = Policy::compile("Policy", &document, PolicyKind::Identity)
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    Arc::new(Named {
        name: name.to_owned(),
        policy,
    })
}

fn context(values: &[(&str, &str)]) -> Context {
    let mut context = Context::default();
    for (key, value) in values {
        // A bar stands between the values of a key that has many.
        match value.split_once('|') {
            None => context.set(key, *value),
            Some(_) => context.set_all(key, value.split('|').map(str::to_owned)),
        }
    }
    context
}

fn decide(policies: &Policies<'_>, action: &str, resource: &str, values: &[(&str, &str)]) -> Verdict {
    policies.decide(&Request {
        action,
        resource,
        context: &context(values),
    })
}

fn allows(statements: &str, action: &str, resource: &str, values: &[(&str, &str)]) -> bool {
    let identity = [named("p", statements)];
    let policies = Policies {
        identity: &identity,
        boundary: None,
        session: None,
    };
    decide(&policies, action, resource, values).is_allowed()
}

const APP: &str = "arn:aws:mobiletargeting:us-east-1:123456789012:apps/810c7aab86d42fb2b56c8c966example";
const CAMPAIGN: &str =
    "arn:aws:mobiletargeting:us-east-1:123456789012:apps/810c7aab86d42fb2b56c8c966example/campaigns/c1";

/// Pinpoint's developer guide, "Identity-based policy examples".
#[test]
fn examples_of_pinpoints_guide() {
    let administrator = r#"[{"Effect":"Allow","Action":["mobiletargeting:*"],"Resource":"*"}]"#;
    let read_only = r#"[{"Sid":"ViewAllResources","Effect":"Allow","Action":["mobiletargeting:Get*","mobiletargeting:List*"],"Resource":"*"}]"#;
    let one_project = r#"[
        {"Sid":"Projects","Effect":"Allow","Action":["mobiletargeting:CreateApp","mobiletargeting:GetApps"],
         "Resource":"arn:aws:mobiletargeting:us-east-1:123456789012:apps/*"},
        {"Sid":"OneProject","Effect":"Allow","Action":"mobiletargeting:*",
         "Resource":["arn:aws:mobiletargeting:us-east-1:123456789012:apps/810c7aab86d42fb2b56c8c966example",
                     "arn:aws:mobiletargeting:us-east-1:123456789012:apps/810c7aab86d42fb2b56c8c966example/*"]}]"#;
    let by_tag = r#"[{"Effect":"Allow","Action":"mobiletargeting:GetApp","Resource":"arn:aws:mobiletargeting:*:*:apps/*",
        "Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}}]"#;
    for (policy, action, resource, values, expected) in [
        (administrator, "mobiletargeting:DeleteApp", APP, vec![], true),
        (administrator, "MobileTargeting:deleteapp", APP, vec![], true),
        (administrator, "pinion:PutPlugin", APP, vec![], false),
        (read_only, "mobiletargeting:GetCampaign", CAMPAIGN, vec![], true),
        (
            read_only,
            "mobiletargeting:ListTemplates",
            "arn:aws:mobiletargeting:us-east-1:123456789012:templates",
            vec![],
            true,
        ),
        (
            read_only,
            "mobiletargeting:DeleteCampaign",
            CAMPAIGN,
            vec![],
            false,
        ),
        (
            one_project,
            "mobiletargeting:GetApps",
            "arn:aws:mobiletargeting:us-east-1:123456789012:apps/*",
            vec![],
            true,
        ),
        (
            one_project,
            "mobiletargeting:UpdateCampaign",
            CAMPAIGN,
            vec![],
            true,
        ),
        (
            one_project,
            "mobiletargeting:GetApp",
            "arn:aws:mobiletargeting:us-east-1:123456789012:apps/other",
            vec![],
            false,
        ),
        (
            one_project,
            "mobiletargeting:GetApp",
            "arn:aws:mobiletargeting:eu-west-1:123456789012:apps/810c7aab86d42fb2b56c8c966example",
            vec![],
            false,
        ),
        (
            by_tag,
            "mobiletargeting:GetApp",
            APP,
            vec![
                ("aws:username", "richard-roe"),
                ("aws:ResourceTag/owner", "richard-roe"),
            ],
            true,
        ),
        (
            by_tag,
            "mobiletargeting:GetApp",
            APP,
            vec![
                ("aws:username", "richard-roe"),
                ("aws:ResourceTag/Owner", "Richard-Roe"),
            ],
            false,
        ),
        (
            by_tag,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:username", "richard-roe")],
            false,
        ),
        // Without a user name the variable has no value: an untagged app is not let through.
        (
            by_tag,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:ResourceTag/Owner", "")],
            false,
        ),
    ] {
        assert_eq!(
            allows(policy, action, resource, &values),
            expected,
            "{policy} {action} {resource} {values:?}"
        );
    }
}

/// IAM's user guide, "Example IAM identity-based policies", "Global condition context keys" and the
/// pages of the elements, told with actions of this server.
#[test]
fn examples_of_iams_guide() {
    let between = r#"{"Effect":"Allow","Action":"mobiletargeting:*","Resource":"*","Condition":{
        "DateGreaterThan":{"aws:CurrentTime":"2020-04-01T00:00:00Z"},
        "DateLessThan":{"aws:CurrentTime":"2020-06-30T23:59:59Z"}}}"#;
    let source_ip = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{
        "NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}}}]"#;
    let tls_only = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]"#;
    let regions = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"DenyAllOutsideEU","Effect":"Deny",
        "NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]}}}]"#;
    let tag_keys = r#"{"Effect":"Allow","Action":"mobiletargeting:TagResource","Resource":"*","Condition":{
        "ForAllValues:StringEquals":{"aws:TagKeys":["environment","cost-center"]},"Null":{"aws:TagKeys":"false"}}}"#;
    let request_tag = r#"{"Effect":"Allow","Action":"mobiletargeting:CreateApp","Resource":"*","Condition":{
        "StringEquals":{"aws:RequestTag/environment":["preprod","production"]}}}"#;
    let abac = r#"{"Effect":"Allow","Action":"mobiletargeting:*","Resource":"*","Condition":{
        "StringEquals":{"aws:ResourceTag/access-project":"${aws:PrincipalTag/access-project}"}}}"#;
    let not_resource = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"mobiletargeting:*",
        "NotResource":"arn:aws:mobiletargeting:*:*:apps/810c7aab86d42fb2b56c8c966example*"}]"#;
    let home = r#"{"Effect":"Allow","Action":"pinion:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}"#;
    let mfa = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]"#;
    let revoked = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*",
        "Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-11-23T10:00:00Z"}}}]"#;
    let agent = r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:UserAgent":"Boto3/*"}}}"#;
    let principal = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"mobiletargeting:Delete*","Resource":"*",
        "Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/Admin*"}}}]"#;
    let user = "arn:aws:iam::123456789012:user/ann";
    for (policy, action, resource, values, expected) in [
        (
            between,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:CurrentTime", "2020-05-01T00:00:00Z")],
            true,
        ),
        (
            between,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:CurrentTime", "2020-07-01T00:00:00Z")],
            false,
        ),
        (
            source_ip,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:SourceIp", "203.0.113.5")],
            true,
        ),
        (
            source_ip,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:SourceIp", "198.51.100.5")],
            false,
        ),
        (source_ip, "mobiletargeting:GetApp", APP, vec![], false),
        (
            tls_only,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:SecureTransport", "true")],
            true,
        ),
        (
            tls_only,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:SecureTransport", "false")],
            false,
        ),
        (
            regions,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:RequestedRegion", "eu-west-1")],
            true,
        ),
        (
            regions,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:RequestedRegion", "us-east-1")],
            false,
        ),
        (
            regions,
            "sts:GetCallerIdentity",
            "*",
            vec![("aws:RequestedRegion", "us-east-1")],
            true,
        ),
        (
            tag_keys,
            "mobiletargeting:TagResource",
            APP,
            vec![("aws:TagKeys", "environment|cost-center")],
            true,
        ),
        (
            tag_keys,
            "mobiletargeting:TagResource",
            APP,
            vec![("aws:TagKeys", "environment|owner")],
            false,
        ),
        (tag_keys, "mobiletargeting:TagResource", APP, vec![], false),
        (
            request_tag,
            "mobiletargeting:CreateApp",
            APP,
            vec![("aws:RequestTag/environment", "preprod")],
            true,
        ),
        (
            request_tag,
            "mobiletargeting:CreateApp",
            APP,
            vec![("aws:RequestTag/environment", "dev")],
            false,
        ),
        (request_tag, "mobiletargeting:CreateApp", APP, vec![], false),
        (
            abac,
            "mobiletargeting:GetApp",
            APP,
            vec![
                ("aws:ResourceTag/access-project", "peg"),
                ("aws:PrincipalTag/access-project", "peg"),
            ],
            true,
        ),
        (
            abac,
            "mobiletargeting:GetApp",
            APP,
            vec![
                ("aws:ResourceTag/access-project", "uni"),
                ("aws:PrincipalTag/access-project", "peg"),
            ],
            false,
        ),
        (
            abac,
            "mobiletargeting:GetApp",
            APP,
            vec![(
                "aws:ResourceTag/access-project",
                "${aws:PrincipalTag/access-project}",
            )],
            false,
        ),
        (
            not_resource,
            "mobiletargeting:GetCampaign",
            CAMPAIGN,
            vec![],
            true,
        ),
        (
            not_resource,
            "mobiletargeting:GetApp",
            "arn:aws:mobiletargeting:us-east-1:123456789012:apps/other",
            vec![],
            false,
        ),
        (
            home,
            "pinion:CreateAccessKey",
            user,
            vec![("aws:username", "ann")],
            true,
        ),
        (
            home,
            "pinion:CreateAccessKey",
            user,
            vec![("aws:username", "an")],
            false,
        ),
        (
            home,
            "pinion:DeleteUser",
            user,
            vec![("aws:username", "ann")],
            false,
        ),
        (
            mfa,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:MultiFactorAuthPresent", "true")],
            true,
        ),
        (mfa, "mobiletargeting:GetApp", APP, vec![], false),
        (
            revoked,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:TokenIssueTime", "2026-11-23T09:59:59Z")],
            false,
        ),
        (
            revoked,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:TokenIssueTime", "2026-11-23T10:00:00Z")],
            true,
        ),
        (revoked, "mobiletargeting:GetApp", APP, vec![], true),
        (
            agent,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:UserAgent", "Boto3/1.40 md/Botocore")],
            true,
        ),
        (
            agent,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:UserAgent", "curl/8")],
            false,
        ),
        (
            principal,
            "mobiletargeting:DeleteApp",
            APP,
            vec![("aws:PrincipalArn", "arn:aws:iam::123456789012:role/AdminEast")],
            true,
        ),
        (
            principal,
            "mobiletargeting:DeleteApp",
            APP,
            vec![("aws:PrincipalArn", user)],
            false,
        ),
        (
            principal,
            "mobiletargeting:GetApp",
            APP,
            vec![("aws:PrincipalArn", user)],
            true,
        ),
    ] {
        assert_eq!(
            allows(policy, action, resource, &values),
            expected,
            "{policy} {action} {resource} {values:?}"
        );
    }
}

/// "Policy evaluation logic": what each sort of policy does to the others.
#[test]
fn boundary_and_session_only_narrow() {
    let all = named("all", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#);
    let reads = named(
        "reads",
        r#"{"Sid":"Reads","Effect":"Allow","Action":"mobiletargeting:Get*","Resource":"*"}"#,
    );
    let no_campaigns = named(
        "no campaigns",
        r#"{"Effect":"Deny","Action":"*","Resource":"arn:aws:mobiletargeting:*:*:apps/*/campaigns/*"}"#,
    );
    let verdict = |identity: &[&Arc<Named>],
                   boundary: Option<&Arc<Named>>,
                   session: Option<&[&Arc<Named>]>,
                   action: &str| {
        let identity: Vec<_> = identity.iter().map(|named| Arc::clone(named)).collect();
        let session: Option<Vec<_>> = session.map(|all| all.iter().map(|named| Arc::clone(named)).collect());
        let policies = Policies {
            identity: &identity,
            boundary: boundary.map(|named| &**named),
            session: session.as_deref(),
        };
        let verdict = decide(&policies, action, CAMPAIGN, &[]);
        match &verdict {
            Verdict::Allowed(deciding) => format!("allowed by {deciding}"),
            other => why(other, action).trim().to_owned(),
        }
    };
    let (read, write) = ("mobiletargeting:GetCampaign", "mobiletargeting:DeleteCampaign");
    for (identity, boundary, session, action, expected) in [
        (vec![&all], None, None, write, "allowed by statement 0 of all"),
        (
            vec![&reads],
            None,
            None,
            read,
            "allowed by statement Reads (0) of reads",
        ),
        (
            vec![],
            None,
            None,
            read,
            "because no identity-based policy allows the mobiletargeting:GetCampaign action",
        ),
        (
            vec![],
            Some(&all),
            None,
            read,
            "because no identity-based policy allows the mobiletargeting:GetCampaign action",
        ),
        (
            vec![],
            None,
            Some(vec![&all]),
            read,
            "because no identity-based policy allows the mobiletargeting:GetCampaign action",
        ),
        (
            vec![&all],
            Some(&reads),
            None,
            read,
            "allowed by statement 0 of all",
        ),
        (
            vec![&all],
            Some(&reads),
            None,
            write,
            "because no permissions boundary allows the mobiletargeting:DeleteCampaign action",
        ),
        (
            vec![&all],
            None,
            Some(vec![&reads]),
            write,
            "because no session policy allows the mobiletargeting:DeleteCampaign action",
        ),
        (
            vec![&all],
            None,
            Some(vec![&reads, &all]),
            write,
            "allowed by statement 0 of all",
        ),
        (
            vec![&all],
            None,
            Some(vec![]),
            read,
            "because no session policy allows the mobiletargeting:GetCampaign action",
        ),
        (
            vec![&all, &no_campaigns],
            None,
            None,
            read,
            "with an explicit deny in an identity-based policy",
        ),
        (
            vec![&all],
            Some(&no_campaigns),
            None,
            read,
            "with an explicit deny in a permissions boundary",
        ),
        (
            vec![&all],
            None,
            Some(vec![&all, &no_campaigns]),
            read,
            "with an explicit deny in a session policy",
        ),
    ] {
        assert_eq!(verdict(&identity, boundary, session.as_deref(), action), expected);
    }
}

#[test]
fn policies_know_what_they_look_at() {
    let tags = named(
        "t",
        r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/a":"b"}}}"#,
    );
    let none = named("n", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#);
    let look = |identity: &[Arc<Named>], boundary: Option<&Named>, session: Option<&[Arc<Named>]>| {
        let policies = Policies {
            identity,
            boundary,
            session,
        };
        policies.look_at("aws:resourcetag/")
    };
    let (with, without) = ([Arc::clone(&tags)], [Arc::clone(&none)]);
    assert!(look(&with, None, None));
    assert!(look(&without, Some(&tags), None));
    assert!(look(&without, None, Some(&with)));
    assert!(!look(&without, Some(&none), Some(&without)));
}

fn statement() -> impl Strategy<Value = String> {
    let action = prop_oneof![
        Just("*"),
        Just("mobiletargeting:*"),
        Just("mobiletargeting:Get*"),
        Just("mobiletargeting:GetApp"),
        Just("mobiletargeting:Delete?pp"),
        Just("pinion:*"),
    ];
    let resource = prop_oneof![
        Just("*"),
        Just("arn:aws:mobiletargeting:*:*:apps/*"),
        Just("arn:aws:mobiletargeting:*:*:apps/a"),
        Just("arn:aws:mobiletargeting:*:*:apps/${aws:username}"),
        Just("arn:aws:iam::*:user/*"),
    ];
    let condition = prop_oneof![
        Just(r"{}"),
        Just(r#"{"StringEquals":{"aws:username":"a"}}"#),
        Just(r#"{"StringNotEqualsIfExists":{"aws:username":["a","b"]}}"#),
        Just(r#"{"ForAllValues:StringLike":{"aws:TagKeys":"t*"}}"#),
        Just(r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"t1"},"Bool":{"aws:SecureTransport":"true"}}"#),
        Just(r#"{"Null":{"aws:SourceIp":"true"}}"#),
        Just(r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
    ];
    let yes = any::<bool>;
    (yes(), yes(), action, yes(), resource, condition).prop_map(|(allow, not_a, action, not_r, resource, condition)| {
        format!(
            r#"{{"Effect":"{}","{}Action":"{action}","{}Resource":"{resource}","Condition":{condition}}}"#,
            if allow { "Allow" } else { "Deny" },
            if not_a { "Not" } else { "" },
            if not_r { "Not" } else { "" },
        )
    })
}

fn asked() -> impl Strategy<Value = (&'static str, &'static str, Vec<(&'static str, &'static str)>)> {
    let action = prop_oneof![
        Just("mobiletargeting:GetApp"),
        Just("mobiletargeting:DeleteApp"),
        Just("pinion:CreateUser"),
    ];
    let resource = prop_oneof![
        Just("arn:aws:mobiletargeting:eu-west-1:1:apps/a"),
        Just("arn:aws:mobiletargeting:eu-west-1:1:apps/b"),
        Just("arn:aws:iam::1:user/a"),
    ];
    let value = |key: &'static str, values: [&'static str; 2]| {
        prop_oneof![
            Just(None),
            Just(Some((key, values[0]))),
            Just(Some((key, values[1])))
        ]
    };
    let values = (
        value("aws:username", ["a", "b"]),
        value("aws:TagKeys", ["t1|t2", "t1|x"]),
        value("aws:SourceIp", ["10.1.1.1", "192.0.2.1"]),
        value("aws:SecureTransport", ["true", "false"]),
    );
    let values = values.prop_map(|(a, b, c, d)| [a, b, c, d].into_iter().flatten().collect());
    (action, resource, values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn a_deny_never_widens_and_an_allow_never_narrows(
        statements in prop::collection::vec(statement(), 1..5),
        more in statement(),
        (action, resource, values) in asked(),
    ) {
        let before = allows(&format!("[{}]", statements.join(",")), action, resource, &values);
        let after = allows(&format!("[{},{more}]", statements.join(",")), action, resource, &values);
        if more.contains(r#""Deny""#) {
            prop_assert!(before || !after);
        } else {
            prop_assert!(after || !before);
        }
    }

    #[test]
    fn order_and_division_into_policies_never_matter(
        statements in prop::collection::vec(statement(), 1..6),
        turn in 0_usize..6,
        (action, resource, values) in asked(),
    ) {
        let expected = allows(&format!("[{}]", statements.join(",")), action, resource, &values);
        let mut turned = statements.clone();
        turned.rotate_left(turn % statements.len());
        prop_assert_eq!(allows(&format!("[{}]", turned.join(",")), action, resource, &values), expected);
        turned.reverse();
        let apart: Vec<_> = turned.iter().map(|one| named("one", one)).collect();
        let policies = Policies { identity: &apart, boundary: None, session: None };
        prop_assert_eq!(decide(&policies, action, resource, &values).is_allowed(), expected);
    }

    #[test]
    fn boundaries_and_sessions_intersect(
        [identity, boundary, session] in [statement(), statement(), statement()],
        (action, resource, values) in asked(),
    ) {
        let (i, b, s) = ([named("i", &identity)], named("b", &boundary), [named("s", &session)]);
        let policies = Policies { identity: &i, boundary: Some(&b), session: Some(&s) };
        let each = [&identity, &boundary, &session].map(|one| allows(one, action, resource, &values));
        prop_assert_eq!(decide(&policies, action, resource, &values).is_allowed(), each == [true; 3]);
    }
}
