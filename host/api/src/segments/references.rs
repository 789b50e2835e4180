//! What segments name: other segments, and plugins. All of it must be there when a document is written,
//! and no segment may lead to itself, or it would be evaluated for ever.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::campaign::CampaignDocument;
use pinion_domain::extension::Kind;
use pinion_domain::id::SegmentId;
use pinion_domain::segment::{
    SegmentDimensions, SegmentDocument, SegmentGroupList, SegmentReference, WriteSegment,
};
use pinion_store::AppRef;

use crate::error::Result;
use crate::{Api, hooks};

/// Segments that one segment may reach through its source segments.
const MOST_REACHABLE: usize = 200;

/// A reference and the path of the member that it is.
type Named = (String, SegmentReference);

/// Checks a request for the segment `own`, or for a new one.
pub(super) async fn check(api: &Api, app: &AppRef, own: Option<&str>, write: &WriteSegment) -> Result<()> {
    let groups = write.segment_groups.as_ref();
    let grouped = groups.iter().flat_map(|list| &list.groups).enumerate();
    let grouped = grouped.flat_map(|(group_no, group)| {
        let dimensions = group.dimensions.iter().enumerate();
        dimensions.map(move |(no, dimensions)| {
            (
                dimensions,
                format!("SegmentGroups.Groups[{group_no}].Dimensions[{no}]"),
            )
        })
    });
    let single = write
        .dimensions
        .iter()
        .map(|dimensions| (dimensions, "Dimensions".to_owned()));
    let all: Vec<(&SegmentDimensions, String)> = single.chain(grouped).collect();
    for (dimensions, field) in all {
        check_plugins(api, app, dimensions, &field)?;
        check_campaigns(api, app, dimensions, &field).await?;
    }
    let reached = reach(api, app, own, sources(groups)).await?;
    for (group_no, group) in groups.iter().flat_map(|list| &list.groups).enumerate() {
        let imported = |source: &SegmentReference| reached.get(&key(source)) == Some(&true);
        if group.source_segments.len() > 1 && group.source_segments.iter().any(imported) {
            return Err(Error::invalid(
                format!("SegmentGroups.Groups[{group_no}].SourceSegments"),
                "an imported segment must be a group's only source",
            )
            .into());
        }
    }
    Ok(())
}

/// Is there such a segment?
pub(crate) async fn check_exists(api: &Api, app: &AppRef, id: &SegmentId, field: &str) -> Result<()> {
    let found = api
        .store()
        .document::<SegmentDocument>(app, id.as_str(), None)
        .await?;
    match found {
        Some(_) => Ok(()),
        None => Err(Error::invalid(field, format!("there is no segment {id}")).into()),
    }
}

/// Is there such a segment, and is neither it nor any that it is built on imported? Events choose among
/// those whom conditions describe, not from a list.
pub(crate) async fn check_dynamic(api: &Api, app: &AppRef, id: &SegmentId, field: &str) -> Result<()> {
    let reference = SegmentReference {
        id: id.clone(),
        version: None,
    };
    let reached = reach(api, app, None, vec![(field.to_owned(), reference)]).await?;
    match reached.into_iter().find(|(_, imported)| *imported) {
        None => Ok(()),
        Some(((imported, _), _)) if imported == *id => {
            Err(Error::invalid(field, "must not be an imported segment").into())
        }
        Some(((imported, _), _)) => Err(Error::invalid(
            field,
            format!("must not be built on segment {imported}, which is imported"),
        )
        .into()),
    }
}

/// Are the plugins that attributes name predicates of the account?
pub(crate) fn check_plugins(
    api: &Api,
    app: &AppRef,
    dimensions: &SegmentDimensions,
    field: &str,
) -> Result<()> {
    for name in dimensions.attributes.iter().flat_map(BTreeMap::keys) {
        if let Some(plugin) = name.strip_prefix("plugin:") {
            hooks::check_plugin(
                &**api.plugins(),
                &app.tenant.account,
                plugin,
                Kind::Predicate,
                &format!("{field}.Attributes.{name}"),
            )?;
        }
    }
    Ok(())
}

/// Are the campaigns there whose recipients attributes name?
async fn check_campaigns(api: &Api, app: &AppRef, dimensions: &SegmentDimensions, field: &str) -> Result<()> {
    for name in dimensions.attributes.iter().flat_map(BTreeMap::keys) {
        if let Some(id) = name.strip_prefix("campaign:")
            && api
                .store()
                .document::<CampaignDocument>(app, id, None)
                .await?
                .is_none()
        {
            let field = format!("{field}.Attributes.{name}");
            return Err(Error::invalid(field, format!("there is no campaign {id}")).into());
        }
    }
    Ok(())
}

/// The segments that references lead to, through sources of sources too, and whether each was imported.
async fn reach(
    api: &Api,
    app: &AppRef,
    own: Option<&str>,
    mut waiting: Vec<Named>,
) -> Result<BTreeMap<(SegmentId, Option<u32>), bool>> {
    let mut reached = BTreeMap::new();
    while let Some((field, reference)) = waiting.pop() {
        // A pinned version may name the segment: it was written before this one.
        if own == Some(reference.id.as_str()) && reference.version.is_none() {
            return Err(Error::invalid(field, "leads back to the segment itself").into());
        }
        if reached.contains_key(&key(&reference)) {
            continue;
        }
        if reached.len() == MOST_REACHABLE {
            return Err(Error::LimitExceeded(format!(
                "the segment leads to more than {MOST_REACHABLE} others"
            ))
            .into());
        }
        let SegmentReference { id, version } = &reference;
        let source = api
            .store()
            .document::<SegmentDocument>(app, id.as_str(), *version)
            .await?
            .ok_or_else(|| {
                let problem = match version {
                    None => format!("there is no segment {id}"),
                    Some(version) => format!("there is no segment {id} in version {version}"),
                };
                Error::invalid(&field, problem)
            })?
            .document;
        reached.insert(key(&reference), source.import_definition.is_some());
        let next = sources(source.segment_groups.as_ref());
        waiting.extend(next.into_iter().map(|(_, reference)| (field.clone(), reference)));
    }
    Ok(reached)
}

fn key(reference: &SegmentReference) -> (SegmentId, Option<u32>) {
    (reference.id.clone(), reference.version)
}

fn sources(groups: Option<&SegmentGroupList>) -> Vec<Named> {
    let groups = groups.into_iter().flat_map(|list| &list.groups).enumerate();
    groups
        .flat_map(|(group_no, group)| {
            group
                .source_segments
                .iter()
                .enumerate()
                .map(move |(source_no, source)| {
                    let field = format!("SegmentGroups.Groups[{group_no}].SourceSegments[{source_no}]");
                    (field, source.clone())
                })
        })
        .collect()
}
