//! Made-up people in Pinpoint's import format: skewed attributes, several locales, deterministic.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use pinion_domain::app::CreateApplication;
use pinion_domain::channel::ChannelType;
use pinion_domain::id::Tenant;
use pinion_store::{AppRef, Store};
use serde_json::json;

/// The region of everything that is measured.
pub const REGION: &str = "us-east-1";

const NAMES: [&str; 8] = [
    "Ana", "Żaneta", "李雷", "O'Brien", "Jürgen", "Zoë", "Nguyễn", "Noor",
];
const CITIES: [&str; 6] = ["Kraków", "São Paulo", "東京", "Berlin", "Nairobi", "Paris"];
const LOCALES: [&str; 5] = ["en-US", "pl-PL", "de-DE", "ja-JP", "pt-BR"];
const PLANS: [&str; 4] = ["free", "free", "basic", "pro"];

/// Whose everything is.
pub async fn tenant(store: &Store) -> Result<Tenant> {
    Ok(Tenant {
        account: store.default_account().await?,
        region: REGION.into(),
    })
}

/// A new application with an e-mail channel.
pub async fn new_app(store: &Store) -> Result<AppRef> {
    let tenant = tenant(store).await?;
    let create = CreateApplication {
        name: "bench".to_owned(),
        tags: Default::default(),
    };
    let app = store.create_app(&tenant, create).await?;
    let app = store.app(&tenant, &app.id).await?;
    let app = app.context("the application exists")?;
    let channel = json!({ "FromAddress": "news@example.com", "Identity": "none", "Enabled": true });
    store.put_channel(&app, ChannelType::Email, channel).await?;
    Ok(app)
}

/// Writes a CSV of `size` endpoints.
pub fn write_csv(path: &Path, size: u32) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(
        file,
        "ChannelType,Address,Id,Attributes.plan,Attributes.likes,Attributes.likes,Metrics.score,\
         Demographic.Locale,Location.City,Location.Country,User.UserId,User.UserAttributes.FirstName"
    )?;
    for n in 0..size {
        // A multiplicative hash: well spread, and the same in every run.
        let h = n.wrapping_mul(2_654_435_761) >> 8;
        let pick = |list: &[&'static str], shift: u32| list[(h >> shift) as usize % list.len()];
        writeln!(
            file,
            "EMAIL,person{n}@example.com,e{n},{},like{},\"tea, {}\",{}.5,{},{},XX,u{n},{}",
            pick(&PLANS, 0),
            h % 50,
            h % 7,
            h % 100,
            pick(&LOCALES, 3),
            pick(&CITIES, 5),
            pick(&NAMES, 7),
        )?;
    }
    file.flush()?;
    Ok(())
}

/// A mail of 2 KB of HTML with five variables and three links.
pub fn html() -> String {
    let filler = "<p style=\"margin:0 0 16px;font:16px/24px Helvetica,Arial,sans-serif;color:#1b1b1b\">\
                  We picked a few things that other people in your city enjoyed this week, and kept it short.</p>";
    let mut html = String::from(
        "<!doctype html><html><body style=\"background:#f6f6f6\"><h1>Hello \
         {{User.UserAttributes.FirstName.[0]}}</h1><p>You are on {{Attributes.plan}} in {{Location.City}}, \
         with {{Metrics.score}} points.</p><p>Your locale is {{Demographic.Locale}}.</p>\
         <p><a href=\"https://shop.example.com/offers?campaign=autumn\">Offers</a> \
         <a href=\"https://shop.example.com/account\">Account</a> \
         <a href=\"https://shop.example.com/help?from=mail&amp;topic=all\">Help</a></p>",
    );
    while html.len() < 2_000 {
        html.push_str(filler);
    }
    html.push_str("</body></html>");
    html
}
