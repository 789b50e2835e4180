//! The table of contents of the API: every operation with its method, path, success status, the
//! resource on which IAM decides, and the function that answers it.
//!
//! The router, the authorization and the tests read this one table. To add one, write `pub async fn name(api: &Api, call: Call) -> Result<Answer>` in the module of
//! its resource and name it behind `=>` in its row.

use std::pin::Pin;

use http::Method;
use pinion_domain::arn::Arn;
use pinion_domain::id::Tenant;
use pinion_domain::template::{EmailTemplate, InAppTemplate, PushTemplate, SmsTemplate, VoiceTemplate};

use crate::Api;
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call, Labels};
use crate::iam::{groups, held, keys, policies, roles, simulate, users};
use crate::{
    apps, campaigns, channels, jobs, journeys, plugins, recommenders, segments, settings, tags, templates,
};

/// Answers an operation.
pub type Handler = for<'a> fn(&'a Api, Call) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>;

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// As in the service model, in policies and in metrics.
    pub name: &'static str,
    /// HTTP method.
    pub method: Method,
    /// With labels in braces; a label is one whole segment.
    pub path: &'static str,
    /// Status of success.
    pub status: u16,
    /// What is behind `arn:aws:mobiletargeting:REGION:ACCOUNT:`, or for access control behind
    /// `arn:aws:iam::ACCOUNT:`, with the path's labels.
    resource: &'static str,
    /// What answers it.
    pub handler: Handler,
}

/// Largest body of AWS's own operations (user guide, "Quotas": 7 MB per request), in bytes.
const LARGEST_BODY: usize = 7 * 1024 * 1024;
/// Largest component that can be installed, in bytes.
const LARGEST_COMPONENT: usize = 32 * 1024 * 1024;

impl Operation {
    /// The action in policies.
    pub fn action(&self) -> String {
        let service = if self.path.starts_with("/pinion/") {
            "pinion"
        } else {
            "mobiletargeting"
        };
        format!("{service}:{}", self.name)
    }

    /// The ARN on which the action is done. Fails only for operations on tags, where the client names
    /// the ARN.
    pub fn arn(&self, tenant: &Tenant, labels: &Labels) -> Result<Arn> {
        if self.resource == TAGGED {
            return Arn::parse(labels.get("resource-arn"))
                .ok_or_else(|| ApiError::bad_request("resource-arn: is not an ARN of this service"));
        }
        let named: Vec<&str> = self
            .resource
            .split('/')
            .map(|segment| match label(segment) {
                Some(name) => labels.get(name),
                None => segment,
            })
            .collect();
        let resource = named.join("/");
        Ok(if self.path.starts_with("/pinion/v1/iam/") {
            Arn::iam(&tenant.account, resource)
        } else {
            Arn::new(tenant, resource)
        })
    }

    /// The largest body that is read, in bytes.
    pub fn largest_body(&self) -> usize {
        match self.name {
            "PutPlugin" => LARGEST_COMPONENT,
            _ => LARGEST_BODY,
        }
    }
}

/// The name of a label, if the segment of a pattern is one.
pub(crate) fn label(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The path without its version is the resource.
const PATH: &str = "";
const APPS: &str = "apps/*";
const APP: &str = "apps/{application-id}";
const CAMPAIGN: &str = "apps/{application-id}/campaigns/{campaign-id}";
const JOURNEY: &str = "apps/{application-id}/journeys/{journey-id}";
const SEGMENT: &str = "apps/{application-id}/segments/{segment-id}";
const MESSAGES: &str = "apps/{application-id}/messages";
const TEMPLATE: &str = "templates/{template-name}/{template-type}";
const EMAIL_TEMPLATE: &str = "templates/{template-name}/EMAIL";
const IN_APP_TEMPLATE: &str = "templates/{template-name}/INAPP";
const PUSH_TEMPLATE: &str = "templates/{template-name}/PUSH";
const SMS_TEMPLATE: &str = "templates/{template-name}/SMS";
const VOICE_TEMPLATE: &str = "templates/{template-name}/VOICE";
const RECOMMENDERS: &str = "recommenders/*";
const USERS: &str = "user/*";
const USER: &str = "user/{user-name}";
const GROUPS: &str = "group/*";
const GROUP: &str = "group/{group-name}";
const ROLES: &str = "role/*";
const ROLE: &str = "role/{role-name}";
const POLICIES: &str = "policy/*";
const POLICY: &str = "policy/{policy-name}";
/// `user/ann` or `role/sender`
const PRINCIPAL: &str = "{principal}";
/// The label is a whole ARN.
const TAGGED: &str = "{resource-arn}";

/// Makes the rows `NAME: METHOD PATH STATUS on RESOURCE => FUNCTION;` a slice of [`Operation`]s.
macro_rules! operations {
    ($($name:ident: $method:ident $path:literal $status:literal on $resource:ident => $handler:path;)*) => {
        /// Every operation: AWS's 122, and ours below `/pinion/v1`.
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            method: Method::$method,
            path: $path,
            status: $status,
            resource: if $resource.is_empty() { without_version($path) } else { $resource },
            handler: |api, call| Box::pin($handler(api, call)),
        }),*];
    };
}

/// The path behind `/v1/` or `/pinion/v1/`.
const fn without_version(path: &'static str) -> &'static str {
    let version = if path.as_bytes()[1] == b'v' {
        "/v1/"
    } else {
        "/pinion/v1/"
    };
    path.split_at(version.len()).1
}

operations! {
    // Applications and their settings.
    CreateApp: POST "/v1/apps" 201 on APPS => apps::create;
    GetApps: GET "/v1/apps" 200 on APPS => apps::list;
    GetApp: GET "/v1/apps/{application-id}" 200 on PATH => apps::get;
    DeleteApp: DELETE "/v1/apps/{application-id}" 200 on PATH => apps::delete;
    GetApplicationSettings: GET "/v1/apps/{application-id}/settings" 200 on APP => settings::get;
    UpdateApplicationSettings: PUT "/v1/apps/{application-id}/settings" 200 on APP => settings::update;

    // Endpoints, users, attributes.
    RemoveAttributes: PUT "/v1/apps/{application-id}/attributes/{attribute-type}" 200
        on PATH => crate::attributes::remove;
    UpdateEndpointsBatch: PUT "/v1/apps/{application-id}/endpoints" 202 on APP => crate::endpoints::update_batch;
    GetEndpoint: GET "/v1/apps/{application-id}/endpoints/{endpoint-id}" 200 on PATH => crate::endpoints::get;
    UpdateEndpoint: PUT "/v1/apps/{application-id}/endpoints/{endpoint-id}" 202 on PATH => crate::endpoints::update;
    DeleteEndpoint: DELETE "/v1/apps/{application-id}/endpoints/{endpoint-id}" 202
        on PATH => crate::endpoints::delete;
    GetUserEndpoints: GET "/v1/apps/{application-id}/users/{user-id}" 200 on PATH => crate::users::get;
    DeleteUserEndpoints: DELETE "/v1/apps/{application-id}/users/{user-id}" 202 on PATH => crate::users::delete;

    // Segments.
    CreateSegment: POST "/v1/apps/{application-id}/segments" 201 on APP => segments::create;
    GetSegments: GET "/v1/apps/{application-id}/segments" 200 on APP => segments::list;
    GetSegment: GET "/v1/apps/{application-id}/segments/{segment-id}" 200 on PATH => segments::get;
    UpdateSegment: PUT "/v1/apps/{application-id}/segments/{segment-id}" 200 on PATH => segments::update;
    DeleteSegment: DELETE "/v1/apps/{application-id}/segments/{segment-id}" 200 on PATH => segments::delete;
    GetSegmentVersions: GET "/v1/apps/{application-id}/segments/{segment-id}/versions" 200
        on SEGMENT => segments::list_versions;
    GetSegmentVersion: GET "/v1/apps/{application-id}/segments/{segment-id}/versions/{version}" 200
        on SEGMENT => segments::get_version;

    // Campaigns.
    CreateCampaign: POST "/v1/apps/{application-id}/campaigns" 201 on APP => campaigns::create;
    GetCampaigns: GET "/v1/apps/{application-id}/campaigns" 200 on APP => campaigns::list;
    GetCampaign: GET "/v1/apps/{application-id}/campaigns/{campaign-id}" 200 on PATH => campaigns::get;
    UpdateCampaign: PUT "/v1/apps/{application-id}/campaigns/{campaign-id}" 200 on PATH => campaigns::update;
    DeleteCampaign: DELETE "/v1/apps/{application-id}/campaigns/{campaign-id}" 200
        on PATH => campaigns::delete;
    GetCampaignActivities: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/activities" 200
        on CAMPAIGN => campaigns::activities;
    GetCampaignVersions: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/versions" 200
        on CAMPAIGN => campaigns::list_versions;
    GetCampaignVersion: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/versions/{version}" 200
        on CAMPAIGN => campaigns::get_version;

    // Journeys.
    CreateJourney: POST "/v1/apps/{application-id}/journeys" 201 on PATH => journeys::create;
    ListJourneys: GET "/v1/apps/{application-id}/journeys" 200 on APP => journeys::list;
    GetJourney: GET "/v1/apps/{application-id}/journeys/{journey-id}" 200 on PATH => journeys::get;
    UpdateJourney: PUT "/v1/apps/{application-id}/journeys/{journey-id}" 200 on PATH => journeys::update;
    DeleteJourney: DELETE "/v1/apps/{application-id}/journeys/{journey-id}" 200 on PATH => journeys::delete;
    GetJourneyExecutionActivityMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/activities/{journey-activity-id}/execution-metrics" 200
        on PATH => journeys::activity_metrics;
    GetJourneyExecutionMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/execution-metrics" 200
        on PATH => journeys::metrics;
    GetJourneyRuns: GET "/v1/apps/{application-id}/journeys/{journey-id}/runs" 200 on JOURNEY => journeys::runs;
    GetJourneyRunExecutionActivityMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/runs/{run-id}/activities/{journey-activity-id}/execution-metrics" 200
        on JOURNEY => journeys::run_activity_metrics;
    GetJourneyRunExecutionMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/runs/{run-id}/execution-metrics" 200
        on JOURNEY => journeys::run_metrics;
    UpdateJourneyState: PUT "/v1/apps/{application-id}/journeys/{journey-id}/state" 200 on JOURNEY => journeys::update_state;

    // Templates.
    ListTemplates: GET "/v1/templates" 200 on PATH => templates::list;
    CreateEmailTemplate: POST "/v1/templates/{template-name}/email" 201
        on EMAIL_TEMPLATE => templates::create::<EmailTemplate>;
    GetEmailTemplate: GET "/v1/templates/{template-name}/email" 200 on EMAIL_TEMPLATE => templates::get::<EmailTemplate>;
    UpdateEmailTemplate: PUT "/v1/templates/{template-name}/email" 202
        on EMAIL_TEMPLATE => templates::update::<EmailTemplate>;
    DeleteEmailTemplate: DELETE "/v1/templates/{template-name}/email" 202
        on EMAIL_TEMPLATE => templates::delete::<EmailTemplate>;
    CreateInAppTemplate: POST "/v1/templates/{template-name}/inapp" 201
        on IN_APP_TEMPLATE => templates::create::<InAppTemplate>;
    GetInAppTemplate: GET "/v1/templates/{template-name}/inapp" 200
        on IN_APP_TEMPLATE => templates::get::<InAppTemplate>;
    UpdateInAppTemplate: PUT "/v1/templates/{template-name}/inapp" 202
        on IN_APP_TEMPLATE => templates::update::<InAppTemplate>;
    DeleteInAppTemplate: DELETE "/v1/templates/{template-name}/inapp" 202
        on IN_APP_TEMPLATE => templates::delete::<InAppTemplate>;
    CreatePushTemplate: POST "/v1/templates/{template-name}/push" 201
        on PUSH_TEMPLATE => templates::create::<PushTemplate>;
    GetPushTemplate: GET "/v1/templates/{template-name}/push" 200
        on PUSH_TEMPLATE => templates::get::<PushTemplate>;
    UpdatePushTemplate: PUT "/v1/templates/{template-name}/push" 202
        on PUSH_TEMPLATE => templates::update::<PushTemplate>;
    DeletePushTemplate: DELETE "/v1/templates/{template-name}/push" 202
        on PUSH_TEMPLATE => templates::delete::<PushTemplate>;
    CreateSmsTemplate: POST "/v1/templates/{template-name}/sms" 201
        on SMS_TEMPLATE => templates::create::<SmsTemplate>;
    GetSmsTemplate: GET "/v1/templates/{template-name}/sms" 200
        on SMS_TEMPLATE => templates::get::<SmsTemplate>;
    UpdateSmsTemplate: PUT "/v1/templates/{template-name}/sms" 202
        on SMS_TEMPLATE => templates::update::<SmsTemplate>;
    DeleteSmsTemplate: DELETE "/v1/templates/{template-name}/sms" 202
        on SMS_TEMPLATE => templates::delete::<SmsTemplate>;
    CreateVoiceTemplate: POST "/v1/templates/{template-name}/voice" 201
        on VOICE_TEMPLATE => templates::create::<VoiceTemplate>;
    GetVoiceTemplate: GET "/v1/templates/{template-name}/voice" 200
        on VOICE_TEMPLATE => templates::get::<VoiceTemplate>;
    UpdateVoiceTemplate: PUT "/v1/templates/{template-name}/voice" 202
        on VOICE_TEMPLATE => templates::update::<VoiceTemplate>;
    DeleteVoiceTemplate: DELETE "/v1/templates/{template-name}/voice" 202
        on VOICE_TEMPLATE => templates::delete::<VoiceTemplate>;
    UpdateTemplateActiveVersion: PUT "/v1/templates/{template-name}/{template-type}/active-version" 200
        on TEMPLATE => templates::set_active_version;
    ListTemplateVersions: GET "/v1/templates/{template-name}/{template-type}/versions" 200
        on TEMPLATE => templates::list_versions;

    // Import and export jobs.
    CreateExportJob: POST "/v1/apps/{application-id}/jobs/export" 202 on APP => jobs::create_export;
    GetExportJobs: GET "/v1/apps/{application-id}/jobs/export" 200 on APP => jobs::list_exports;
    GetExportJob: GET "/v1/apps/{application-id}/jobs/export/{job-id}" 200 on PATH => jobs::get_export;
    CreateImportJob: POST "/v1/apps/{application-id}/jobs/import" 201 on APP => jobs::create_import;
    GetImportJobs: GET "/v1/apps/{application-id}/jobs/import" 200 on APP => jobs::list_imports;
    GetImportJob: GET "/v1/apps/{application-id}/jobs/import/{job-id}" 200 on PATH => jobs::get_import;
    GetSegmentExportJobs: GET "/v1/apps/{application-id}/segments/{segment-id}/jobs/export" 200 on SEGMENT => jobs::list_segment_exports;
    GetSegmentImportJobs: GET "/v1/apps/{application-id}/segments/{segment-id}/jobs/import" 200
        on SEGMENT => jobs::list_segment_imports;

    // Channels.
    GetChannels: GET "/v1/apps/{application-id}/channels" 200 on PATH => channels::list;
    GetAdmChannel: GET "/v1/apps/{application-id}/channels/adm" 200 on PATH => channels::get;
    UpdateAdmChannel: PUT "/v1/apps/{application-id}/channels/adm" 200 on PATH => channels::put;
    DeleteAdmChannel: DELETE "/v1/apps/{application-id}/channels/adm" 200 on PATH => channels::delete;
    GetApnsChannel: GET "/v1/apps/{application-id}/channels/apns" 200 on PATH => channels::get;
    UpdateApnsChannel: PUT "/v1/apps/{application-id}/channels/apns" 200 on PATH => channels::put;
    DeleteApnsChannel: DELETE "/v1/apps/{application-id}/channels/apns" 200 on PATH => channels::delete;
    GetApnsSandboxChannel: GET "/v1/apps/{application-id}/channels/apns_sandbox" 200 on PATH => channels::get;
    UpdateApnsSandboxChannel: PUT "/v1/apps/{application-id}/channels/apns_sandbox" 200
        on PATH => channels::put;
    DeleteApnsSandboxChannel: DELETE "/v1/apps/{application-id}/channels/apns_sandbox" 200
        on PATH => channels::delete;
    GetApnsVoipChannel: GET "/v1/apps/{application-id}/channels/apns_voip" 200 on PATH => channels::get;
    UpdateApnsVoipChannel: PUT "/v1/apps/{application-id}/channels/apns_voip" 200 on PATH => channels::put;
    DeleteApnsVoipChannel: DELETE "/v1/apps/{application-id}/channels/apns_voip" 200
        on PATH => channels::delete;
    GetApnsVoipSandboxChannel: GET "/v1/apps/{application-id}/channels/apns_voip_sandbox" 200
        on PATH => channels::get;
    UpdateApnsVoipSandboxChannel: PUT "/v1/apps/{application-id}/channels/apns_voip_sandbox" 200
        on PATH => channels::put;
    DeleteApnsVoipSandboxChannel: DELETE "/v1/apps/{application-id}/channels/apns_voip_sandbox" 200
        on PATH => channels::delete;
    GetBaiduChannel: GET "/v1/apps/{application-id}/channels/baidu" 200 on PATH => channels::get;
    UpdateBaiduChannel: PUT "/v1/apps/{application-id}/channels/baidu" 200 on PATH => channels::put;
    DeleteBaiduChannel: DELETE "/v1/apps/{application-id}/channels/baidu" 200 on PATH => channels::delete;
    GetEmailChannel: GET "/v1/apps/{application-id}/channels/email" 200 on PATH => channels::get;
    UpdateEmailChannel: PUT "/v1/apps/{application-id}/channels/email" 200 on PATH => channels::put;
    DeleteEmailChannel: DELETE "/v1/apps/{application-id}/channels/email" 200 on PATH => channels::delete;
    GetGcmChannel: GET "/v1/apps/{application-id}/channels/gcm" 200 on PATH => channels::get;
    UpdateGcmChannel: PUT "/v1/apps/{application-id}/channels/gcm" 200 on PATH => channels::put;
    DeleteGcmChannel: DELETE "/v1/apps/{application-id}/channels/gcm" 200 on PATH => channels::delete;
    GetSmsChannel: GET "/v1/apps/{application-id}/channels/sms" 200 on PATH => channels::get;
    UpdateSmsChannel: PUT "/v1/apps/{application-id}/channels/sms" 200 on PATH => channels::put;
    DeleteSmsChannel: DELETE "/v1/apps/{application-id}/channels/sms" 200 on PATH => channels::delete;
    GetVoiceChannel: GET "/v1/apps/{application-id}/channels/voice" 200 on PATH => channels::get;
    UpdateVoiceChannel: PUT "/v1/apps/{application-id}/channels/voice" 200 on PATH => channels::put;
    DeleteVoiceChannel: DELETE "/v1/apps/{application-id}/channels/voice" 200 on PATH => channels::delete;

    // Messages.
    SendMessages: POST "/v1/apps/{application-id}/messages" 200 on PATH => crate::messages::send;
    SendOTPMessage: POST "/v1/apps/{application-id}/otp" 200 on PATH => crate::otp::send;
    SendUsersMessages: POST "/v1/apps/{application-id}/users-messages" 200
        on MESSAGES => crate::messages::send_to_users;
    VerifyOTPMessage: POST "/v1/apps/{application-id}/verify-otp" 200 on PATH => crate::otp::verify;
    PhoneNumberValidate: POST "/v1/phone/number/validate" 200 on PATH => crate::phone::validate_number;

    // Events and the event stream.
    PutEvents: POST "/v1/apps/{application-id}/events" 202 on PATH => crate::events::put;
    PutEventStream: POST "/v1/apps/{application-id}/eventstream" 200 on PATH => crate::event_streams::put;
    GetEventStream: GET "/v1/apps/{application-id}/eventstream" 200 on PATH => crate::event_streams::get;
    DeleteEventStream: DELETE "/v1/apps/{application-id}/eventstream" 200
        on PATH => crate::event_streams::delete;

    // Key performance indicators.
    GetCampaignDateRangeKpi: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/kpis/daterange/{kpi-name}" 200
        on PATH => crate::kpis::campaign;
    GetJourneyDateRangeKpi: GET "/v1/apps/{application-id}/journeys/{journey-id}/kpis/daterange/{kpi-name}" 200
        on PATH => crate::kpis::journey;
    GetApplicationDateRangeKpi: GET "/v1/apps/{application-id}/kpis/daterange/{kpi-name}" 200
        on PATH => crate::kpis::application;

    // In-app messages.
    GetInAppMessages: GET "/v1/apps/{application-id}/endpoints/{endpoint-id}/inappmessages" 200
        on APP => crate::in_app::get;

    // Recommenders.
    CreateRecommenderConfiguration: POST "/v1/recommenders" 201 on RECOMMENDERS => recommenders::create;
    GetRecommenderConfigurations: GET "/v1/recommenders" 200 on RECOMMENDERS => recommenders::list;
    GetRecommenderConfiguration: GET "/v1/recommenders/{recommender-id}" 200 on PATH => recommenders::get;
    UpdateRecommenderConfiguration: PUT "/v1/recommenders/{recommender-id}" 200
        on PATH => recommenders::update;
    DeleteRecommenderConfiguration: DELETE "/v1/recommenders/{recommender-id}" 200
        on PATH => recommenders::delete;

    // Tags.
    TagResource: POST "/v1/tags/{resource-arn}" 204 on TAGGED => tags::put;
    ListTagsForResource: GET "/v1/tags/{resource-arn}" 200 on TAGGED => tags::list;
    UntagResource: DELETE "/v1/tags/{resource-arn}" 204 on TAGGED => tags::remove;

    // Plugins: our own, in the same manner.
    ListPlugins: GET "/pinion/v1/plugins" 200 on PATH => plugins::list;
    GetPlugin: GET "/pinion/v1/plugins/{plugin-name}" 200 on PATH => plugins::get;
    PutPlugin: PUT "/pinion/v1/plugins/{plugin-name}" 200 on PATH => plugins::put;
    DeletePlugin: DELETE "/pinion/v1/plugins/{plugin-name}" 200 on PATH => plugins::delete;
    PutPluginGrants: PUT "/pinion/v1/plugins/{plugin-name}/grants" 200 on PATH => plugins::put_grants;

    // Users and their keys: our own, in the manner of IAM.
    ListUsers: GET "/pinion/v1/iam/users" 200 on USERS => users::list;
    CreateUser: POST "/pinion/v1/iam/users/{user-name}" 201 on USER => users::create;
    GetUser: GET "/pinion/v1/iam/users/{user-name}" 200 on USER => users::get;
    UpdateUser: PUT "/pinion/v1/iam/users/{user-name}" 200 on USER => users::update;
    DeleteUser: DELETE "/pinion/v1/iam/users/{user-name}" 200 on USER => users::delete;
    RevokeUserSessions: DELETE "/pinion/v1/iam/users/{user-name}/sessions" 204 on USER => users::revoke;
    PutUserPolicy: PUT "/pinion/v1/iam/users/{user-name}/policies/{policy-name}" 204 on USER => held::put;
    GetUserPolicy: GET "/pinion/v1/iam/users/{user-name}/policies/{policy-name}" 200 on USER => held::get;
    DeleteUserPolicy: DELETE "/pinion/v1/iam/users/{user-name}/policies/{policy-name}" 204 on USER => held::delete;
    AttachUserPolicy: PUT "/pinion/v1/iam/users/{user-name}/attached-policies/{policy-name}" 204
        on USER => held::attach;
    DetachUserPolicy: DELETE "/pinion/v1/iam/users/{user-name}/attached-policies/{policy-name}" 204
        on USER => held::detach;
    ListAccessKeys: GET "/pinion/v1/iam/users/{user-name}/access-keys" 200 on USER => keys::list;
    CreateAccessKey: POST "/pinion/v1/iam/users/{user-name}/access-keys" 201 on USER => keys::create;
    UpdateAccessKey: PUT "/pinion/v1/iam/users/{user-name}/access-keys/{access-key-id}" 200 on USER => keys::update;
    DeleteAccessKey: DELETE "/pinion/v1/iam/users/{user-name}/access-keys/{access-key-id}" 204
        on USER => keys::delete;

    // Groups.
    ListGroups: GET "/pinion/v1/iam/groups" 200 on GROUPS => groups::list;
    CreateGroup: POST "/pinion/v1/iam/groups/{group-name}" 201 on GROUP => groups::create;
    GetGroup: GET "/pinion/v1/iam/groups/{group-name}" 200 on GROUP => groups::get;
    DeleteGroup: DELETE "/pinion/v1/iam/groups/{group-name}" 200 on GROUP => groups::delete;
    AddUserToGroup: PUT "/pinion/v1/iam/groups/{group-name}/users/{user-name}" 204 on GROUP => groups::add;
    RemoveUserFromGroup: DELETE "/pinion/v1/iam/groups/{group-name}/users/{user-name}" 204
        on GROUP => groups::remove;
    PutGroupPolicy: PUT "/pinion/v1/iam/groups/{group-name}/policies/{policy-name}" 204 on GROUP => held::put;
    GetGroupPolicy: GET "/pinion/v1/iam/groups/{group-name}/policies/{policy-name}" 200 on GROUP => held::get;
    DeleteGroupPolicy: DELETE "/pinion/v1/iam/groups/{group-name}/policies/{policy-name}" 204
        on GROUP => held::delete;
    AttachGroupPolicy: PUT "/pinion/v1/iam/groups/{group-name}/attached-policies/{policy-name}" 204
        on GROUP => held::attach;
    DetachGroupPolicy: DELETE "/pinion/v1/iam/groups/{group-name}/attached-policies/{policy-name}" 204
        on GROUP => held::detach;

    // Roles.
    ListRoles: GET "/pinion/v1/iam/roles" 200 on ROLES => roles::list;
    CreateRole: POST "/pinion/v1/iam/roles/{role-name}" 201 on ROLE => roles::create;
    GetRole: GET "/pinion/v1/iam/roles/{role-name}" 200 on ROLE => roles::get;
    UpdateRole: PUT "/pinion/v1/iam/roles/{role-name}" 200 on ROLE => roles::update;
    DeleteRole: DELETE "/pinion/v1/iam/roles/{role-name}" 200 on ROLE => roles::delete;
    RevokeRoleSessions: DELETE "/pinion/v1/iam/roles/{role-name}/sessions" 204 on ROLE => roles::revoke;
    PutRolePolicy: PUT "/pinion/v1/iam/roles/{role-name}/policies/{policy-name}" 204 on ROLE => held::put;
    GetRolePolicy: GET "/pinion/v1/iam/roles/{role-name}/policies/{policy-name}" 200 on ROLE => held::get;
    DeleteRolePolicy: DELETE "/pinion/v1/iam/roles/{role-name}/policies/{policy-name}" 204 on ROLE => held::delete;
    AttachRolePolicy: PUT "/pinion/v1/iam/roles/{role-name}/attached-policies/{policy-name}" 204
        on ROLE => held::attach;
    DetachRolePolicy: DELETE "/pinion/v1/iam/roles/{role-name}/attached-policies/{policy-name}" 204
        on ROLE => held::detach;

    // Managed policies, and what they come to.
    ListPolicies: GET "/pinion/v1/iam/policies" 200 on POLICIES => policies::list;
    CreatePolicy: POST "/pinion/v1/iam/policies/{policy-name}" 201 on POLICY => policies::create;
    GetPolicy: GET "/pinion/v1/iam/policies/{policy-name}" 200 on POLICY => policies::get;
    UpdatePolicy: PUT "/pinion/v1/iam/policies/{policy-name}" 200 on POLICY => policies::update;
    DeletePolicy: DELETE "/pinion/v1/iam/policies/{policy-name}" 200 on POLICY => policies::delete;
    SimulatePrincipalPolicy: POST "/pinion/v1/iam/simulate/{principal}" 200 on PRINCIPAL => simulate::simulate;
}
