//! The arguments, as clap reads them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::run::Failure;
use super::settings::Settings;
use crate::catalog::schema::Layer;
use crate::model::duration;
use crate::model::time::SECOND;

/// Says why a kubelet stopped posting node status.
#[derive(Debug, Parser)]
#[command(name = "whynotready", version, about, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "Exit codes: 0 healthy or at risk, 1 the tool failed, 2 usage, 3 a root cause, \
4 an effect without a named cause";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this node, as a daemon
    Run(Settings),
    /// Look at this node; say why its kubelet stopped posting status
    Diagnose(Diagnose),
    /// Read journals, logs and bundles; say why the node is not ready
    Analyze(Analyze),
    /// Make the diagnosis of a recorded bundle again
    Replay(Replay),
    /// Print the catalog's page on a cause
    Explain(Explain),
    /// List the causes that the catalog knows
    Causes(Causes),
    /// Print what the agent that runs on this host knows
    Status(Status),
    /// Check or print the agent's configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the JSON Schema of `--format json`
    Schema,
}

/// `analyze`.
#[derive(Debug, Args)]
pub struct Analyze {
    /// Journals, logs, or directories of them, of any kind and compression; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Nothing before this: RFC 3339, `YYYY-MM-DD hh:mm[:ss]` (UTC), or `30m`, `2h`, `1d` before the end of the record
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Nothing after this; written as for --since
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The node's name, where the record does not say it; filters nothing, but of a must-gather picks the lines of this node
    #[arg(long)]
    pub node: Option<String>,
    /// How to answer.
    #[command(flatten)]
    pub common: Answer,
}

/// How to answer, the same for every command that diagnoses.
#[derive(Debug, Args)]
pub struct Answer {
    /// How to answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Lay the causes in this directory over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub catalog_dir: Option<PathBuf>,
    /// What else than a root cause makes the exit code 3
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Everything, not only the first forty lines
    #[arg(long)]
    pub all: bool,
    /// Colour marks what the words already say
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// `diagnose`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the operator")]
pub struct Diagnose {
    /// How far to look back in the journal: `30m`, `2h`
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    pub since: String,
    /// The answer comes within this, whatever hangs; 10s at most
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub timeout: String,
    /// Write everything that was seen to this file, for `replay` and `analyze`
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Where the node's file system is mounted [env: `HOST_ROOT`] [default: /]
    #[arg(long, value_name = "DIR")]
    pub host_root: Option<PathBuf>,
    /// Read the kubelet's own Lease and Node with its certificate and key
    #[arg(long)]
    pub as_kubelet: bool,
    /// Ask the container runtime for its status over the CRI socket
    #[arg(long)]
    pub cri: bool,
    /// Send nothing to the API server
    #[arg(long)]
    pub no_api: bool,
    /// Ask systemd nothing over D-Bus
    #[arg(long)]
    pub no_dbus: bool,
    /// The node's name, where the kubelet does not say it
    #[arg(long)]
    pub node: Option<String>,
    /// How to answer.
    #[command(flatten)]
    pub common: Answer,
}

impl Diagnose {
    /// When the answer must be there.
    pub(super) fn deadline(&self) -> Result<Duration, Failure> {
        let longest = 10 * SECOND;
        duration::parse(&self.timeout)
            .filter(|t| (SECOND..=longest).contains(t))
            .map(|t| Duration::from_micros(t as u64))
            .ok_or_else(|| Failure::Usage(format!("--timeout: {:?} is not between 1s and 10s", self.timeout)))
    }

    /// How far to look back, microseconds.
    pub(super) fn look_back(&self) -> Result<i64, Failure> {
        duration::parse(&self.since)
            .ok_or_else(|| Failure::Usage(format!("--since: {:?} is no duration; give 30m, 2h, 1d", self.since)))
    }
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// A bundle that `diagnose --record` wrote
    #[arg(value_name = "FILE")]
    pub bundle: PathBuf,
    /// How to answer.
    #[command(flatten)]
    pub common: Answer,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Where the agent's debug endpoint is: `127.0.0.1:10951`, `unix:/path` [default: the configuration's `listen.debug`]
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// The agent's configuration file [default: /etc/whynotready/config.yaml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Everything, not only the first forty lines
    #[arg(long)]
    pub all: bool,
    /// Colour marks what the words already say
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say what is wrong with the configuration, each fault with its place; exit code 2 where something is
    Check(Settings),
    /// Print each key with its value and where that comes from
    Print {
        /// The configuration.
        #[command(flatten)]
        settings: Settings,
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The cause's id, as `analyze` and `causes` print it
    pub cause: String,
    /// Lay the causes in this directory over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub catalog_dir: Option<PathBuf>,
}

/// `causes`.
#[derive(Debug, Args)]
pub struct Causes {
    /// Only this layer
    #[arg(long, value_parser = layer)]
    pub layer: Option<Layer>,
    /// How to list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Lay the causes in this directory over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub catalog_dir: Option<PathBuf>,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; `whynotready schema` describes it.
    Json,
}

/// What makes the exit code 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A risk too.
    Risk,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

fn layer(text: &str) -> Result<Layer, String> {
    let known = "network authentication configuration resources runtime kubelet control-plane machine";
    serde_json::from_value(serde_json::Value::from(text)).map_err(|_| format!("the layers are: {known}"))
}
