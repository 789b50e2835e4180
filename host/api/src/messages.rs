//! Direct messages.

use pinion_domain::message::MessageRequest;
use serde_json::json;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

/// Answers 200 even if every recipient failed: the results tell.
pub(crate) async fn send(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request: MessageRequest = call.json()?;
    let results = api.engine.send_messages(&app, &request, &call.request_id).await?;
    let mut response = json!({ "ApplicationId": app.id, "RequestId": call.request_id });
    if request.addresses.is_some() {
        response["Result"] = json!(results.addresses);
    }
    if request.endpoints.is_some() {
        response["EndpointResult"] = json!(results.endpoints);
    }
    Answer::json(&response)
}
