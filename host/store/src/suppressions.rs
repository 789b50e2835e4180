//! Addresses that must not be sent to.

use pinion_domain::channel::ChannelType;
use pinion_domain::delivery::SuppressionReason;
use pinion_domain::id::Tenant;

use crate::{AppRef, Error, Result, Store};

impl Store {
    /// Suppresses an address, in one application or in all of the account.
    pub async fn suppress(
        &self,
        _tenant: &Tenant,
        _app: Option<&AppRef>,
        _channel: ChannelType,
        _address: &str,
        _reason: SuppressionReason,
    ) -> Result<()> {
        Err(Error::Setup("not built".into()))
    }

    /// Takes a suppression back.
    pub async fn unsuppress(&self, _tenant: &Tenant, _channel: ChannelType, _address: &str) -> Result<bool> {
        Err(Error::Setup("not built".into()))
    }

    /// Why each address is suppressed, if it is.
    pub async fn suppressed(
        &self,
        _app: &AppRef,
        _channel: ChannelType,
        _addresses: &[&str],
    ) -> Result<Vec<Option<SuppressionReason>>> {
        Err(Error::Setup("not built".into()))
    }

    /// Suppresses the address of an endpoint.
    pub async fn suppress_endpoint(
        &self,
        _app: &AppRef,
        _seq: u32,
        _channel: Option<ChannelType>,
        _reason: SuppressionReason,
    ) -> Result<bool> {
        Err(Error::Setup("not built".into()))
    }
}
