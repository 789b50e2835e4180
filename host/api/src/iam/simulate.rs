//! What a user or role may do, and which statement says so, without doing it.

use std::collections::BTreeMap;

use pinion_domain::Error;
use pinion_domain::arn::Arn;
use pinion_domain::iam::decide::{Deciding, Layer};
use pinion_domain::iam::entity::{EntityKind, Holder};
use pinion_domain::iam::{Request, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::missing;
use crate::Api;
use crate::auth::{Authority, Identity, Principal, of_principal, resource_tags};
use crate::error::Result;
use crate::extract::{Answer, Call};

/// Questions of one request.
const MOST: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Questions {
    actions: Vec<String>,
    resources: Vec<String>,
    /// Values of condition keys; the principal's own and the time are known.
    #[serde(default)]
    context: BTreeMap<String, OneOrMany>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    action: String,
    resource: String,
    /// `allowed`, `explicitDeny` or `implicitDeny`, as IAM's own simulator says.
    decision: &'static str,
    /// The statement that decided.
    statement: Option<StatementResponse>,
    /// Without one: of which sort of policies none allows.
    not_allowed_by: Option<&'static str>,
}

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct StatementResponse {
    layer: &'static str,
    policy: String,
    sid: Option<String>,
    /// From 0.
    index: usize,
}

/// An outcome per action and resource.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimulationResponse")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Outcomes {
    results: Vec<Outcome>,
}

fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity",
        Layer::Boundary => "boundary",
        Layer::Session => "session",
    }
}

impl From<Deciding> for StatementResponse {
    fn from(deciding: Deciding) -> Self {
        Self {
            layer: layer(deciding.layer),
            policy: deciding.policy,
            sid: deciding.sid,
            index: deciding.index,
        }
    }
}

pub(crate) async fn simulate(api: &Api, call: Call) -> Result<Answer> {
    let questions: Questions = call.json()?;
    let (actions, resources) = (questions.actions.len(), questions.resources.len());
    if !(1..=MOST).contains(&(actions * resources)) {
        let problem = format!("Actions times Resources must be between 1 and {MOST}");
        return Err(Error::invalid("Actions", problem).into());
    }
    let authority = authority(api, &call).await?;
    let Some(policies) = authority.policies() else {
        return Err(Error::invalid("principal", "must be user/NAME or role/NAME").into());
    };
    let mut outcomes = Vec::new();
    for action in &questions.actions {
        for resource in &questions.resources {
            let mut context = of_principal(&authority);
            let now = api.clock().now();
            context.set("aws:CurrentTime", now.to_string());
            context.set("aws:EpochTime", now.as_second().to_string());
            context.set("aws:RequestedRegion", call.tenant.region.as_str());
            if let Some(arn) = Arn::parse(resource).filter(|arn| arn.account == call.tenant.account) {
                context.set_tags("aws:ResourceTag", &resource_tags(api, &call.tenant, &arn).await?);
            }
            for (key, value) in &questions.context {
                match value {
                    OneOrMany::One(value) => context.set(key, value.as_str()),
                    OneOrMany::Many(values) => context.set_all(key, values.iter().cloned()),
                }
            }
            let verdict = policies.decide(&Request {
                action,
                resource,
                context: &context,
            });
            let (decision, statement, not_allowed_by) = match verdict {
                Verdict::Allowed(deciding) => ("allowed", Some(deciding.into()), None),
                Verdict::Denied(deciding) => ("explicitDeny", Some(deciding.into()), None),
                Verdict::NotAllowed(by) => ("implicitDeny", None, Some(layer(by))),
            };
            outcomes.push(Outcome {
                action: action.clone(),
                resource: resource.clone(),
                decision,
                statement,
                not_allowed_by,
            });
        }
    }
    Answer::json(&Outcomes { results: outcomes })
}

/// The principal of the path, as if it had signed with a key of its own.
async fn authority(api: &Api, call: &Call) -> Result<Authority> {
    let text = call.label("principal");
    let wrong = || Error::invalid("principal", "must be user/NAME or role/NAME");
    let holder = Holder::parse(text)
        .filter(|holder| holder.kind != EntityKind::Group)
        .ok_or_else(wrong)?;
    let grants = api.access.grants(&call.tenant.account, &holder).await?;
    let grants = grants.ok_or_else(|| missing(holder.kind, &holder.name))?;
    let id = grants.id.clone();
    let identity = match holder.kind {
        EntityKind::Role => Identity::Role {
            name: holder.name,
            id,
            session: "simulation".to_owned(),
        },
        _ => Identity::User {
            name: holder.name,
            id,
        },
    };
    Ok(Authority {
        principal: Principal {
            access_key_id: "".into(),
            account: call.tenant.account.clone(),
            identity,
            session: None,
        },
        grants: Some(grants),
        session: None,
    })
}
