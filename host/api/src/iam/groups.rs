//! Groups, and who is in them.

use pinion_domain::Error;
use pinion_domain::iam::entity::{EntityKind, Group, Holder};
use pinion_domain::id::AccountId;
use pinion_store::Stored;
use schemars::JsonSchema;
use serde::Serialize;
use serde_with::skip_serializing_none;

use super::{PolicyNames, existing};
use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupResponse {
    group_name: String,
    group_id: String,
    arn: String,
    creation_date: String,
    /// Left out of lists.
    users: Option<Vec<String>>,
    #[serde(flatten)]
    policies: Option<PolicyNames>,
}

impl GroupResponse {
    fn new(account: &AccountId, group: Stored<Group>) -> Self {
        Self {
            arn: EntityKind::Group.arn(account.as_str(), &group.name),
            group_name: group.name,
            group_id: group.id,
            creation_date: group.creation_date,
            users: None,
            policies: None,
        }
    }
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let groups = api.store().entities::<Group>(account, &call.page()?).await?;
    Answer::page(&groups.map(|group| GroupResponse::new(account, group)))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("group-name");
    EntityKind::Group.check_name(name)?;
    let account = &call.tenant.account;
    let group = api.store().create_entity(account, name, Group {}).await?;
    Answer::json(&GroupResponse::new(account, group))
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let group: Stored<Group> = existing(api, &call, call.label("group-name")).await?;
    let users = api.store().members_of(account, &group.name).await?;
    let policies = PolicyNames::of(api, account, &Holder::group(group.name.as_str())).await?;
    Answer::json(&GroupResponse {
        users: Some(users),
        policies: Some(policies),
        ..GroupResponse::new(account, group)
    })
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let group = api
        .store()
        .delete_entity(account, call.label("group-name"))
        .await?;
    Answer::json(&GroupResponse::new(account, group))
}

pub(crate) async fn add(api: &Api, call: Call) -> Result<Answer> {
    let (group, user) = (call.label("group-name"), call.label("user-name"));
    api.store()
        .add_to_group(&call.tenant.account, group, user)
        .await?;
    Ok(Answer::empty())
}

pub(crate) async fn remove(api: &Api, call: Call) -> Result<Answer> {
    let (group, user) = (call.label("group-name"), call.label("user-name"));
    if !api
        .store()
        .remove_from_group(&call.tenant.account, group, user)
        .await?
    {
        return Err(Error::not_found("member", format!("{user} of group {group}")).into());
    }
    Ok(Answer::empty())
}
