//! The catalog's files as written: one TOML file a cause. Plain data with the reader's checks of form; what holds across
//! files is checked in `validate`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One cause, as its file says it. The file is `<layer>/<id>.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseFile {
    /// Kebab-case, the same as the file's stem and everywhere else (metrics, events, CLI).
    pub id: String,
    /// The layer, the same as the file's folder.
    pub layer: Layer,
    /// A short statement of the fault, without a full stop: the line after `ROOT CAUSE`.
    pub title: String,
    /// Named only where nothing else is: what any exit or any failing call looks like.
    #[serde(default)]
    pub last_resort: bool,
    /// The cause to name where the evidence does not reach for this one.
    #[serde(default)]
    pub parent: Option<String>,
    /// What would repair it.
    pub repair: Repair,
    /// Who has to act.
    pub owner: Owner,
    /// One to three sentences for the person woken at three: what is going on and why that stops the heartbeat.
    pub summary: String,
    /// What proves it and how to tell it from what looks alike; printed by `explain`.
    pub proof: String,
    /// Ids of causes that share its surface.
    #[serde(default)]
    pub near: Vec<String>,
    /// Addresses of documentation or source that state the facts used here.
    #[serde(default)]
    pub references: Vec<String>,
    /// What it leads to. Every cause reaches an effect.
    #[serde(default)]
    pub leads_to: Vec<EdgeFile>,
    /// Its signals.
    #[serde(default, rename = "signal")]
    pub signals: Vec<SignalFile>,
    /// When it is confirmed or probable.
    pub verdict: VerdictFile,
    /// What to do, in this order.
    #[serde(default, rename = "remedy")]
    pub remedies: Vec<RemedyFile>,
    /// Lines that must fire it.
    #[serde(default, rename = "example")]
    pub examples: Vec<ExampleFile>,
    /// Lines that look alike and must not fire it.
    #[serde(default, rename = "near_miss")]
    pub near_misses: Vec<ExampleFile>,
}

/// Where a cause lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Between the kubelet and the API server.
    Network,
    /// Credentials and identity.
    Authentication,
    /// The kubelet cannot start or work as configured.
    Configuration,
    /// CPU, memory, disk, descriptors, processes.
    Resources,
    /// The container runtime.
    Runtime,
    /// The kubelet's own process.
    Kubelet,
    /// API server, etcd, controllers.
    ControlPlane,
    /// Kernel, hardware, platform.
    Machine,
}

/// Would a repair of the node help? In every channel, so that an automatic mass repair can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// A reboot cures it.
    Reboot,
    /// The machine has to be replaced.
    Replace,
    /// A restart of the kubelet cures it.
    RestartKubelet,
    /// A file, flag or setting has to change.
    FixConfig,
    /// Nothing done to this node helps.
    NoneExternal,
    /// It depends.
    Unknown,
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Whoever runs the node.
    Node,
    /// Whoever runs the network.
    Network,
    /// Whoever runs the control plane.
    ControlPlane,
    /// The cloud or virtualisation platform.
    Cloud,
    /// Whoever runs the workload.
    Workload,
}

/// An edge of the causal graph: this cause makes that happen.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeFile {
    /// An effect, a cause, or a group of causes (`@name`, from `effects.toml`).
    pub to: String,
    /// At most this long from the cause's onset to the other's, as `30s`, `5m`, `24h`. Default 10 minutes.
    #[serde(default)]
    pub lag: Option<String>,
    /// The edge exists only while this signal of this cause is asserted.
    #[serde(default)]
    pub when: Option<String>,
}

/// A signal: a pattern over observations that is asserted, refuted or unknown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalFile {
    /// Unique within the cause.
    pub id: String,
    /// What it states when it is asserted, as a clause: "calls to the API server are refused".
    pub says: String,
    /// Alternatives; an observation that fits one of them counts.
    #[serde(rename = "match")]
    pub matches: Vec<MatchFile>,
    /// How many observations at least. Default 1.
    #[serde(default)]
    pub count: Option<u32>,
    /// The `count` must fall within a window of this length. Default: anywhere in the episode's window.
    #[serde(default)]
    pub within: Option<String>,
    /// From the first to the last observation at least this long.
    #[serde(default)]
    pub sustained: Option<String>,
    /// It must still be seen at the end of what it explains: a cause that flashed and healed before is none.
    /// Default false.
    #[serde(default)]
    pub lasting: bool,
    /// Lines written during an ordered shutdown at the end of the record count too: a process that is told to die then
    /// says what it waited for. Default false.
    #[serde(default)]
    pub testimony: bool,
    /// Start-up noise: observations within this time after a start of the kubelet do not count. Default: they count.
    #[serde(default)]
    pub not_after_start: Option<String>,
}

/// One alternative of a signal: by fact, or by words where there is no grammar.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchFile {
    /// A kind of fact of the grammar's vocabulary.
    #[serde(default)]
    pub fact: Option<String>,
    /// Attributes of the fact and the words that fit; all must hold. An attribute that the fact lacks does not fit.
    #[serde(default, rename = "where")]
    pub conditions: BTreeMap<String, Words>,
    /// Attributes and words that must not be.
    #[serde(default)]
    pub unless: BTreeMap<String, Words>,
    /// Numbers: attribute at least this.
    #[serde(default)]
    pub at_least: BTreeMap<String, i64>,
    /// Numbers: attribute at most this.
    #[serde(default)]
    pub at_most: BTreeMap<String, i64>,
    /// Words of the line, fragments in this order separated by `*`; ASCII case does not matter. Alone or beside `fact`.
    #[serde(default)]
    pub text: Option<String>,
    /// Words that must not be in the line, any of them.
    #[serde(default)]
    pub not_text: Vec<String>,
    /// Who wrote the line. Required with `text` alone.
    #[serde(default)]
    pub origin: Vec<crate::grammar::line::Origin>,
    /// The line's own severity. Default any.
    #[serde(default)]
    pub level: Vec<crate::grammar::line::Level>,
}

/// One word or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

/// When a cause is confirmed, and when it is at least probable.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictFile {
    /// Left out where logs can never confirm it.
    #[serde(default)]
    pub confirmed: Option<ConditionFile>,
    /// Left out where there is nothing between confirmed and silent.
    #[serde(default)]
    pub probable: Option<ConditionFile>,
    /// What would decide it when it is only probable: shown as `missing`, each with the command or grant that shows it.
    #[serde(default)]
    pub decides: Vec<DecidesFile>,
}

/// What would turn probable into confirmed or ruled out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecidesFile {
    /// The fact that is missing: "the dates of the client certificate on disk".
    pub signal: String,
    /// How to get it: a command, a file, another node's view.
    pub grant: String,
}

/// A condition over signals of this cause (or `other-cause/signal`): `all` and `any` together, or one of `or`; and in
/// either case `none`. An empty `all`, `any` or `none` holds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionFile {
    /// Each is asserted.
    #[serde(default)]
    pub all: Vec<String>,
    /// One at least is asserted.
    #[serde(default)]
    pub any: Vec<String>,
    /// One of these is enough by itself.
    #[serde(default)]
    pub or: Vec<String>,
    /// None is asserted.
    #[serde(default)]
    pub none: Vec<String>,
}

/// One step of the cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemedyFile {
    /// What to do, in words.
    pub text: String,
    /// The command, where there is one.
    #[serde(default)]
    pub command: Option<String>,
    /// What it may break; `none` where it is safe.
    pub risk: String,
    /// How to see that it worked.
    pub verify: String,
}

/// Lines of a log that must or must not fire the cause.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleFile {
    /// What it shows.
    pub name: String,
    /// `[+SECONDSs ]ORIGIN: TEXT`, for example `+12s kubelet: E1122 …`. ORIGIN is `kubelet`, `runtime`, `systemd`, `kernel`,
    /// `control-plane` or `other`; after `agent: ` stands a fact of the running node, `kind name=value …`. Without `+` a line comes one second after the one before.
    pub lines: Vec<String>,
    /// The verdict at least (examples only). Default probable.
    #[serde(default)]
    pub verdict: Option<String>,
    /// Near misses only: what is the root cause instead, or `none`.
    #[serde(default)]
    pub instead: Option<String>,
}

/// `effects.toml`: the shared nodes of the graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectsFile {
    /// Effects and intermediate states.
    #[serde(rename = "effect")]
    pub effects: Vec<EffectFile>,
    /// Named groups of causes for edges.
    #[serde(default, rename = "group")]
    pub groups: Vec<GroupFile>,
}

/// A shared node of the graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectFile {
    /// Kebab-case.
    pub id: String,
    /// The statement that is shown in the why-trail.
    pub title: String,
    /// True for what a root cause explains (CONTRACT.md: heartbeat-lost …), false for the states in between.
    #[serde(default)]
    pub explained: bool,
    /// What it leads to.
    #[serde(default)]
    pub leads_to: Vec<String>,
}

/// A named group of causes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFile {
    /// The name; edges write `@name`.
    pub name: String,
    /// The causes in it.
    pub members: Vec<String>,
}
