//! Whether a journey can be, as a whole: what it names exists.

use pinion_domain::Error;
use pinion_domain::id::SegmentId;
use pinion_domain::journey::{JourneyDocument, check as check_document, kind::Kind};
use pinion_domain::template::TemplateType;
use pinion_store::AppRef;

use crate::error::Result;
use crate::template_references::Reference;
use crate::{Api, hooks, segments, template_references};

/// Checks a journey as it is about to be stored.
pub(super) async fn check(api: &Api, app: &AppRef, journey: &JourneyDocument) -> Result<()> {
    check_document(journey)?;
    if let Some(condition) = &journey.start_condition {
        let field = "StartCondition";
        if let Some(segment) = &condition.segment_start_condition {
            let field = format!("{field}.SegmentStartCondition.SegmentId");
            segments::check_exists(api, app, &segment.segment_id, &field).await?;
        }
        let event = condition.event_start_condition.as_ref();
        if let Some(segment) = event.and_then(|event| named(event.segment_id.as_ref())) {
            let field = format!("{field}.EventStartCondition.SegmentId");
            segments::check_dynamic(api, app, segment, &field).await?;
        }
    }
    for (id, activity) in journey.activities.iter().flatten() {
        let field = format!("Activities.{id}");
        let kind = activity.kind(&field)?;
        for (member, condition) in kind.conditions() {
            let field = format!("{field}.{member}");
            if let Some(segment) = &condition.segment_condition {
                let field = format!("{field}.SegmentCondition.SegmentId");
                segments::check_exists(api, app, &segment.segment_id, &field).await?;
            }
            if let Some(dimensions) = &condition.segment_dimensions {
                segments::check_plugins(api, app, dimensions, &format!("{field}.segmentDimensions"))?;
            }
        }
        check_saying(api, app, kind, &format!("{field}.{}", kind.member())).await?;
    }
    Ok(())
}

fn named(segment: Option<&SegmentId>) -> Option<&SegmentId> {
    segment.filter(|segment| !segment.as_str().is_empty())
}

/// What an activity says, and who delivers it.
async fn check_saying(api: &Api, app: &AppRef, kind: Kind<'_>, field: &str) -> Result<()> {
    let (template, name, version) = match kind {
        Kind::Email(activity) => (
            TemplateType::Email,
            &activity.template_name,
            &activity.template_version,
        ),
        Kind::Push(activity) => (
            TemplateType::Push,
            &activity.template_name,
            &activity.template_version,
        ),
        Kind::Sms(activity) => (
            TemplateType::Sms,
            &activity.template_name,
            &activity.template_version,
        ),
        Kind::Custom(activity) => {
            let uri = activity.delivery_uri.as_deref().filter(|uri| !uri.is_empty());
            return match uri {
                None => Ok(()),
                Some(uri) => {
                    let field = format!("{field}.DeliveryUri");
                    Ok(hooks::check_delivery_uri(api, &app.tenant.account, uri, &field)?)
                }
            };
        }
        _ => return Ok(()),
    };
    let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else {
        return match version.as_deref() {
            None | Some("") => Ok(()),
            Some(_) => Err(Error::invalid(
                format!("{field}.TemplateName"),
                "is required beside TemplateVersion",
            )
            .into()),
        };
    };
    let reference = Reference {
        kind: template,
        name,
        version: version.as_deref(),
        name_field: &format!("{field}.TemplateName"),
        version_field: &format!("{field}.TemplateVersion"),
    };
    template_references::check(api, &app.tenant, reference).await
}
