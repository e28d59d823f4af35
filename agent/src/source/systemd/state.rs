//! What is known of one unit, as words of the vocabulary and as a line for people.

use zbus::wire::{OwnedVariant, Structure};

use super::bus::Properties;
use crate::grammar::fact::{Fact, Kind};
use crate::grammar::vocabulary::UNIT_RESULTS;
use crate::model::time::{SECOND, Timestamp};
use crate::source::look::Reading;

const LOAD: &[&str] = &["loaded", "masked", "not-found", "bad-setting", "error"];
const ACTIVE: &[&str] = &[
    "active",
    "activating",
    "reloading",
    "inactive",
    "failed",
    "deactivating",
];
const FILE_STATE: &[&str] = &[
    "enabled",
    "disabled",
    "masked",
    "static",
    "generated",
    "transient",
    "indirect",
];
const JOB: &[&str] = &["start", "stop", "restart"];

/// A unit's state. What is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// `kubelet.service`.
    pub unit: String,
    /// A word of the vocabulary's roles.
    pub role: &'static str,
    /// `LoadState`.
    pub load: Option<&'static str>,
    /// `ActiveState`.
    pub active: Option<&'static str>,
    /// `SubState`, as systemd says it.
    pub sub: Option<String>,
    /// `Result`.
    pub result: Option<&'static str>,
    /// `ExecMainCode`: how the main process ended (`CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED`).
    pub code: Option<&'static str>,
    /// `ExecMainStatus`: its exit code or signal.
    pub status: Option<i64>,
    /// `NRestarts`: automatic ones since it was last started by hand.
    pub restarts: Option<i64>,
    /// `UnitFileState`.
    pub file_state: Option<&'static str>,
    /// `StateChangeTimestamp`.
    pub since: Option<Timestamp>,
    /// `MainPID`, or a process of its cgroup.
    pub pid: Option<i64>,
    /// The type of the job that waits or runs for it.
    pub job: Option<&'static str>,
    /// `FreezerState`.
    pub frozen: Option<bool>,
    /// `InvocationID`, hexadecimal: a new one for each start.
    pub invocation: Option<String>,
    /// True where systemd did not say it: from cgroups and unit files.
    pub traces: bool,
}

impl UnitState {
    /// What the unit's properties say (`org.freedesktop.systemd1(5)`), but for the job's type.
    pub fn from_properties(unit: &str, role: &'static str, properties: &Properties) -> Self {
        let word = |name: &str, words: &'static [&'static str]| text(properties, name).map(|t| pick(words, t));
        let code = match number(properties, "ExecMainCode") {
            Some(1) => Some("exited"),
            Some(2) => Some("killed"),
            Some(3) => Some("dumped"),
            _ => None,
        };
        Self {
            unit: unit.to_owned(),
            role,
            load: word("LoadState", LOAD),
            active: word("ActiveState", ACTIVE),
            sub: text(properties, "SubState").map(str::to_owned),
            result: word("Result", UNIT_RESULTS),
            code,
            status: number(properties, "ExecMainStatus").filter(|_| code.is_some()),
            restarts: number(properties, "NRestarts"),
            // `enabled-runtime` and `masked-runtime` are so until the next boot
            file_state: text(properties, "UnitFileState")
                .map(|t| t.trim_end_matches("-runtime"))
                .filter(|t| !t.is_empty())
                .map(|t| pick(FILE_STATE, t)),
            since: number(properties, "StateChangeTimestamp")
                .filter(|t| *t > 0)
                .map(Timestamp),
            pid: number(properties, "MainPID").filter(|p| *p > 0),
            job: job_path(properties).is_none().then_some("none"),
            // `frozen-by-parent` from systemd 257
            frozen: text(properties, "FreezerState").map(|t| t.starts_with("frozen") || t == "freezing"),
            invocation: properties.get("InvocationID").and_then(hexadecimal),
            traces: false,
        }
    }

    /// The same as `systemctl show` prints it; `get` gives the text of a property. Since when it is so is left open: the
    /// printed time has a zone's name.
    pub fn from_shown<'a>(unit: &str, role: &'static str, get: &dyn Fn(&str) -> Option<&'a str>) -> Self {
        let word = |name: &str, words: &'static [&'static str]| get(name).map(|t| pick(words, t));
        let number = |name: &str| get(name)?.parse::<i64>().ok();
        let code = match number("ExecMainCode") {
            Some(1) => Some("exited"),
            Some(2) => Some("killed"),
            Some(3) => Some("dumped"),
            _ => None,
        };
        Self {
            unit: unit.to_owned(),
            role,
            load: word("LoadState", LOAD),
            active: word("ActiveState", ACTIVE),
            sub: get("SubState").map(str::to_owned),
            result: word("Result", UNIT_RESULTS),
            code,
            status: number("ExecMainStatus").filter(|_| code.is_some()),
            restarts: number("NRestarts"),
            file_state: get("UnitFileState").map(|t| pick(FILE_STATE, t.trim_end_matches("-runtime"))),
            pid: number("MainPID").filter(|p| *p > 0),
            // `Job=` is printed where one waits
            job: Some(if get("Job").is_some() { "other" } else { "none" }),
            frozen: get("FreezerState").map(|t| t.starts_with("frozen") || t == "freezing"),
            invocation: get("InvocationID").map(str::to_owned),
            ..Self::default()
        }
    }

    /// Takes the job's type.
    #[must_use]
    pub fn with_job(mut self, job: Option<&str>) -> Self {
        self.job = Some(job.map_or("other", |j| pick(JOB, j)));
        self
    }

    /// The statement.
    pub fn reading(&self, now: Timestamp) -> Reading {
        Reading {
            text: self.line(now),
            facts: vec![self.fact(now)],
            began: self.since,
        }
    }

    fn fact(&self, now: Timestamp) -> Fact {
        let mut fact = Fact::new(Kind::UnitState)
            .with_text("unit", self.unit.clone())
            .with("role", self.role);
        let words = [
            ("load", self.load),
            ("active", self.active),
            ("result", self.result),
            ("code", self.code),
            ("file_state", self.file_state),
            ("job", self.job),
            ("started", self.since.filter(|_| !self.traces).map(|_| "yes")),
            ("frozen", self.frozen.map(|f| if f { "yes" } else { "no" })),
        ];
        for (name, word) in words {
            if let Some(word) = word {
                fact = fact.with(name, word);
            }
        }
        let numbers = [
            ("status", self.status),
            ("restarts", self.restarts),
            ("since_s", self.age(now)),
            ("pid", self.pid),
        ];
        for (name, n) in numbers {
            if let Some(n) = n {
                fact = fact.with_int(name, n);
            }
        }
        for (name, text) in [("sub", &self.sub), ("invocation", &self.invocation)] {
            if let Some(text) = text {
                fact = fact.with_text(name, text.clone());
            }
        }
        fact
    }

    fn age(&self, now: Timestamp) -> Option<i64> {
        self.since.map(|s| (now.0 - s.0).max(0) / SECOND)
    }

    fn line(&self, now: Timestamp) -> String {
        let mut parts = Vec::new();
        match (self.load, self.active, &self.sub) {
            (Some(load), _, _) if load != "loaded" => parts.push(load.to_owned()),
            _ => {}
        }
        match (self.active, &self.sub) {
            (Some(active), Some(sub)) => parts.push(format!("{active} ({sub})")),
            (Some(active), None) => parts.push(active.to_owned()),
            _ if self.traces => parts.push("no process in its cgroup".to_owned()),
            _ => {}
        }
        if let Some(seconds) = self.age(now) {
            parts.push(format!("for {}", lasting(seconds)));
        }
        if let Some(result) = self.result.filter(|r| *r != "success") {
            parts.push(format!("result {result}"));
        }
        match (self.code, self.status) {
            (Some("exited"), Some(status)) => parts.push(format!("exit code {status}")),
            (Some(code), Some(signal)) => parts.push(format!("{code} by signal {signal}")),
            _ => {}
        }
        if self.frozen == Some(true) {
            parts.push("frozen".to_owned());
        }
        if let Some(restarts) = self.restarts.filter(|n| *n > 0) {
            parts.push(format!("{restarts} automatic restarts"));
        }
        if let Some(job) = self.job.filter(|j| *j != "none") {
            parts.push(format!("a {job} job waits"));
        }
        if let Some(state) = self.file_state.filter(|s| Some(*s) != self.load) {
            parts.push(state.to_owned());
        }
        if let Some(pid) = self.pid {
            parts.push(format!("pid {pid}"));
        }
        if self.traces {
            parts.push("by its cgroup and unit file".to_owned());
        }
        format!("{}  {}", self.unit, parts.join(", "))
    }
}

/// The job that waits or runs for the unit; systemd says `(0, "/")` for none.
pub fn job_path(properties: &Properties) -> Option<String> {
    let job = <&Structure<'_>>::try_from(properties.get("Job")?).ok()?;
    let id = u32::try_from(job.fields().first()?).ok()?;
    let path = <&zbus::wire::ObjectPath<'_>>::try_from(job.fields().get(1)?).ok()?;
    (id != 0).then(|| path.to_string())
}

/// Seconds as people say them: `38 s`, `12 min`, `5 h`, `3 d`.
pub fn lasting(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn pick(words: &'static [&'static str], word: &str) -> &'static str {
    words.iter().find(|w| **w == word).copied().unwrap_or("other")
}

fn text<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    <&str>::try_from(properties.get(name)?).ok()
}

fn number(properties: &Properties, name: &str) -> Option<i64> {
    let value = properties.get(name)?;
    u32::try_from(value)
        .map(i64::from)
        .or_else(|_| i32::try_from(value).map(i64::from))
        .ok()
        .or_else(|| u64::try_from(value).ok().and_then(|n| i64::try_from(n).ok()))
}

fn hexadecimal(value: &OwnedVariant) -> Option<String> {
    let bytes: Vec<u8> = value.try_clone().ok()?.try_into().ok()?;
    let id = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(id)))
}

#[cfg(test)]
mod tests {
    use zbus::wire::Variant;

    use super::*;

    fn properties(pairs: Vec<(&str, Variant<'static>)>) -> Properties {
        pairs
            .into_iter()
            .map(|(n, v)| (n.to_owned(), OwnedVariant::try_from(v).unwrap()))
            .collect()
    }

    #[test]
    fn a_crash_loop_is_told_in_words_and_figures() {
        let p = properties(vec![
            ("LoadState", Variant::from("loaded")),
            ("ActiveState", Variant::from("activating")),
            ("SubState", Variant::from("auto-restart")),
            ("Result", Variant::from("exit-code")),
            ("ExecMainCode", Variant::from(1i32)),
            ("ExecMainStatus", Variant::from(255i32)),
            ("NRestarts", Variant::from(41u32)),
            ("UnitFileState", Variant::from("enabled-runtime")),
            ("StateChangeTimestamp", Variant::from(1_000_000_000u64)),
            ("MainPID", Variant::from(0u32)),
            ("FreezerState", Variant::from("running")),
        ]);
        let state = UnitState::from_properties("kubelet.service", "kubelet", &p);
        let reading = state.reading(Timestamp(1_004_000_000));
        assert_eq!(
            reading.text,
            "kubelet.service  activating (auto-restart), for 4 s, result exit-code, exit code 255, 41 automatic restarts, enabled"
        );
        let fact = &reading.facts[0];
        assert_eq!(fact.text("result"), Some("exit-code"));
        assert_eq!(fact.int("status"), Some(255));
        assert_eq!(fact.int("since_s"), Some(4));
        assert_eq!(fact.text("file_state"), Some("enabled"));
        assert_eq!(fact.text("frozen"), Some("no"));
        assert_eq!(fact.int("pid"), None);
        assert_eq!(reading.began, Some(Timestamp(1_000_000_000)));
    }

    #[test]
    fn a_word_that_systemd_invents_is_other() {
        let p = properties(vec![
            ("ActiveState", Variant::from("maintenance")),
            ("LoadState", Variant::from("stub")),
        ]);
        let state = UnitState::from_properties("kubelet.service", "kubelet", &p);
        assert_eq!((state.active, state.load), (Some("other"), Some("other")));
    }
}
