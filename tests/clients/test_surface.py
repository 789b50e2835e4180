"""All operations of the service model: each is answered, and one that is not built says so by name."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import Session

BUILT = """
CreateApp GetApps GetApp DeleteApp GetApplicationSettings UpdateApplicationSettings
UpdateEndpointsBatch GetEndpoint UpdateEndpoint DeleteEndpoint GetUserEndpoints DeleteUserEndpoints
CreateSegment GetSegments GetSegment UpdateSegment DeleteSegment GetSegmentVersions GetSegmentVersion
CreateCampaign GetCampaigns GetCampaign UpdateCampaign DeleteCampaign GetCampaignActivities
GetCampaignVersions GetCampaignVersion
CreateJourney ListJourneys GetJourney UpdateJourney DeleteJourney UpdateJourneyState
GetJourneyExecutionActivityMetrics GetJourneyExecutionMetrics GetJourneyRuns
GetJourneyRunExecutionActivityMetrics GetJourneyRunExecutionMetrics
ListTemplates CreateEmailTemplate GetEmailTemplate UpdateEmailTemplate DeleteEmailTemplate
UpdateTemplateActiveVersion ListTemplateVersions
CreateImportJob GetImportJobs GetImportJob GetSegmentImportJobs
CreateExportJob GetExportJobs GetExportJob GetSegmentExportJobs
GetChannels
GetAdmChannel UpdateAdmChannel DeleteAdmChannel GetApnsChannel UpdateApnsChannel DeleteApnsChannel
GetApnsSandboxChannel UpdateApnsSandboxChannel DeleteApnsSandboxChannel
GetApnsVoipChannel UpdateApnsVoipChannel DeleteApnsVoipChannel
GetApnsVoipSandboxChannel UpdateApnsVoipSandboxChannel DeleteApnsVoipSandboxChannel
GetBaiduChannel UpdateBaiduChannel DeleteBaiduChannel GetEmailChannel UpdateEmailChannel DeleteEmailChannel
GetGcmChannel UpdateGcmChannel DeleteGcmChannel GetSmsChannel UpdateSmsChannel DeleteSmsChannel
GetVoiceChannel UpdateVoiceChannel DeleteVoiceChannel
PutEventStream GetEventStream DeleteEventStream
CreateRecommenderConfiguration GetRecommenderConfigurations GetRecommenderConfiguration
UpdateRecommenderConfiguration DeleteRecommenderConfiguration
RemoveAttributes PhoneNumberValidate
SendMessages PutEvents
SendUsersMessages SendOTPMessage VerifyOTPMessage GetInAppMessages
GetCampaignDateRangeKpi GetJourneyDateRangeKpi GetApplicationDateRangeKpi
TagResource ListTagsForResource UntagResource
""".split()

MODEL = Session().get_service_model("pinpoint")


def sample(shape):
    """The smallest value that a client lets through."""
    if shape.type_name == "structure":
        return {member: sample(shape.members[member]) for member in shape.required_members}
    if shape.type_name == "list":
        return []
    if shape.type_name == "map":
        return {}
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return {"integer": 1, "long": 1, "boolean": True, "double": 1.0, "timestamp": 0}.get(shape.type_name, "x")


def test_the_model_has_122_operations():
    assert len(MODEL.operation_names) == 122
    assert set(BUILT) <= set(MODEL.operation_names)


@pytest.mark.parametrize("operation", [name for name in MODEL.operation_names if name not in BUILT])
def test_an_operation_that_is_not_built_says_so(pinpoint, app, operation):
    arguments = sample(MODEL.operation_model(operation).input_shape)
    if "ApplicationId" in arguments:
        arguments["ApplicationId"] = app
    with pytest.raises(ClientError) as caught:
        getattr(pinpoint, xform_name(operation))(**arguments)
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert error["Error"]["Code"] == "NotImplementedException"
    assert operation in error["Error"]["Message"]
