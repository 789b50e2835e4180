//! The table of contents of the API: every operation with its method, path, success status, the
//! resource on which IAM decides, the function that answers it, and what is asked and answered.
//!
//! The router, the authorization, the description at `/openapi.json` and the tests read this one table. To add
//! an operation, write `pub async fn name(api: &Api, call: Call) -> Result<Answer>` in the module of its resource,
//! name it behind `=>` in its row, and behind it the types of request and answer: debug builds refuse others.

use std::any::TypeId;
use std::pin::Pin;

use http::Method;
use pinion_domain::app::{ApplicationSettings, CreateApplication};
use pinion_domain::arn::Arn;
use pinion_domain::campaign::WriteCampaign;
use pinion_domain::endpoint::{EndpointRequest, EndpointResponse};
use pinion_domain::event::EventsRequest;
use pinion_domain::event_stream::WriteEventStream;
use pinion_domain::id::Tenant;
use pinion_domain::job::{ExportJobRequest, ImportJobRequest};
use pinion_domain::journey::JourneyDocument;
use pinion_domain::message::{MessageRequest, UsersMessageRequest};
use pinion_domain::otp::{SendOtp, VerifyOtp};
use pinion_domain::phone::{NumberValidateRequest, NumberValidateResponse};
use pinion_domain::recommender::Recommender;
use pinion_domain::segment::WriteSegment;
use pinion_domain::template::{EmailTemplate, InAppTemplate, PushTemplate, SmsTemplate, VoiceTemplate};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::Api;
use crate::campaigns::CampaignResponse;
use crate::channels::{
    Adm, Apns, ApnsSandbox, ApnsVoip, ApnsVoipSandbox, Baidu, ChannelRequest, ChannelResponse, Email, Gcm,
    Sms, Voice,
};
use crate::error::{ApiError, Result};
use crate::extract::{Answer, Call, Labels, ListOf, MessageBody};
use crate::iam::{groups, held, keys, policies, roles, simulate, users};
use crate::jobs::JobResponse;
use crate::journeys::{Metrics, OfActivity, OfRun};
use crate::kpis::{KpiResponse, OfApplication, OfCampaign, OfJourney};
use crate::messages::{MessageResponse, UsersMessageResponse};
use crate::templates::TemplateResponse;
use crate::{
    apps, attributes, campaigns, channels, endpoints, event_streams, events, in_app, jobs, journeys, otp,
    plugins, recommenders, segments, settings, tags, templates,
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
    /// Names of what the query may say, with commas between them.
    query: &'static str,
    /// What answers it.
    pub handler: Handler,
    /// The body of a request, if there may be one.
    pub takes: Option<Body>,
    /// The body of a success; `()` is none.
    pub answers: Body,
}

/// What a body is: a type, and how that is described.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    id: fn() -> TypeId,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl Body {
    const fn of<T: JsonSchema + 'static>() -> Self {
        Self {
            id: TypeId::of::<T>,
            schema: SchemaGenerator::subschema_for::<T>,
        }
    }

    /// Is it that type?
    pub fn is(&self, id: TypeId) -> bool {
        (self.id)() == id
    }

    /// How it is described.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
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

    /// What the query may say.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.query.split(',').filter(|name| !name.is_empty())
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

/// Makes the rows `NAME: METHOD PATH STATUS on RESOURCE => FUNCTION [REQUEST => ANSWER];` a slice of
/// [`Operation`]s. The path is a template of RFC 6570: what the query may say stands in `{?…}` at its end.
macro_rules! operations {
    ($($name:ident: $method:ident $path:literal $status:literal on $resource:ident
        => $handler:path [$($takes:ty)? => $answers:ty];)*) => {
        /// Every operation: AWS's 122, and ours below `/pinion/v1`.
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            method: Method::$method,
            path: path_and_query($path).0,
            status: $status,
            resource: if $resource.is_empty() { without_version(path_and_query($path).0) } else { $resource },
            query: path_and_query($path).1,
            handler: |api, call| Box::pin($handler(api, call)),
            takes: operations!(@body $($takes)?),
            answers: Body::of::<$answers>(),
        }),*];
    };
    (@body) => { None };
    (@body $takes:ty) => { Some(Body::of::<$takes>()) };
}

/// The path, and what is between `{?` and `}` behind it.
const fn path_and_query(template: &'static str) -> (&'static str, &'static str) {
    let bytes = template.as_bytes();
    let mut at = 0;
    while at + 1 < bytes.len() {
        if bytes[at] == b'{' && bytes[at + 1] == b'?' {
            let (path, rest) = template.split_at(at);
            let (query, _) = rest.split_at(2).1.split_at(rest.len() - 3);
            return (path, query);
        }
        at += 1;
    }
    (template, "")
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
    CreateApp: POST "/v1/apps" 201 on APPS => apps::create [CreateApplication => apps::ApplicationResponse];
    GetApps: GET "/v1/apps{?page-size,token}" 200 on APPS => apps::list [=> ListOf<apps::ApplicationResponse>];
    GetApp: GET "/v1/apps/{application-id}" 200 on PATH => apps::get [=> apps::ApplicationResponse];
    DeleteApp: DELETE "/v1/apps/{application-id}" 200 on PATH => apps::delete [=> apps::ApplicationResponse];
    GetApplicationSettings: GET "/v1/apps/{application-id}/settings" 200
        on APP => settings::get [=> settings::SettingsResource];
    UpdateApplicationSettings: PUT "/v1/apps/{application-id}/settings" 200
        on APP => settings::update [ApplicationSettings => settings::SettingsResource];

    // Endpoints, users, attributes.
    RemoveAttributes: PUT "/v1/apps/{application-id}/attributes/{attribute-type}" 200
        on PATH => attributes::remove [attributes::UpdateAttributesRequest => attributes::AttributesResource];
    UpdateEndpointsBatch: PUT "/v1/apps/{application-id}/endpoints" 202
        on APP => endpoints::update_batch [endpoints::BatchRequest => MessageBody];
    GetEndpoint: GET "/v1/apps/{application-id}/endpoints/{endpoint-id}" 200
        on PATH => endpoints::get [=> EndpointResponse];
    UpdateEndpoint: PUT "/v1/apps/{application-id}/endpoints/{endpoint-id}" 202
        on PATH => endpoints::update [EndpointRequest => MessageBody];
    DeleteEndpoint: DELETE "/v1/apps/{application-id}/endpoints/{endpoint-id}" 202
        on PATH => endpoints::delete [=> EndpointResponse];
    GetUserEndpoints: GET "/v1/apps/{application-id}/users/{user-id}" 200
        on PATH => crate::users::get [=> crate::users::EndpointsResponse];
    DeleteUserEndpoints: DELETE "/v1/apps/{application-id}/users/{user-id}" 202
        on PATH => crate::users::delete [=> crate::users::EndpointsResponse];

    // Segments.
    CreateSegment: POST "/v1/apps/{application-id}/segments" 201
        on APP => segments::create [WriteSegment => segments::SegmentResponse];
    GetSegments: GET "/v1/apps/{application-id}/segments{?page-size,token}" 200
        on APP => segments::list [=> ListOf<segments::SegmentResponse>];
    GetSegment: GET "/v1/apps/{application-id}/segments/{segment-id}" 200
        on PATH => segments::get [=> segments::SegmentResponse];
    UpdateSegment: PUT "/v1/apps/{application-id}/segments/{segment-id}" 200
        on PATH => segments::update [WriteSegment => segments::SegmentResponse];
    DeleteSegment: DELETE "/v1/apps/{application-id}/segments/{segment-id}" 200
        on PATH => segments::delete [=> segments::SegmentResponse];
    GetSegmentVersions: GET "/v1/apps/{application-id}/segments/{segment-id}/versions{?page-size,token}" 200
        on SEGMENT => segments::list_versions [=> ListOf<segments::SegmentResponse>];
    GetSegmentVersion: GET "/v1/apps/{application-id}/segments/{segment-id}/versions/{version}" 200
        on SEGMENT => segments::get_version [=> segments::SegmentResponse];

    // Campaigns.
    CreateCampaign: POST "/v1/apps/{application-id}/campaigns" 201
        on APP => campaigns::create [WriteCampaign => CampaignResponse];
    GetCampaigns: GET "/v1/apps/{application-id}/campaigns{?page-size,token}" 200
        on APP => campaigns::list [=> ListOf<CampaignResponse>];
    GetCampaign: GET "/v1/apps/{application-id}/campaigns/{campaign-id}" 200
        on PATH => campaigns::get [=> CampaignResponse];
    UpdateCampaign: PUT "/v1/apps/{application-id}/campaigns/{campaign-id}" 200
        on PATH => campaigns::update [WriteCampaign => CampaignResponse];
    DeleteCampaign: DELETE "/v1/apps/{application-id}/campaigns/{campaign-id}" 200
        on PATH => campaigns::delete [=> CampaignResponse];
    GetCampaignActivities: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/activities{?page-size,token}" 200
        on CAMPAIGN => campaigns::activities [=> ListOf<campaigns::ActivityResponse>];
    GetCampaignVersions: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/versions{?page-size,token}" 200
        on CAMPAIGN => campaigns::list_versions [=> ListOf<CampaignResponse>];
    GetCampaignVersion: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/versions/{version}" 200
        on CAMPAIGN => campaigns::get_version [=> CampaignResponse];

    // Journeys.
    CreateJourney: POST "/v1/apps/{application-id}/journeys" 201
        on PATH => journeys::create [JourneyDocument => journeys::JourneyResponse];
    ListJourneys: GET "/v1/apps/{application-id}/journeys{?page-size,token}" 200
        on APP => journeys::list [=> ListOf<journeys::JourneyResponse>];
    GetJourney: GET "/v1/apps/{application-id}/journeys/{journey-id}" 200
        on PATH => journeys::get [=> journeys::JourneyResponse];
    UpdateJourney: PUT "/v1/apps/{application-id}/journeys/{journey-id}" 200
        on PATH => journeys::update [JourneyDocument => journeys::JourneyResponse];
    DeleteJourney: DELETE "/v1/apps/{application-id}/journeys/{journey-id}" 200
        on PATH => journeys::delete [=> journeys::JourneyResponse];
    GetJourneyExecutionActivityMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/activities/{journey-activity-id}/execution-metrics{?page-size,next-token}" 200
        on PATH => journeys::activity_metrics [=> OfActivity<Metrics>];
    GetJourneyExecutionMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/execution-metrics{?page-size,next-token}" 200
        on PATH => journeys::metrics [=> Metrics];
    GetJourneyRuns: GET "/v1/apps/{application-id}/journeys/{journey-id}/runs{?page-size,token}" 200
        on JOURNEY => journeys::runs [=> ListOf<journeys::RunResponse>];
    GetJourneyRunExecutionActivityMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/runs/{run-id}/activities/{journey-activity-id}/execution-metrics{?page-size,next-token}" 200
        on JOURNEY => journeys::run_activity_metrics [=> OfRun<OfActivity<Metrics>>];
    GetJourneyRunExecutionMetrics: GET "/v1/apps/{application-id}/journeys/{journey-id}/runs/{run-id}/execution-metrics{?page-size,next-token}" 200
        on JOURNEY => journeys::run_metrics [=> OfRun<Metrics>];
    UpdateJourneyState: PUT "/v1/apps/{application-id}/journeys/{journey-id}/state" 200
        on JOURNEY => journeys::update_state [journeys::StateRequest => journeys::JourneyResponse];

    // Templates.
    ListTemplates: GET "/v1/templates{?page-size,next-token,prefix,template-type}" 200
        on PATH => templates::list [=> ListOf<templates::SummaryResponse>];
    CreateEmailTemplate: POST "/v1/templates/{template-name}/email" 201
        on EMAIL_TEMPLATE => templates::create::<EmailTemplate> [EmailTemplate => templates::Created];
    GetEmailTemplate: GET "/v1/templates/{template-name}/email{?version}" 200
        on EMAIL_TEMPLATE => templates::get::<EmailTemplate> [=> TemplateResponse<EmailTemplate>];
    UpdateEmailTemplate: PUT "/v1/templates/{template-name}/email{?create-new-version,version}" 202
        on EMAIL_TEMPLATE => templates::update::<EmailTemplate> [EmailTemplate => MessageBody];
    DeleteEmailTemplate: DELETE "/v1/templates/{template-name}/email{?version}" 202
        on EMAIL_TEMPLATE => templates::delete::<EmailTemplate> [=> MessageBody];
    CreateInAppTemplate: POST "/v1/templates/{template-name}/inapp" 201
        on IN_APP_TEMPLATE => templates::create::<InAppTemplate> [InAppTemplate => templates::Created];
    GetInAppTemplate: GET "/v1/templates/{template-name}/inapp{?version}" 200
        on IN_APP_TEMPLATE => templates::get::<InAppTemplate> [=> TemplateResponse<InAppTemplate>];
    UpdateInAppTemplate: PUT "/v1/templates/{template-name}/inapp{?create-new-version,version}" 202
        on IN_APP_TEMPLATE => templates::update::<InAppTemplate> [InAppTemplate => MessageBody];
    DeleteInAppTemplate: DELETE "/v1/templates/{template-name}/inapp{?version}" 202
        on IN_APP_TEMPLATE => templates::delete::<InAppTemplate> [=> MessageBody];
    CreatePushTemplate: POST "/v1/templates/{template-name}/push" 201
        on PUSH_TEMPLATE => templates::create::<PushTemplate> [PushTemplate => templates::Created];
    GetPushTemplate: GET "/v1/templates/{template-name}/push{?version}" 200
        on PUSH_TEMPLATE => templates::get::<PushTemplate> [=> TemplateResponse<PushTemplate>];
    UpdatePushTemplate: PUT "/v1/templates/{template-name}/push{?create-new-version,version}" 202
        on PUSH_TEMPLATE => templates::update::<PushTemplate> [PushTemplate => MessageBody];
    DeletePushTemplate: DELETE "/v1/templates/{template-name}/push{?version}" 202
        on PUSH_TEMPLATE => templates::delete::<PushTemplate> [=> MessageBody];
    CreateSmsTemplate: POST "/v1/templates/{template-name}/sms" 201
        on SMS_TEMPLATE => templates::create::<SmsTemplate> [SmsTemplate => templates::Created];
    GetSmsTemplate: GET "/v1/templates/{template-name}/sms{?version}" 200
        on SMS_TEMPLATE => templates::get::<SmsTemplate> [=> TemplateResponse<SmsTemplate>];
    UpdateSmsTemplate: PUT "/v1/templates/{template-name}/sms{?create-new-version,version}" 202
        on SMS_TEMPLATE => templates::update::<SmsTemplate> [SmsTemplate => MessageBody];
    DeleteSmsTemplate: DELETE "/v1/templates/{template-name}/sms{?version}" 202
        on SMS_TEMPLATE => templates::delete::<SmsTemplate> [=> MessageBody];
    CreateVoiceTemplate: POST "/v1/templates/{template-name}/voice" 201
        on VOICE_TEMPLATE => templates::create::<VoiceTemplate> [VoiceTemplate => templates::Created];
    GetVoiceTemplate: GET "/v1/templates/{template-name}/voice{?version}" 200
        on VOICE_TEMPLATE => templates::get::<VoiceTemplate> [=> TemplateResponse<VoiceTemplate>];
    UpdateVoiceTemplate: PUT "/v1/templates/{template-name}/voice{?create-new-version,version}" 202
        on VOICE_TEMPLATE => templates::update::<VoiceTemplate> [VoiceTemplate => MessageBody];
    DeleteVoiceTemplate: DELETE "/v1/templates/{template-name}/voice{?version}" 202
        on VOICE_TEMPLATE => templates::delete::<VoiceTemplate> [=> MessageBody];
    UpdateTemplateActiveVersion: PUT "/v1/templates/{template-name}/{template-type}/active-version" 200
        on TEMPLATE => templates::set_active_version [templates::ActiveVersion => MessageBody];
    ListTemplateVersions: GET "/v1/templates/{template-name}/{template-type}/versions{?page-size,next-token}" 200
        on TEMPLATE => templates::list_versions [=> ListOf<templates::VersionResponse>];

    // Import and export jobs.
    CreateExportJob: POST "/v1/apps/{application-id}/jobs/export" 202
        on APP => jobs::create_export [ExportJobRequest => JobResponse<ExportJobRequest>];
    GetExportJobs: GET "/v1/apps/{application-id}/jobs/export{?page-size,token}" 200
        on APP => jobs::list_exports [=> ListOf<JobResponse<ExportJobRequest>>];
    GetExportJob: GET "/v1/apps/{application-id}/jobs/export/{job-id}" 200
        on PATH => jobs::get_export [=> JobResponse<ExportJobRequest>];
    CreateImportJob: POST "/v1/apps/{application-id}/jobs/import" 201
        on APP => jobs::create_import [ImportJobRequest => JobResponse<ImportJobRequest>];
    GetImportJobs: GET "/v1/apps/{application-id}/jobs/import{?page-size,token}" 200
        on APP => jobs::list_imports [=> ListOf<JobResponse<ImportJobRequest>>];
    GetImportJob: GET "/v1/apps/{application-id}/jobs/import/{job-id}" 200
        on PATH => jobs::get_import [=> JobResponse<ImportJobRequest>];
    GetSegmentExportJobs: GET "/v1/apps/{application-id}/segments/{segment-id}/jobs/export{?page-size,token}" 200
        on SEGMENT => jobs::list_segment_exports [=> ListOf<JobResponse<ExportJobRequest>>];
    GetSegmentImportJobs: GET "/v1/apps/{application-id}/segments/{segment-id}/jobs/import{?page-size,token}" 200
        on SEGMENT => jobs::list_segment_imports [=> ListOf<JobResponse<ImportJobRequest>>];

    // Channels.
    GetChannels: GET "/v1/apps/{application-id}/channels" 200 on PATH => channels::list [=> channels::ChannelsResponse];
    GetAdmChannel: GET "/v1/apps/{application-id}/channels/adm" 200
        on PATH => channels::get::<Adm> [=> ChannelResponse<Adm>];
    UpdateAdmChannel: PUT "/v1/apps/{application-id}/channels/adm" 200
        on PATH => channels::put::<Adm> [ChannelRequest<Adm> => ChannelResponse<Adm>];
    DeleteAdmChannel: DELETE "/v1/apps/{application-id}/channels/adm" 200
        on PATH => channels::delete::<Adm> [=> ChannelResponse<Adm>];
    GetApnsChannel: GET "/v1/apps/{application-id}/channels/apns" 200
        on PATH => channels::get::<Apns> [=> ChannelResponse<Apns>];
    UpdateApnsChannel: PUT "/v1/apps/{application-id}/channels/apns" 200
        on PATH => channels::put::<Apns> [ChannelRequest<Apns> => ChannelResponse<Apns>];
    DeleteApnsChannel: DELETE "/v1/apps/{application-id}/channels/apns" 200
        on PATH => channels::delete::<Apns> [=> ChannelResponse<Apns>];
    GetApnsSandboxChannel: GET "/v1/apps/{application-id}/channels/apns_sandbox" 200
        on PATH => channels::get::<ApnsSandbox> [=> ChannelResponse<ApnsSandbox>];
    UpdateApnsSandboxChannel: PUT "/v1/apps/{application-id}/channels/apns_sandbox" 200
        on PATH => channels::put::<ApnsSandbox> [ChannelRequest<ApnsSandbox> => ChannelResponse<ApnsSandbox>];
    DeleteApnsSandboxChannel: DELETE "/v1/apps/{application-id}/channels/apns_sandbox" 200
        on PATH => channels::delete::<ApnsSandbox> [=> ChannelResponse<ApnsSandbox>];
    GetApnsVoipChannel: GET "/v1/apps/{application-id}/channels/apns_voip" 200
        on PATH => channels::get::<ApnsVoip> [=> ChannelResponse<ApnsVoip>];
    UpdateApnsVoipChannel: PUT "/v1/apps/{application-id}/channels/apns_voip" 200
        on PATH => channels::put::<ApnsVoip> [ChannelRequest<ApnsVoip> => ChannelResponse<ApnsVoip>];
    DeleteApnsVoipChannel: DELETE "/v1/apps/{application-id}/channels/apns_voip" 200
        on PATH => channels::delete::<ApnsVoip> [=> ChannelResponse<ApnsVoip>];
    GetApnsVoipSandboxChannel: GET "/v1/apps/{application-id}/channels/apns_voip_sandbox" 200
        on PATH => channels::get::<ApnsVoipSandbox> [=> ChannelResponse<ApnsVoipSandbox>];
    UpdateApnsVoipSandboxChannel: PUT "/v1/apps/{application-id}/channels/apns_voip_sandbox" 200
        on PATH => channels::put::<ApnsVoipSandbox>
        [ChannelRequest<ApnsVoipSandbox> => ChannelResponse<ApnsVoipSandbox>];
    DeleteApnsVoipSandboxChannel: DELETE "/v1/apps/{application-id}/channels/apns_voip_sandbox" 200
        on PATH => channels::delete::<ApnsVoipSandbox> [=> ChannelResponse<ApnsVoipSandbox>];
    GetBaiduChannel: GET "/v1/apps/{application-id}/channels/baidu" 200
        on PATH => channels::get::<Baidu> [=> ChannelResponse<Baidu>];
    UpdateBaiduChannel: PUT "/v1/apps/{application-id}/channels/baidu" 200
        on PATH => channels::put::<Baidu> [ChannelRequest<Baidu> => ChannelResponse<Baidu>];
    DeleteBaiduChannel: DELETE "/v1/apps/{application-id}/channels/baidu" 200
        on PATH => channels::delete::<Baidu> [=> ChannelResponse<Baidu>];
    GetEmailChannel: GET "/v1/apps/{application-id}/channels/email" 200
        on PATH => channels::get::<Email> [=> ChannelResponse<Email>];
    UpdateEmailChannel: PUT "/v1/apps/{application-id}/channels/email" 200
        on PATH => channels::put::<Email> [ChannelRequest<Email> => ChannelResponse<Email>];
    DeleteEmailChannel: DELETE "/v1/apps/{application-id}/channels/email" 200
        on PATH => channels::delete::<Email> [=> ChannelResponse<Email>];
    GetGcmChannel: GET "/v1/apps/{application-id}/channels/gcm" 200
        on PATH => channels::get::<Gcm> [=> ChannelResponse<Gcm>];
    UpdateGcmChannel: PUT "/v1/apps/{application-id}/channels/gcm" 200
        on PATH => channels::put::<Gcm> [ChannelRequest<Gcm> => ChannelResponse<Gcm>];
    DeleteGcmChannel: DELETE "/v1/apps/{application-id}/channels/gcm" 200
        on PATH => channels::delete::<Gcm> [=> ChannelResponse<Gcm>];
    GetSmsChannel: GET "/v1/apps/{application-id}/channels/sms" 200
        on PATH => channels::get::<Sms> [=> ChannelResponse<Sms>];
    UpdateSmsChannel: PUT "/v1/apps/{application-id}/channels/sms" 200
        on PATH => channels::put::<Sms> [ChannelRequest<Sms> => ChannelResponse<Sms>];
    DeleteSmsChannel: DELETE "/v1/apps/{application-id}/channels/sms" 200
        on PATH => channels::delete::<Sms> [=> ChannelResponse<Sms>];
    GetVoiceChannel: GET "/v1/apps/{application-id}/channels/voice" 200
        on PATH => channels::get::<Voice> [=> ChannelResponse<Voice>];
    UpdateVoiceChannel: PUT "/v1/apps/{application-id}/channels/voice" 200
        on PATH => channels::put::<Voice> [ChannelRequest<Voice> => ChannelResponse<Voice>];
    DeleteVoiceChannel: DELETE "/v1/apps/{application-id}/channels/voice" 200
        on PATH => channels::delete::<Voice> [=> ChannelResponse<Voice>];

    // Messages.
    SendMessages: POST "/v1/apps/{application-id}/messages" 200
        on PATH => crate::messages::send [MessageRequest => MessageResponse];
    SendOTPMessage: POST "/v1/apps/{application-id}/otp" 200 on PATH => otp::send [SendOtp => MessageResponse];
    SendUsersMessages: POST "/v1/apps/{application-id}/users-messages" 200
        on MESSAGES => crate::messages::send_to_users [UsersMessageRequest => UsersMessageResponse];
    VerifyOTPMessage: POST "/v1/apps/{application-id}/verify-otp" 200
        on PATH => otp::verify [VerifyOtp => otp::VerificationResponse];
    PhoneNumberValidate: POST "/v1/phone/number/validate" 200
        on PATH => crate::phone::validate_number [NumberValidateRequest => NumberValidateResponse];

    // Events and the event stream.
    PutEvents: POST "/v1/apps/{application-id}/events" 202
        on PATH => events::put [EventsRequest => events::EventsResponse];
    PutEventStream: POST "/v1/apps/{application-id}/eventstream" 200
        on PATH => event_streams::put [WriteEventStream => event_streams::EventStream];
    GetEventStream: GET "/v1/apps/{application-id}/eventstream" 200
        on PATH => event_streams::get [=> event_streams::EventStream];
    DeleteEventStream: DELETE "/v1/apps/{application-id}/eventstream" 200
        on PATH => event_streams::delete [=> event_streams::EventStream];

    // Key performance indicators.
    GetCampaignDateRangeKpi: GET "/v1/apps/{application-id}/campaigns/{campaign-id}/kpis/daterange/{kpi-name}{?page-size,next-token,end-time,start-time}" 200
        on PATH => crate::kpis::campaign [=> KpiResponse<OfCampaign>];
    GetJourneyDateRangeKpi: GET "/v1/apps/{application-id}/journeys/{journey-id}/kpis/daterange/{kpi-name}{?page-size,next-token,end-time,start-time}" 200
        on PATH => crate::kpis::journey [=> KpiResponse<OfJourney>];
    GetApplicationDateRangeKpi: GET "/v1/apps/{application-id}/kpis/daterange/{kpi-name}{?page-size,next-token,end-time,start-time}" 200
        on PATH => crate::kpis::application [=> KpiResponse<OfApplication>];

    // In-app messages.
    GetInAppMessages: GET "/v1/apps/{application-id}/endpoints/{endpoint-id}/inappmessages" 200
        on APP => in_app::get [=> in_app::InAppMessagesResponse];

    // Recommenders.
    CreateRecommenderConfiguration: POST "/v1/recommenders" 201
        on RECOMMENDERS => recommenders::create [Recommender => recommenders::RecommenderResponse];
    GetRecommenderConfigurations: GET "/v1/recommenders{?page-size,token}" 200
        on RECOMMENDERS => recommenders::list [=> ListOf<recommenders::RecommenderResponse>];
    GetRecommenderConfiguration: GET "/v1/recommenders/{recommender-id}" 200
        on PATH => recommenders::get [=> recommenders::RecommenderResponse];
    UpdateRecommenderConfiguration: PUT "/v1/recommenders/{recommender-id}" 200
        on PATH => recommenders::update [Recommender => recommenders::RecommenderResponse];
    DeleteRecommenderConfiguration: DELETE "/v1/recommenders/{recommender-id}" 200
        on PATH => recommenders::delete [=> recommenders::RecommenderResponse];

    // Tags.
    TagResource: POST "/v1/tags/{resource-arn}" 204 on TAGGED => tags::put [tags::TagsModel => ()];
    ListTagsForResource: GET "/v1/tags/{resource-arn}" 200 on TAGGED => tags::list [=> tags::TagsModel];
    UntagResource: DELETE "/v1/tags/{resource-arn}{?tagKeys}" 204 on TAGGED => tags::remove [=> ()];

    // Who is in a segment, and why: our own, in the same manner.
    EstimateSegment: POST "/pinion/v1/apps/{application-id}/segments/estimate" 200
        on APP => segments::estimate [segments::SegmentQuestion => segments::EstimateResponse];
    ExplainSegment: POST "/pinion/v1/apps/{application-id}/segments/explain" 200
        on APP => segments::explain [segments::SegmentQuestion => segments::ExplainResponse];
    GetAudience: GET "/pinion/v1/apps/{application-id}/audience" 200
        on APP => segments::audience [=> segments::AudienceResponse];

    // Plugins: our own, in the same manner.
    ListPlugins: GET "/pinion/v1/plugins" 200 on PATH => plugins::list [=> ListOf<plugins::PluginResponse>];
    GetPlugin: GET "/pinion/v1/plugins/{plugin-name}" 200 on PATH => plugins::get [=> plugins::PluginResponse];
    PutPlugin: PUT "/pinion/v1/plugins/{plugin-name}" 200
        on PATH => plugins::put [plugins::Component => plugins::PluginResponse];
    DeletePlugin: DELETE "/pinion/v1/plugins/{plugin-name}" 200 on PATH => plugins::delete [=> plugins::PluginResponse];
    PutPluginGrants: PUT "/pinion/v1/plugins/{plugin-name}/grants" 200
        on PATH => plugins::put_grants [plugins::Grants => plugins::PluginResponse];

    // Users and their keys: our own, in the manner of IAM.
    ListUsers: GET "/pinion/v1/iam/users{?page-size,token}" 200
        on USERS => users::list [=> ListOf<users::UserResponse>];
    CreateUser: POST "/pinion/v1/iam/users/{user-name}" 201
        on USER => users::create [Option<users::UserRequest> => users::UserResponse];
    GetUser: GET "/pinion/v1/iam/users/{user-name}" 200 on USER => users::get [=> users::UserResponse];
    UpdateUser: PUT "/pinion/v1/iam/users/{user-name}" 200
        on USER => users::update [users::UserRequest => users::UserResponse];
    DeleteUser: DELETE "/pinion/v1/iam/users/{user-name}" 200 on USER => users::delete [=> users::UserResponse];
    RevokeUserSessions: DELETE "/pinion/v1/iam/users/{user-name}/sessions" 204 on USER => users::revoke [=> ()];
    PutUserPolicy: PUT "/pinion/v1/iam/users/{user-name}/policies/{policy-name}" 204
        on USER => held::put [held::InlineRequest => ()];
    GetUserPolicy: GET "/pinion/v1/iam/users/{user-name}/policies/{policy-name}" 200
        on USER => held::get [=> held::InlineResponse];
    DeleteUserPolicy: DELETE "/pinion/v1/iam/users/{user-name}/policies/{policy-name}" 204
        on USER => held::delete [=> ()];
    AttachUserPolicy: PUT "/pinion/v1/iam/users/{user-name}/attached-policies/{policy-name}" 204
        on USER => held::attach [=> ()];
    DetachUserPolicy: DELETE "/pinion/v1/iam/users/{user-name}/attached-policies/{policy-name}" 204
        on USER => held::detach [=> ()];
    ListAccessKeys: GET "/pinion/v1/iam/users/{user-name}/access-keys" 200
        on USER => keys::list [=> ListOf<keys::KeyResponse>];
    CreateAccessKey: POST "/pinion/v1/iam/users/{user-name}/access-keys" 201
        on USER => keys::create [=> keys::KeyResponse];
    UpdateAccessKey: PUT "/pinion/v1/iam/users/{user-name}/access-keys/{access-key-id}" 200
        on USER => keys::update [keys::StatusRequest => keys::KeyResponse];
    DeleteAccessKey: DELETE "/pinion/v1/iam/users/{user-name}/access-keys/{access-key-id}" 204
        on USER => keys::delete [=> ()];

    // Groups.
    ListGroups: GET "/pinion/v1/iam/groups{?page-size,token}" 200
        on GROUPS => groups::list [=> ListOf<groups::GroupResponse>];
    CreateGroup: POST "/pinion/v1/iam/groups/{group-name}" 201 on GROUP => groups::create [=> groups::GroupResponse];
    GetGroup: GET "/pinion/v1/iam/groups/{group-name}" 200 on GROUP => groups::get [=> groups::GroupResponse];
    DeleteGroup: DELETE "/pinion/v1/iam/groups/{group-name}" 200 on GROUP => groups::delete [=> groups::GroupResponse];
    AddUserToGroup: PUT "/pinion/v1/iam/groups/{group-name}/users/{user-name}" 204 on GROUP => groups::add [=> ()];
    RemoveUserFromGroup: DELETE "/pinion/v1/iam/groups/{group-name}/users/{user-name}" 204
        on GROUP => groups::remove [=> ()];
    PutGroupPolicy: PUT "/pinion/v1/iam/groups/{group-name}/policies/{policy-name}" 204
        on GROUP => held::put [held::InlineRequest => ()];
    GetGroupPolicy: GET "/pinion/v1/iam/groups/{group-name}/policies/{policy-name}" 200
        on GROUP => held::get [=> held::InlineResponse];
    DeleteGroupPolicy: DELETE "/pinion/v1/iam/groups/{group-name}/policies/{policy-name}" 204
        on GROUP => held::delete [=> ()];
    AttachGroupPolicy: PUT "/pinion/v1/iam/groups/{group-name}/attached-policies/{policy-name}" 204
        on GROUP => held::attach [=> ()];
    DetachGroupPolicy: DELETE "/pinion/v1/iam/groups/{group-name}/attached-policies/{policy-name}" 204
        on GROUP => held::detach [=> ()];

    // Roles.
    ListRoles: GET "/pinion/v1/iam/roles{?page-size,token}" 200
        on ROLES => roles::list [=> ListOf<roles::RoleResponse>];
    CreateRole: POST "/pinion/v1/iam/roles/{role-name}" 201
        on ROLE => roles::create [roles::RoleRequest => roles::RoleResponse];
    GetRole: GET "/pinion/v1/iam/roles/{role-name}" 200 on ROLE => roles::get [=> roles::RoleResponse];
    UpdateRole: PUT "/pinion/v1/iam/roles/{role-name}" 200
        on ROLE => roles::update [roles::RoleRequest => roles::RoleResponse];
    DeleteRole: DELETE "/pinion/v1/iam/roles/{role-name}" 200 on ROLE => roles::delete [=> roles::RoleResponse];
    RevokeRoleSessions: DELETE "/pinion/v1/iam/roles/{role-name}/sessions" 204 on ROLE => roles::revoke [=> ()];
    PutRolePolicy: PUT "/pinion/v1/iam/roles/{role-name}/policies/{policy-name}" 204
        on ROLE => held::put [held::InlineRequest => ()];
    GetRolePolicy: GET "/pinion/v1/iam/roles/{role-name}/policies/{policy-name}" 200
        on ROLE => held::get [=> held::InlineResponse];
    DeleteRolePolicy: DELETE "/pinion/v1/iam/roles/{role-name}/policies/{policy-name}" 204
        on ROLE => held::delete [=> ()];
    AttachRolePolicy: PUT "/pinion/v1/iam/roles/{role-name}/attached-policies/{policy-name}" 204
        on ROLE => held::attach [=> ()];
    DetachRolePolicy: DELETE "/pinion/v1/iam/roles/{role-name}/attached-policies/{policy-name}" 204
        on ROLE => held::detach [=> ()];

    // Managed policies, and what they come to.
    ListPolicies: GET "/pinion/v1/iam/policies{?page-size,token}" 200
        on POLICIES => policies::list [=> ListOf<policies::PolicyResponse>];
    CreatePolicy: POST "/pinion/v1/iam/policies/{policy-name}" 201
        on POLICY => policies::create [policies::PolicyRequest => policies::PolicyResponse];
    GetPolicy: GET "/pinion/v1/iam/policies/{policy-name}" 200 on POLICY => policies::get [=> policies::PolicyResponse];
    UpdatePolicy: PUT "/pinion/v1/iam/policies/{policy-name}" 200
        on POLICY => policies::update [policies::PolicyRequest => policies::PolicyResponse];
    DeletePolicy: DELETE "/pinion/v1/iam/policies/{policy-name}" 200
        on POLICY => policies::delete [=> policies::PolicyResponse];
    SimulatePrincipalPolicy: POST "/pinion/v1/iam/simulate/{principal}" 200
        on PRINCIPAL => simulate::simulate [simulate::Questions => simulate::Outcomes];
}
