//! `pinion app`, `pinion endpoint`, `pinion campaign`, `pinion plugin`

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::remote::{Remote, answered, segment};
use super::{pairs, say, show};
use crate::cli::resources::{
    App, AppCommand, Campaign, CampaignCommand, Endpoint, EndpointCommand, OneCampaign, Plugin,
    PluginCommand, PluginTask,
};

pub(crate) async fn app(AppCommand { target, command }: AppCommand) -> Result<()> {
    let remote = Remote::open(&target).await?;
    let done = match command {
        App::List => list_apps(&remote).await,
        App::Create { name, tags } => create_app(&remote, &name, &tags).await,
        App::Show { app } => show_app(&remote, &app).await,
        App::Delete { app } => {
            let path = format!("/v1/apps/{}", segment(&app));
            remote.json("DELETE", &path, None).await.map(drop)
        }
    };
    remote.close().await;
    done
}

async fn list_apps(remote: &Remote) -> Result<()> {
    for app in remote.items("/v1/apps").await? {
        let column = |member: &str| app[member].as_str().unwrap_or_default();
        say(&format!(
            "{}  {}  {}",
            column("Id"),
            column("CreationDate"),
            column("Name")
        ))?;
    }
    Ok(())
}

async fn create_app(remote: &Remote, name: &str, tags: &[String]) -> Result<()> {
    let tags: serde_json::Map<String, Value> = pairs(tags)?
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    let body = json!({ "Name": name, "tags": tags });
    show(&remote.json("POST", "/v1/apps", Some(&body)).await?)
}

async fn show_app(remote: &Remote, app: &str) -> Result<()> {
    let path = format!("/v1/apps/{}", segment(app));
    let mut app = remote.json("GET", &path, None).await?;
    app["Settings"] = remote.json("GET", &format!("{path}/settings"), None).await?;
    app["Channels"] = remote.json("GET", &format!("{path}/channels"), None).await?["Channels"].take();
    show(&app)
}

pub(crate) async fn endpoint(EndpointCommand { target, command }: EndpointCommand) -> Result<()> {
    let remote = Remote::open(&target).await?;
    let Endpoint::Show { app, endpoint } = command;
    let path = format!("/v1/apps/{}/endpoints/{}", segment(&app), segment(&endpoint));
    let found = remote.json("GET", &path, None).await;
    remote.close().await;
    show(&found?)
}

pub(crate) async fn campaign(CampaignCommand { target, command }: CampaignCommand) -> Result<()> {
    let remote = Remote::open(&target).await?;
    let path = |one: &OneCampaign| {
        format!(
            "/v1/apps/{}/campaigns/{}",
            segment(&one.app),
            segment(&one.campaign)
        )
    };
    let done = match &command {
        Campaign::Show(one) => show_campaign(&remote, &path(one)).await,
        Campaign::Pause(one) => pause(&remote, &path(one), true).await,
        Campaign::Resume(one) => pause(&remote, &path(one), false).await,
    };
    remote.close().await;
    done
}

async fn show_campaign(remote: &Remote, path: &str) -> Result<()> {
    let mut campaign = remote.json("GET", path, None).await?;
    campaign["Activities"] = Value::Array(remote.items(&format!("{path}/activities")).await?);
    show(&campaign)
}

async fn pause(remote: &Remote, path: &str, paused: bool) -> Result<()> {
    let campaign = remote
        .json("PUT", path, Some(&json!({ "IsPaused": paused })))
        .await?;
    let state = campaign["State"]["CampaignStatus"].as_str().unwrap_or_default();
    say(&format!(
        "{} is {state}",
        campaign["Name"].as_str().unwrap_or_default()
    ))
}

pub(crate) async fn plugin(PluginCommand { target, command }: PluginCommand) -> Result<()> {
    let command = match command {
        PluginTask::File(command) => return super::plugin::run(command).await,
        PluginTask::Account(command) => command,
    };
    let remote = Remote::open(&target).await?;
    let path = |name: &str| format!("/pinion/v1/plugins/{}", segment(name));
    let done = match command {
        Plugin::List => list_plugins(&remote).await,
        Plugin::Show { name } => remote
            .json("GET", &path(&name), None)
            .await
            .and_then(|plugin| show(&plugin)),
        Plugin::Put { name, file } => match std::fs::read(&file) {
            Ok(component) => {
                let put = remote.send("PUT", &path(&name), component).await;
                put.and_then(answered).and_then(|plugin| show(&plugin))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        },
        Plugin::Delete { name } => remote.json("DELETE", &path(&name), None).await.map(drop),
        Plugin::Grants { name, grants } => {
            let body = json!({ "Grants": grants });
            let changed = remote
                .json("PUT", &format!("{}/grants", path(&name)), Some(&body))
                .await;
            changed.and_then(|plugin| show(&plugin))
        }
    };
    remote.close().await;
    done
}

async fn list_plugins(remote: &Remote) -> Result<()> {
    for plugin in remote.items("/pinion/v1/plugins").await? {
        let column = |member: &str| plugin[member].as_str().unwrap_or_default();
        let (name, version) = (column("Name"), column("Version"));
        say(&format!(
            "{name}  {version}  {}  {}",
            column("Kind"),
            column("Owner")
        ))?;
    }
    Ok(())
}
