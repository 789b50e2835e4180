//! All endpoints of a user at once.

use pinion_domain::Error;
use pinion_domain::endpoint::{Endpoint, EndpointResponse};
use pinion_domain::id::{AppId, UserId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// `EndpointsResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EndpointsResponse {
    item: Vec<EndpointResponse>,
}

pub(crate) async fn get(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let user = user(&call);
    let endpoints = api.store().user_endpoints(&app, &user).await?;
    answer(&app.id, &user, endpoints)
}

pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let user = user(&call);
    let endpoints = api.store().delete_user(&app, &user).await?;
    answer(&app.id, &user, endpoints)
}

fn user(call: &Call) -> UserId {
    call.label("user-id").into()
}

fn answer(app: &AppId, user: &UserId, endpoints: Vec<Endpoint>) -> Result<Answer> {
    if endpoints.is_empty() {
        return Err(Error::not_found("user", user.as_str()).into());
    }
    let items: Vec<EndpointResponse> = endpoints
        .into_iter()
        .map(|endpoint| endpoint.response(app))
        .collect();
    Answer::json(&EndpointsResponse { item: items })
}
