//! What a phone number tells.

use pinion_domain::phone::{NumberValidateRequest, validate};

use crate::Api;
use crate::error::Result;
use crate::extract::{Answer, Call};

pub(crate) async fn validate_number(_: &Api, call: Call) -> Result<Answer> {
    let request: NumberValidateRequest = call.json()?;
    Answer::json(&validate(&request)?)
}
