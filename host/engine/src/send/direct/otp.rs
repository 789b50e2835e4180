//! One-time passwords: a random code, a message in the asked language, and a hash in the store.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use pinion_domain::channel::ChannelType;
use pinion_domain::message::AddressConfiguration;
use pinion_domain::otp::{SendOtp, VerifyOtp, code};
use pinion_store::{AppRef, NewOtp};

use super::said::{Said, Words};
use super::{Asked, DirectResults, Order, Says, To};
use crate::{Engine, Result};

impl Engine {
    /// Sends a fresh code and keeps its hash. A code that was sent before to the same number for the same
    /// reference is worth nothing from then on.
    pub async fn send_otp(&self, app: &AppRef, request: &SendOtp, asked: &Asked) -> Result<DirectResults> {
        let terms = request.check()?;
        let code = code(terms.length, &mut rand::rng());
        let text = terms.language.message(&code, &request.brand_name);
        let said = Said::new(ChannelType::Sms, Words::Fixed(text))
            .from(Some(request.origination_identity.clone()))
            .fact("message-type", Some("TRANSACTIONAL"))
            .fact("origination-number", Some(&request.origination_identity))
            .fact("entity-id", request.entity_id.as_deref())
            .fact("template-id", request.template_id.as_deref());
        let otp = NewOtp {
            destination: request.destination_identity.clone(),
            reference: request.reference_id.clone(),
            code,
            attempts: terms.attempts,
            expires: self.inner.clock.now() + SignedDuration::from_mins(i64::from(terms.minutes)),
        };
        let nobody = BTreeMap::new();
        let nothing = BTreeMap::new();
        let configuration = AddressConfiguration {
            channel_type: Some(ChannelType::Sms),
            ..AddressConfiguration::default()
        };
        let addresses = BTreeMap::from([(request.destination_identity.clone(), Some(configuration))]);
        let order = Order {
            to: To {
                addresses: &addresses,
                endpoints: &nobody,
                users: &nobody,
            },
            says: Says::Password(Box::new((said, otp))),
            context: &nothing,
            trace_id: None,
        };
        self.carry_out(app, order, asked).await
    }

    /// Is this the code that was sent? A right one is worth nothing afterwards.
    pub async fn verify_otp(&self, app: &AppRef, request: &VerifyOtp) -> Result<bool> {
        request.check()?;
        let VerifyOtp {
            destination_identity,
            otp,
            reference_id,
        } = request;
        Ok(self
            .store()
            .verify_otp(app, destination_identity, reference_id, otp)
            .await?)
    }
}
