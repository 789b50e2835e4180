//! `pinion iam`: users, groups, roles and policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Target;

/// `pinion iam`
#[derive(Debug, Args)]
pub struct IamCommand {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Iam,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Iam {
    /// Users.
    #[command(subcommand)]
    User(User),
    /// Groups.
    #[command(subcommand)]
    Group(Group),
    /// Roles.
    #[command(subcommand)]
    Role(Role),
    /// Managed policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Attaches a managed policy.
    Attach {
        /// The policy's name.
        policy: String,
        /// `user/ann`, `group/crew` or `role/sender`.
        holder: String,
    },
    /// Takes a managed policy off.
    Detach {
        /// The policy's name.
        policy: String,
        /// `user/ann`, `group/crew` or `role/sender`.
        holder: String,
    },
    /// Policies of one user, group or role alone.
    #[command(subcommand)]
    Inline(Inline),
    /// Access keys of users.
    #[command(subcommand)]
    Key(UserKey),
    /// Says what a user or role may do, and which statement decides.
    Simulate(Simulate),
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Lists them.
    List,
    /// Makes one.
    Create {
        /// The name.
        name: String,
        #[command(flatten)]
        bounds: Bounds,
    },
    /// Shows one with its groups and policies.
    Show {
        /// The name.
        name: String,
    },
    /// Changes its boundary, or all of its tags.
    Update {
        /// The name.
        name: String,
        #[command(flatten)]
        bounds: Bounds,
    },
    /// Removes one that has nothing left.
    Delete {
        /// The name.
        name: String,
    },
    /// Ends the session tokens that it was given until now.
    RevokeSessions {
        /// The name.
        name: String,
    },
}

/// What users and roles have in common.
#[derive(Debug, Args)]
pub(crate) struct Bounds {
    /// The managed policy that bounds it; empty for none.
    #[arg(long, value_name = "POLICY")]
    pub(crate) boundary: Option<String>,
    /// Tags, `aws:PrincipalTag` in policies.
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// Lists them.
    List,
    /// Makes one.
    Create {
        /// The name.
        name: String,
    },
    /// Shows one with its users and policies.
    Show {
        /// The name.
        name: String,
    },
    /// Removes one that has nothing left.
    Delete {
        /// The name.
        name: String,
    },
    /// Puts a user into a group.
    Add {
        /// The group.
        group: String,
        /// The user.
        user: String,
    },
    /// Takes a user out of a group.
    Remove {
        /// The group.
        group: String,
        /// The user.
        user: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Lists them.
    List,
    /// Makes one.
    Create(RoleDocument),
    /// Shows one with its policies.
    Show {
        /// The name.
        name: String,
    },
    /// Changes what is named, and all tags if any is.
    Update(RoleDocument),
    /// Removes one that has nothing left.
    Delete {
        /// The name.
        name: String,
    },
    /// Ends the sessions that were given until now.
    RevokeSessions {
        /// The name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RoleDocument {
    /// The name.
    pub(crate) name: String,
    /// A file with the trust policy: who may become it.
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Seconds that a session may last, 3600 to 43200.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_session: Option<u32>,
    /// For people.
    #[arg(long)]
    pub(crate) description: Option<String>,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Lists them.
    List,
    /// Makes one.
    Create(PolicyDocument),
    /// Shows one.
    Show {
        /// The name.
        name: String,
    },
    /// Replaces its rules.
    Update(PolicyDocument),
    /// Removes one that nobody has.
    Delete {
        /// The name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PolicyDocument {
    /// The name.
    pub(crate) name: String,
    /// A file with the rules, in IAM's JSON.
    pub(crate) file: PathBuf,
    /// For people.
    #[arg(long)]
    pub(crate) description: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Inline {
    /// Makes or replaces one.
    Put {
        /// `user/ann`, `group/crew` or `role/sender`.
        holder: String,
        /// The policy's name.
        name: String,
        /// A file with the rules, in IAM's JSON.
        file: PathBuf,
    },
    /// Shows one.
    Show {
        /// `user/ann`, `group/crew` or `role/sender`.
        holder: String,
        /// The policy's name.
        name: String,
    },
    /// Removes one.
    Delete {
        /// `user/ann`, `group/crew` or `role/sender`.
        holder: String,
        /// The policy's name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserKey {
    /// Lists a user's keys, without their secrets.
    List {
        /// The user.
        user: String,
    },
    /// Makes a key and prints its secret, once.
    Create {
        /// The user.
        user: String,
    },
    /// Lets a key sign again.
    Enable {
        /// The user.
        user: String,
        /// The key.
        access_key_id: String,
    },
    /// Keeps a key from signing.
    Disable {
        /// The user.
        user: String,
        /// The key.
        access_key_id: String,
    },
    /// Removes a key.
    Delete {
        /// The user.
        user: String,
        /// The key.
        access_key_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// `user/ann` or `role/sender`.
    #[arg(long)]
    pub(crate) principal: String,
    /// `mobiletargeting:SendMessages`; may be repeated.
    #[arg(long = "action", required = true)]
    pub(crate) actions: Vec<String>,
    /// The ARN of what it is done on; may be repeated. `*` asks about policies that do not look at it.
    #[arg(long = "resource", value_name = "ARN", default_value = "*")]
    pub(crate) resources: Vec<String>,
    /// Values of condition keys, `aws:SourceIp=203.0.113.9`; repeated for a key of many values.
    #[arg(long = "context", value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
}
