// A life of each group of Pinpoint's resources, told by the AWS SDK for JavaScript.
//
//   node client.mjs GROUP
//
// against the server of AWS_ENDPOINT_URL with the key of the environment. Ends with 1 and what is wrong if
// anything is not as it should be; without a group it names them.

import assert from "node:assert/strict";
import fs from "node:fs";
import * as sdk from "@aws-sdk/client-pinpoint";

const client = new sdk.PinpointClient({
  endpoint: process.env.AWS_ENDPOINT_URL,
  region: process.env.AWS_DEFAULT_REGION,
  maxAttempts: 1,
});
const ROLE = "arn:aws:iam::123456789012:role/pinpoint";
const ODD = "@ / + % * ~ : & = ; ż 日本";

/** Calls an operation by its name. */
const call = (operation, input) => client.send(new sdk[`${operation}Command`](input));

/** An operation that must fail with the named exception. */
const refused = (name, operation, input) =>
  assert.rejects(call(operation, input), (error) => {
    assert.equal(error.name, name);
    assert.ok(error instanceof sdk[name], `${name} is no typed exception`);
    assert.ok(error.$metadata.requestId && error.message);
    return true;
  });

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function newApp() {
  const { ApplicationResponse: app } = await call("CreateApp", { CreateApplicationRequest: { Name: "javascript" } });
  return app.Id;
}

async function everybody(ApplicationId) {
  const request = { ApplicationId, WriteSegmentRequest: { Name: "everybody", Dimensions: {} } };
  return (await call("CreateSegment", request)).SegmentResponse.Id;
}

async function finished(read) {
  for (;;) {
    const job = await read();
    assert.notEqual(job.JobStatus, "FAILED", JSON.stringify(job));
    if (job.JobStatus === "COMPLETED") return job;
    await sleep(20);
  }
}

const groups = {
  async apps() {
    const { ApplicationResponse: app } = await call("CreateApp", {
      CreateApplicationRequest: { Name: ODD, tags: { [ODD]: ODD } },
    });
    const of = { ApplicationId: app.Id };
    assert.deepEqual((await call("GetApp", of)).ApplicationResponse.tags, { [ODD]: ODD });
    const settings = { Limits: { Daily: 3 }, QuietTime: { Start: "22:00", End: "06:00" } };
    await call("UpdateApplicationSettings", { ...of, WriteApplicationSettingsRequest: settings });
    const { ApplicationSettingsResource: read } = await call("GetApplicationSettings", of);
    assert.equal(read.Limits.Daily, 3);
    assert.deepEqual(read.QuietTime, settings.QuietTime);
    await call("TagResource", { ResourceArn: app.Arn, TagsModel: { tags: { more: "1" } } });
    await call("UntagResource", { ResourceArn: app.Arn, TagKeys: [ODD, "never there"] });
    assert.deepEqual((await call("ListTagsForResource", { ResourceArn: app.Arn })).TagsModel.tags, { more: "1" });
    const { NumberValidateResponse: number } = await call("PhoneNumberValidate", {
      NumberValidateRequest: { PhoneNumber: "48 601 234 567", IsoCountryCode: "PL" },
    });
    assert.equal(number.CleansedPhoneNumberE164, "+48601234567");
    const { ApplicationDateRangeKpiResponse: kpi } = await call("GetApplicationDateRangeKpi", {
      ...of, KpiName: "txn-emails-sent", StartTime: new Date(Date.now() - 864e5), EndTime: new Date(),
    });
    assert.ok(kpi.StartTime instanceof Date && kpi.KpiResult.Rows.length === 0);
    await call("DeleteApp", of);
    await refused("NotFoundException", "GetApp", of);
  },

  async endpoints() {
    const ApplicationId = await newApp();
    for (const odd of ["a@b", "a/b", "a+b", "100%", "a*b", "~a", "a:b", "a&b=c", "a;b", "a b", "żółw", "日本", "a%2Fb", "(a)!'"]) {
      const of = { ApplicationId, EndpointId: odd };
      const EndpointRequest = {
        ChannelType: "EMAIL", Address: `${encodeURIComponent(odd)}@example.com`, Attributes: { [odd]: [odd] },
        Metrics: { visits: 2.5 }, User: { UserId: odd, UserAttributes: { [odd]: [odd] } },
      };
      await call("UpdateEndpoint", { ...of, EndpointRequest });
      const { EndpointResponse: read } = await call("GetEndpoint", of);
      assert.deepEqual([read.Id, read.Attributes, read.User], [odd, EndpointRequest.Attributes, EndpointRequest.User]);
      const user = { ApplicationId, UserId: odd };
      assert.equal((await call("GetUserEndpoints", user)).EndpointsResponse.Item.length, 1);
      await call("DeleteUserEndpoints", user);
      await refused("NotFoundException", "GetEndpoint", of);
    }
    const item = { Id: "one", ChannelType: "SMS", Address: "+48601234567", Attributes: { genre: ["poetry"] } };
    await call("UpdateEndpointsBatch", { ApplicationId, EndpointBatchRequest: { Item: [item] } });
    await call("RemoveAttributes", {
      ApplicationId, AttributeType: "endpoint-custom-attributes", UpdateAttributesRequest: { Blacklist: ["gen*"] },
    });
    const { EndpointResponse: one } = await call("DeleteEndpoint", { ApplicationId, EndpointId: "one" });
    assert.deepEqual(one.Attributes ?? {}, {});
    const { EventsResponse: events } = await call("PutEvents", {
      ApplicationId,
      EventsRequest: {
        BatchItem: { one: { Endpoint: {}, Events: { first: { EventType: "bought", Timestamp: "2026-11-20T10:00:00Z" } } } },
      },
    });
    assert.equal(events.Results.one.EventsItemResponse.first.StatusCode, 202);
  },

  async segments() {
    const ApplicationId = await newApp();
    const SegmentId = await everybody(ApplicationId);
    for (let n = 0; n < 3; n++) await everybody(ApplicationId);
    const of = { ApplicationId, SegmentId };
    await call("UpdateSegment", { ...of, WriteSegmentRequest: { Name: "renamed" } });
    assert.equal((await call("GetSegment", of)).SegmentResponse.Version, 2);
    assert.equal((await call("GetSegmentVersion", { ...of, Version: "1" })).SegmentResponse.Name, "everybody");
    assert.equal((await call("GetSegmentVersions", of)).SegmentsResponse.Item.length, 2);
    let Token, found = 0;
    do {
      const { SegmentsResponse: page } = await call("GetSegments", { ApplicationId, PageSize: "3", Token });
      found += page.Item.length;
      Token = page.NextToken;
    } while (Token);
    assert.equal(found, 4);
    await call("DeleteSegment", of);
    await refused("NotFoundException", "GetSegment", of);
  },

  async templates() {
    const TemplateName = `javascript-${process.pid}`;
    const kinds = {
      Email: ["EmailTemplateRequest", "EmailTemplateResponse", "EMAIL", { Subject: "s", TextPart: "t" }],
      InApp: ["InAppTemplateRequest", "InAppTemplateResponse", "INAPP", { Layout: "OVERLAYS" }],
      Push: ["PushNotificationTemplateRequest", "PushNotificationTemplateResponse", "PUSH", { Default: { Title: "t" } }],
      Sms: ["SMSTemplateRequest", "SMSTemplateResponse", "SMS", { Body: "b" }],
      Voice: ["VoiceTemplateRequest", "VoiceTemplateResponse", "VOICE", { Body: "b", VoiceId: "Ewa" }],
    };
    for (const [kind, [request, response, TemplateType, document]] of Object.entries(kinds)) {
      await call(`Create${kind}Template`, { TemplateName, [request]: { ...document, tags: { a: "b" } } });
      await refused("BadRequestException", `Create${kind}Template`, { TemplateName, [request]: document });
      await call(`Update${kind}Template`, {
        TemplateName, CreateNewVersion: true, [request]: { ...document, TemplateDescription: "two" },
      });
      const active = { TemplateName, TemplateType };
      await call("UpdateTemplateActiveVersion", { ...active, TemplateActiveVersionRequest: { Version: "2" } });
      const { [response]: read } = await call(`Get${kind}Template`, { TemplateName });
      assert.deepEqual([read.Version, read.TemplateDescription, read.tags], ["2", "two", { a: "b" }]);
      for (const [member, value] of Object.entries(document)) assert.deepEqual(read[member], value);
      assert.equal((await call("ListTemplateVersions", active)).TemplateVersionsResponse.Item.length, 2);
    }
    const { TemplatesResponse: listed } = await call("ListTemplates", { Prefix: TemplateName });
    assert.equal(listed.Item.length, 5);
    for (const kind of Object.keys(kinds)) {
      await call(`Delete${kind}Template`, { TemplateName });
      await refused("NotFoundException", `Get${kind}Template`, { TemplateName });
    }
  },

  async channels() {
    const of = { ApplicationId: await newApp() };
    const channels = {
      Adm: ["ADMChannel", { ClientId: "id", ClientSecret: "secret" }],
      Apns: ["APNSChannel", { Certificate: "certificate", PrivateKey: "key" }],
      ApnsSandbox: ["APNSSandboxChannel", { BundleId: "org.example", TeamId: "T", TokenKey: "key", TokenKeyId: "K" }],
      ApnsVoip: ["APNSVoipChannel", { Certificate: "certificate", PrivateKey: "key" }],
      ApnsVoipSandbox: ["APNSVoipSandboxChannel", { Certificate: "certificate", PrivateKey: "key" }],
      Baidu: ["BaiduChannel", { ApiKey: "key", SecretKey: "secret" }],
      Email: ["EmailChannel", { FromAddress: "news@books.test", Identity: "arn:aws:ses:eu-central-1:1:identity/books.test" }],
      Gcm: ["GCMChannel", { ApiKey: "key" }],
      Sms: ["SMSChannel", { SenderId: "BOOKS" }],
      Voice: ["VoiceChannel", {}],
    };
    for (const [kind, [member, request]] of Object.entries(channels)) {
      await refused("NotFoundException", `Get${kind}Channel`, of);
      await call(`Update${kind}Channel`, { ...of, [`${member}Request`]: { Enabled: true, ...request } });
      const { [`${member}Response`]: read } = await call(`Get${kind}Channel`, of);
      assert.deepEqual([read.Enabled, read.Version], [true, 1]);
      // Baidu's and Google's answers have their key in a member of its own; nothing else is told again.
      const { Credential, ...told } = read;
      for (const secret of Object.values(request)) {
        if (["secret", "key", "certificate"].includes(secret)) assert.ok(!Object.values(told).includes(secret), kind);
      }
    }
    const { Channels: all } = (await call("GetChannels", of)).ChannelsResponse;
    for (const [kind, [member]] of Object.entries(channels)) {
      const { [`${member}Response`]: read } = await call(`Get${kind}Channel`, of);
      assert.equal(all[read.Platform].Version, 1);
    }
    for (const kind of Object.keys(channels)) {
      await call(`Delete${kind}Channel`, of);
      await refused("NotFoundException", `Get${kind}Channel`, of);
    }
  },

  async campaigns() {
    const ApplicationId = await newApp();
    const EmailChannelRequest = { FromAddress: "news@books.test", Identity: "arn:aws:ses:eu-central-1:1:identity/books.test" };
    await call("UpdateEmailChannel", { ApplicationId, EmailChannelRequest });
    const EndpointRequest = { ChannelType: "EMAIL", Address: "js@example.com" };
    await call("UpdateEndpoint", { ApplicationId, EndpointId: "js", EndpointRequest });
    const WriteCampaignRequest = {
      Name: "offer", SegmentId: await everybody(ApplicationId), Schedule: { StartTime: "2099-01-01T00:00:00Z" },
      MessageConfiguration: { EmailMessage: { Title: "Hello", Body: "Hi" } },
    };
    const { CampaignResponse: made } = await call("CreateCampaign", { ApplicationId, WriteCampaignRequest });
    assert.equal(made.State.CampaignStatus, "SCHEDULED");
    const of = { ApplicationId, CampaignId: made.Id };
    const now = { Schedule: { StartTime: "IMMEDIATE" } };
    await call("UpdateCampaign", { ...of, WriteCampaignRequest: now });
    while ((await call("GetCampaign", of)).CampaignResponse.State.CampaignStatus !== "COMPLETED") await sleep(20);
    const { ActivitiesResponse: activities } = await call("GetCampaignActivities", of);
    assert.equal(activities.Item[0].SuccessfulEndpointCount, 1);
    assert.equal((await call("GetCampaignVersions", of)).CampaignsResponse.Item.length, 2);
    assert.equal((await call("GetCampaignVersion", { ...of, Version: "1" })).CampaignResponse.Version, 1);
    assert.equal((await call("GetCampaigns", { ApplicationId })).CampaignsResponse.Item.length, 1);
    await call("GetCampaignDateRangeKpi", { ...of, KpiName: "successful-delivery-rate" });
    await call("GetInAppMessages", { ApplicationId, EndpointId: "js" });
    await call("DeleteCampaign", of);
    await refused("BadRequestException", "CreateCampaign", {
      ApplicationId, WriteCampaignRequest: { ...WriteCampaignRequest, SegmentId: "nobody" },
    });
  },

  async journeys() {
    const ApplicationId = await newApp();
    const WriteJourneyRequest = {
      Name: "welcome", StartActivity: "wait", Activities: { wait: { Wait: { WaitTime: { WaitFor: "PT1H" } } } },
    };
    const { JourneyResponse: made } = await call("CreateJourney", { ApplicationId, WriteJourneyRequest });
    const of = { ApplicationId, JourneyId: made.Id };
    await call("UpdateJourney", { ...of, WriteJourneyRequest: { ...WriteJourneyRequest, Name: "goodbye" } });
    assert.equal((await call("GetJourney", of)).JourneyResponse.Name, "goodbye");
    await refused("BadRequestException", "UpdateJourneyState", { ...of, JourneyStateRequest: { State: "CANCELLED" } });
    await call("GetJourneyExecutionMetrics", of);
    await call("GetJourneyExecutionActivityMetrics", { ...of, JourneyActivityId: "wait" });
    assert.deepEqual((await call("GetJourneyRuns", of)).JourneyRunsResponse.Item, []);
    assert.equal((await call("ListJourneys", { ApplicationId })).JourneysResponse.Item.length, 1);
    await call("DeleteJourney", of);
    await refused("NotFoundException", "GetJourney", of);
  },

  async messages() {
    const ApplicationId = await newApp();
    await call("UpdateSmsChannel", { ApplicationId, SMSChannelRequest: { Enabled: true } });
    const phone = "+48601234567";
    const MessageConfiguration = { SMSMessage: { Body: "Order {{n}}", Substitutions: { n: ["7"] } } };
    const { MessageResponse: sent } = await call("SendMessages", {
      ApplicationId, MessageRequest: { Addresses: { [phone]: { ChannelType: "SMS" } }, MessageConfiguration },
    });
    assert.equal(sent.Result[phone].DeliveryStatus, "SUCCESSFUL");
    const EndpointRequest = { ChannelType: "SMS", Address: phone, User: { UserId: "ann@ż" } };
    await call("UpdateEndpoint", { ApplicationId, EndpointId: "phone", EndpointRequest });
    const { SendUsersMessageResponse: users } = await call("SendUsersMessages", {
      ApplicationId, SendUsersMessageRequest: { Users: { "ann@ż": {} }, MessageConfiguration },
    });
    assert.equal(users.Result["ann@ż"].phone.DeliveryStatus, "SUCCESSFUL");
    const { MessageResponse: code } = await call("SendOTPMessage", {
      ApplicationId,
      SendOTPMessageRequestParameters: {
        BrandName: "Books", Channel: "SMS", DestinationIdentity: phone, OriginationIdentity: "+48509876543", ReferenceId: "r",
      },
    });
    assert.equal(code.Result[phone].DeliveryStatus, "SUCCESSFUL");
    const { VerificationResponse: verified } = await call("VerifyOTPMessage", {
      ApplicationId, VerifyOTPMessageRequestParameters: { DestinationIdentity: phone, Otp: "wrong", ReferenceId: "r" },
    });
    assert.equal(verified.Valid, false);
    await refused("BadRequestException", "SendMessages", { ApplicationId, MessageRequest: { MessageConfiguration: {} } });
  },

  async jobs() {
    const ApplicationId = await newApp();
    const file = `${process.env.IMPORTS}/javascript-${ApplicationId}.csv`;
    fs.writeFileSync(file, "Id,ChannelType,Address\none,EMAIL,one@example.com\n");
    const ImportJobRequest = { Format: "CSV", RoleArn: ROLE, S3Url: `file://${file}`, DefineSegment: true, SegmentName: "one" };
    const { ImportJobResponse: started } = await call("CreateImportJob", { ApplicationId, ImportJobRequest });
    const job = { ApplicationId, JobId: started.Id };
    const imported = await finished(async () => (await call("GetImportJob", job)).ImportJobResponse);
    assert.equal((await call("GetImportJobs", { ApplicationId })).ImportJobsResponse.Item.length, 1);
    const SegmentId = imported.Definition.SegmentId;
    assert.equal((await call("GetSegmentImportJobs", { ApplicationId, SegmentId })).ImportJobsResponse.Item.length, 1);
    const S3UrlPrefix = `file://${process.env.IMPORTS}/javascript-${ApplicationId}/`;
    const ExportJobRequest = { RoleArn: ROLE, S3UrlPrefix, SegmentId };
    const { ExportJobResponse: exporting } = await call("CreateExportJob", { ApplicationId, ExportJobRequest });
    await finished(async () => (await call("GetExportJob", { ApplicationId, JobId: exporting.Id })).ExportJobResponse);
    assert.equal((await call("GetExportJobs", { ApplicationId })).ExportJobsResponse.Item.length, 1);
    assert.equal((await call("GetSegmentExportJobs", { ApplicationId, SegmentId })).ExportJobsResponse.Item.length, 1);
    await refused("NotFoundException", "GetImportJob", { ApplicationId, JobId: "nobody" });
  },

  async recommenders() {
    const CreateRecommenderConfiguration = {
      RecommendationProviderUri: "plugin:best-content-by-locale", RecommendationProviderRoleArn: ROLE,
      RecommendationsDisplayName: "Books",
    };
    const { RecommenderConfigurationResponse: made } = await call("CreateRecommenderConfiguration", { CreateRecommenderConfiguration });
    const of = { RecommenderId: made.Id };
    const UpdateRecommenderConfiguration = { ...CreateRecommenderConfiguration, Name: "more" };
    await call("UpdateRecommenderConfiguration", { ...of, UpdateRecommenderConfiguration });
    assert.equal((await call("GetRecommenderConfiguration", of)).RecommenderConfigurationResponse.Name, "more");
    const { ListRecommenderConfigurationsResponse: all } = await call("GetRecommenderConfigurations", { PageSize: "100" });
    assert.ok(all.Item.some((item) => item.Id === made.Id));
    await call("DeleteRecommenderConfiguration", of);
    await refused("NotFoundException", "GetRecommenderConfiguration", of);
  },

  async "event-streams"() {
    const of = { ApplicationId: await newApp() };
    const DestinationStreamArn = "arn:aws:kinesis:eu-central-1:123456789012:stream/events";
    await call("PutEventStream", { ...of, WriteEventStream: { DestinationStreamArn, RoleArn: ROLE } });
    assert.equal((await call("GetEventStream", of)).EventStream.DestinationStreamArn, DestinationStreamArn);
    await call("DeleteEventStream", of);
    await refused("NotFoundException", "GetEventStream", of);
  },
};

const group = groups[process.argv[2]];
if (!group) {
  console.error(`usage: node client.mjs ${Object.keys(groups).join("|")}`);
  process.exit(2);
}
await group();
