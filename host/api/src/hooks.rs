//! Where a document names code to run: hooks and custom delivery. A plugin that is named must be
//! there and of the right kind when the document is written, so that mistakes show at once.

use pinion_domain::Error;
use pinion_domain::campaign::{CampaignHook, CustomDelivery, PluginReference};
use pinion_domain::extension::{Kind, Plugins};
use pinion_domain::id::AccountId;

use crate::Api;

/// Checks a `CampaignHook`. One without a function and without a URL is none at all.
pub(crate) fn check_hook(
    api: &Api,
    account: &AccountId,
    hook: &CampaignHook,
    field: &str,
) -> Result<(), Error> {
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if given(&hook.web_url) {
        return Err(Error::Unsupported("CampaignHook.WebUrl".to_owned()));
    }
    match hook.mode.as_deref() {
        None | Some("" | "FILTER") => {}
        // At AWS, too, DELIVERY is gone: custom channels took its place.
        Some(_) => {
            return Err(Error::invalid(
                format!("{field}.Mode"),
                "must be FILTER; CustomDeliveryConfiguration sends through a custom channel",
            ));
        }
    }
    match hook.lambda_function_name.as_deref() {
        None | Some("") => Ok(()),
        Some(function) => {
            let field = format!("{field}.LambdaFunctionName");
            let plugin = PluginReference::parse(function).ok_or_else(|| {
                Error::invalid(
                    &field,
                    "must be plugin:NAME, for this server runs components and no Lambdas",
                )
            })?;
            check_plugin(&**api.plugins(), account, plugin.name, Kind::Personalizer, &field)
        }
    }
}

/// Checks a `CustomDeliveryConfiguration`.
pub(crate) fn check_delivery(
    api: &Api,
    account: &AccountId,
    delivery: &CustomDelivery,
    field: &str,
) -> Result<(), Error> {
    check_delivery_uri(
        api,
        account,
        &delivery.delivery_uri,
        &format!("{field}.DeliveryUri"),
    )
}

/// Checks who delivers custom messages: a channel, or a web hook as at AWS.
pub(crate) fn check_delivery_uri(
    api: &Api,
    account: &AccountId,
    uri: &str,
    field: &str,
) -> Result<(), Error> {
    match PluginReference::parse(uri) {
        Some(plugin) => check_plugin(&**api.plugins(), account, plugin.name, Kind::Channel, field),
        None if url::Url::parse(uri).is_ok_and(|url| url.scheme() == "https") => Ok(()),
        None => Err(Error::invalid(field, "must be plugin:NAME or an https URL")),
    }
}

/// Is there a plugin of that name and kind for the account?
pub(crate) fn check_plugin(
    plugins: &dyn Plugins,
    account: &AccountId,
    name: &str,
    kind: Kind,
    field: &str,
) -> Result<(), Error> {
    let found = plugins
        .list(account)
        .into_iter()
        .find(|plugin| plugin.manifest.name == name);
    match found {
        Some(plugin) if plugin.manifest.kind == kind => Ok(()),
        Some(plugin) => Err(Error::invalid(
            field,
            format!("plugin {name} is a {}, not a {kind}", plugin.manifest.kind),
        )),
        None => Err(Error::invalid(field, format!("plugin {name} is not installed"))),
    }
}
