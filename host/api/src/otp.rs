//! One-time passwords.

use pinion_domain::otp::{SendOtp, VerifyOtp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};
use crate::messages::{MessageResponse, asked};

/// `VerificationResponse`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VerificationResponse {
    valid: bool,
}

/// The code itself is nowhere in the answer.
pub(crate) async fn send(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request: SendOtp = call.json()?;
    let results = api.engine.send_otp(&app, &request, &asked(api, &call)?).await?;
    Answer::json(&MessageResponse::new(&call, results, true, false))
}

/// A wrong, used or expired code is no error: it is not valid.
pub(crate) async fn verify(api: &Api, call: Call) -> Result<Answer> {
    let app = api.app(&call).await?;
    let request: VerifyOtp = call.json()?;
    let valid = api.engine.verify_otp(&app, &request).await?;
    Answer::json(&VerificationResponse { valid })
}
