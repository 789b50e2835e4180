//! The command line: what there is to say. What it does is in `commands`.

pub mod iam;
pub mod resources;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use pinion_domain::id::AccountId;

use crate::commands;
use crate::config::Config;

/// A self-hosted customer-engagement server that speaks Amazon Pinpoint's API.
#[derive(Debug, Parser)]
#[command(name = "pinion", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server.
    Serve(Serve),
    /// Access keys.
    #[command(subcommand)]
    Key(Key),
    /// Signs a request, sends it to a running server and prints the answer.
    Call(Call),
    /// The console in the browser.
    #[command(subcommand)]
    Console(Console),
    /// The settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Copies the data consistently into a new folder, beside a running server or not.
    Backup(Backup),
    /// Lets sending begin on data that was opened under a new identity. The server must not run.
    Release(Data),
    /// Users, groups, roles and policies.
    Iam(iam::IamCommand),
    /// Applications.
    App(resources::AppCommand),
    /// Endpoints.
    Endpoint(resources::EndpointCommand),
    /// Campaigns.
    Campaign(resources::CampaignCommand),
    /// Plugins: making, checking and measuring them; and those of an account.
    Plugin(resources::PluginCommand),
    /// Looks whether everything is there that a server needs, and says what is not.
    Doctor(Data),
}

/// Whom a command asks. With a data folder it is the server that runs there, as the account's root; without,
/// a server somewhere, with a key.
#[derive(Debug, Args)]
pub struct Target {
    /// The data folder of this machine's server. If none runs there, the command works on the data itself.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// With --data: the settings, a TOML file.
    #[arg(long, value_name = "FILE", env = "PINION_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// With --data: the account, twelve digits; the server's default account if absent.
    #[arg(long, value_name = "ID", global = true, value_parser = account)]
    pub(crate) account: Option<AccountId>,
    /// Without --data: the server.
    #[arg(
        long,
        value_name = "URL",
        env = "AWS_ENDPOINT_URL",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    pub(crate) endpoint: String,
    /// The region that requests are signed for.
    #[arg(long, env = "AWS_DEFAULT_REGION", default_value = "us-east-1", global = true)]
    pub(crate) region: String,
    /// Without --data: the key.
    #[arg(long, value_name = "ID", env = "AWS_ACCESS_KEY_ID", global = true)]
    pub(crate) access_key_id: Option<String>,
    /// Its secret.
    #[arg(
        long,
        value_name = "SECRET",
        env = "AWS_SECRET_ACCESS_KEY",
        hide_env_values = true,
        global = true
    )]
    pub(crate) secret_access_key: Option<String>,
    /// The token of a temporary key.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "AWS_SESSION_TOKEN",
        hide_env_values = true,
        global = true
    )]
    pub(crate) session_token: Option<String>,
}

/// Where data and settings are.
#[derive(Debug, Args)]
pub struct Data {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The settings, a TOML file.
    #[arg(long, value_name = "FILE", env = "PINION_CONFIG")]
    pub config: Option<PathBuf>,
}

impl Data {
    /// The settings of file and environment.
    pub fn settings(&self) -> Result<Config> {
        Config::load(self.config.as_deref(), std::env::vars())
    }
}

/// `pinion serve`
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub(crate) data: Data,
    /// Address and port of the API and the console.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Makes an access key and prints its secret, once.
    Create(KeyCreate),
    /// Lists access keys, without their secrets.
    List(Data),
    /// Disables an access key; a running server notices within a second.
    Disable {
        #[command(flatten)]
        data: Data,
        /// The key.
        access_key_id: String,
    },
}

/// `pinion key create`
#[derive(Debug, Args)]
pub struct KeyCreate {
    #[command(flatten)]
    pub(crate) data: Data,
    /// The account, twelve digits; the server's default account if absent.
    #[arg(long, value_name = "ID", value_parser = account)]
    pub(crate) account: Option<AccountId>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pinion call`
#[derive(Debug, Args)]
pub struct Call {
    /// GET, POST, PUT or DELETE.
    pub(crate) method: String,
    /// Path and query, encoded: `/v1/apps`.
    pub(crate) path: String,
    /// The body, or `@FILE`.
    pub(crate) body: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
enum Console {
    /// Prints a link that opens the console once, within fifteen minutes.
    Link {
        #[command(flatten)]
        data: Data,
        /// The server as the browser sees it.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads settings of file and environment and tells mistakes by line.
    Check {
        /// The settings, a TOML file.
        #[arg(long, value_name = "FILE", env = "PINION_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// `pinion backup`
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    pub(crate) data: Data,
    /// The new folder. The master key is not copied: keep it elsewhere.
    pub(crate) to: PathBuf,
}

/// Does what was said.
pub fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => commands::serve::run(serve).await,
            Command::Key(Key::Create(create)) => commands::key::create(create).await,
            Command::Key(Key::List(data)) => commands::key::list(&data).await,
            Command::Key(Key::Disable { data, access_key_id }) => {
                commands::key::disable(&data, &access_key_id).await
            }
            Command::Call(call) => commands::call::run(call).await,
            Command::Console(Console::Link { data, url }) => commands::console::link(&data, &url).await,
            Command::Config(ConfigCommand::Check { config }) => commands::config::check(config.as_deref()),
            Command::Backup(backup) => commands::data::backup(backup).await,
            Command::Release(data) => commands::data::release(&data).await,
            Command::Iam(command) => commands::iam::run(command).await,
            Command::App(command) => commands::resources::app(command).await,
            Command::Endpoint(command) => commands::resources::endpoint(command).await,
            Command::Campaign(command) => commands::resources::campaign(command).await,
            Command::Plugin(command) => commands::resources::plugin(command).await,
            Command::Doctor(data) => commands::doctor::run(&data).await,
        }
    })
}

/// Anything else would be a world of its own that no key can sign for.
fn account(text: &str) -> Result<AccountId, &'static str> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.into())
    } else {
        Err("must be twelve digits")
    }
}
