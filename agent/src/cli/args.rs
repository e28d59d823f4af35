//! The arguments, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::catalog::schema::Layer;

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
    /// Read journals and logs; say why the node is not ready
    Analyze(Analyze),
    /// Print the catalog's page on a cause
    Explain(Explain),
    /// List the causes that the catalog knows
    Causes(Causes),
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
    /// The node's name, where the record does not say it; filters nothing
    #[arg(long)]
    pub node: Option<String>,
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
