//! Applications, endpoints, campaigns and plugins on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Target;

/// `pinion app`
#[derive(Debug, Args)]
pub struct AppCommand {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: App,
}

#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Lists them.
    List,
    /// Makes one.
    Create {
        /// The name.
        name: String,
        /// Tags.
        #[arg(long = "tag", value_name = "KEY=VALUE")]
        tags: Vec<String>,
    },
    /// Shows one with its settings and channels.
    Show {
        /// The application.
        app: String,
    },
    /// Deletes one with all that belongs to it.
    Delete {
        /// The application.
        app: String,
    },
}

/// `pinion endpoint`
#[derive(Debug, Args)]
pub struct EndpointCommand {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Endpoint,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Endpoint {
    /// Shows one.
    Show {
        /// The application.
        app: String,
        /// The endpoint.
        endpoint: String,
    },
}

/// `pinion campaign`
#[derive(Debug, Args)]
pub struct CampaignCommand {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Campaign,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Campaign {
    /// Shows one with its runs.
    Show(OneCampaign),
    /// Holds it, and the run under way.
    Pause(OneCampaign),
    /// Lets it go on.
    Resume(OneCampaign),
}

#[derive(Debug, Args)]
pub(crate) struct OneCampaign {
    /// The application.
    pub(crate) app: String,
    /// The campaign.
    pub(crate) campaign: String,
}

/// `pinion plugin`
#[derive(Debug, Args)]
pub struct PluginCommand {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: PluginTask,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginTask {
    /// Needs no server.
    #[command(flatten)]
    File(crate::commands::plugin::Plugin),
    /// Asks one.
    #[command(flatten)]
    Account(Plugin),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Lists the account's plugins and the server's.
    List,
    /// Shows one with what it asks for and what it was granted.
    Show {
        /// The name.
        name: String,
    },
    /// Installs a component, or swaps it for the one that serves under the name.
    Put {
        /// The name.
        name: String,
        /// The component file.
        file: PathBuf,
    },
    /// Removes one.
    Delete {
        /// The name.
        name: String,
    },
    /// Replaces what it may reach; without any, it may reach nothing.
    Grants {
        /// The name.
        name: String,
        /// `https://api.example.com:443`
        grants: Vec<String>,
    },
}
