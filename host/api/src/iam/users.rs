//! Users.

use pinion_domain::iam::entity::{EntityKind, Holder, User, UserChange};
use pinion_domain::id::AccountId;
use pinion_store::Stored;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{PolicyNames, Tags, boundary_arn, boundary_name, existing};
use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::{Api, tags};

#[skip_serializing_none]
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UserResponse {
    user_name: String,
    user_id: String,
    arn: String,
    creation_date: String,
    permissions_boundary: Option<String>,
    #[serde(rename = "tags")]
    tags: Tags,
    /// Left out of lists.
    groups: Option<Vec<String>>,
    #[serde(flatten)]
    policies: Option<PolicyNames>,
}

impl UserResponse {
    fn new(account: &AccountId, user: Stored<User>) -> Self {
        Self {
            arn: EntityKind::User.arn(account.as_str(), &user.name),
            permissions_boundary: boundary_arn(account, user.entity.boundary.as_deref()),
            tags: user.entity.tags,
            user_name: user.name,
            user_id: user.id,
            creation_date: user.creation_date,
            groups: None,
            policies: None,
        }
    }

    async fn whole(api: &Api, account: &AccountId, user: Stored<User>) -> Result<Self> {
        let groups = api.store().groups_of(account, &user.name).await?;
        let policies = PolicyNames::of(api, account, &Holder::user(user.name.as_str())).await?;
        Ok(Self {
            groups: Some(groups),
            policies: Some(policies),
            ..Self::new(account, user)
        })
    }
}

/// What is left out stays, or is nothing.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UserRequest {
    permissions_boundary: Option<String>,
    #[serde(rename = "tags")]
    tags: Option<Tags>,
}

impl UserRequest {
    fn change(self, api: &Api, call: &Call) -> Result<UserChange> {
        if let Some(given) = &self.tags {
            tags::check(api, given)?;
        }
        let boundary = self.permissions_boundary.map(|arn| boundary_name(call, &arn));
        Ok(UserChange {
            boundary: boundary.transpose()?,
            tags: self.tags,
            sessions_from: None,
        })
    }
}

pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let users = api.store().entities::<User>(account, &call.page()?).await?;
    Answer::page(&users.map(|user| UserResponse::new(account, user)))
}

pub(crate) async fn create(api: &Api, call: Call) -> Result<Answer> {
    let name = call.label("user-name");
    EntityKind::User.check_name(name)?;
    let change = call.optional_json::<UserRequest>()?.change(api, &call)?;
    let user = User {
        boundary: change.boundary.flatten(),
        tags: change.tags.unwrap_or_default(),
        sessions_from: None,
    };
    let account = &call.tenant.account;
    let user = api.store().create_entity(account, name, user).await?;
    Answer::json(&UserResponse::whole(api, account, user).await?)
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let user = existing(api, &call, call.label("user-name")).await?;
    Answer::json(&UserResponse::whole(api, &call.tenant.account, user).await?)
}

pub(crate) async fn update(api: &Api, call: Call) -> Result<Answer> {
    let change = call.json::<UserRequest>()?.change(api, &call)?;
    let account = &call.tenant.account;
    let user = api
        .store()
        .update_entity(account, call.label("user-name"), change)
        .await?;
    Answer::json(&UserResponse::whole(api, account, user).await?)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let account = &call.tenant.account;
    let user = api
        .store()
        .delete_entity(account, call.label("user-name"))
        .await?;
    Answer::json(&UserResponse::new(account, user))
}

/// Ends all session tokens that the user was given until now.
pub(crate) async fn revoke(api: &Api, call: Call) -> Result<Answer> {
    let change = UserChange {
        sessions_from: Some(api.clock().now()),
        ..UserChange::default()
    };
    let name = call.label("user-name");
    api.store()
        .update_entity::<User>(&call.tenant.account, name, change)
        .await?;
    Ok(Answer::empty())
}
