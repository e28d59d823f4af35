//! systemd's life-cycle of units by `MESSAGE_ID`; by its sentences where a text log has nothing else.

use super::fact::{Fact, Kind};
use super::line::{Level, Line, Parsed};
use super::scan::{after, duration_ms};
use super::vocabulary::UNIT_RESULTS;
use super::{systemd_text, unit};

/// systemd's catalog (src/systemd/sd-messages.h).
const IDS: &[(&str, &str)] = &[
    ("7d4958e842da4a758f6c1cdc7b36dcc5", "starting"),
    ("39f53479d3a045ac8e11786248231fbf", "started"),
    ("be02cf6855d2428ba40df7e9d022f03d", "start-failed"),
    ("de5b426a63be47a7b6ac3eaac82e2f6f", "stopping"),
    ("9d1aaa27d60140bd96365438aad20286", "stopped"),
    ("d34d037fff1847e6ae669a370e694725", "reloading"),
    ("98e322203f7a4ed290d09fe03c09fe15", "exited"),
    ("d9b373ed55a64feb8242e02dbe79a49c", "failed"),
    ("7ad2d189f7e94e70a38c781354912448", "succeeded"),
    ("0e4284a0caca4bfc81c0bb6786972673", "condition-failed"),
    ("5eb03494b6584870a536b337290809b3", "restart-scheduled"),
    ("ae8f7b866b0347b9af31fe1c80b127c0", "consumed"),
    ("641257651c1b4ec9a8624d7a40a9e1e7", "exec-failed"),
    ("fe6faa94e7774663a0da52717891d8ef", "oom-kill"),
    ("d989611b15e44c9dbf31e3c81256e4ed", "oomd-kill"),
];

/// Events that are worth a word for a unit without a role.
const LOUD: &[&str] = &[
    "start-failed",
    "failed",
    "oom-kill",
    "oomd-kill",
    "watchdog",
    "exec-failed",
    "dependency-failed",
    "unkillable",
    "start-limit",
];

/// Parses a line of PID 1 or of one of systemd's daemons.
pub(super) fn parse(line: &Line<'_>) -> Parsed {
    let event = line
        .message_id
        .and_then(|id| IDS.iter().find(|(known, _)| *known == id))
        .map(|(_, event)| *event);
    let facts = match event {
        Some(event) => unit_fact(event, line).into_iter().collect(),
        None => by_other_id(line).map_or_else(|| systemd_text::facts(line), |fact| vec![fact]),
    };
    Parsed {
        level: Level::Info,
        header: None,
        pid: None,
        facts,
        continuation: false,
    }
}

fn by_other_id(line: &Line<'_>) -> Option<Fact> {
    Some(match line.message_id? {
        "6bbd95ee977941e497c48be27c254128" => Fact::new(Kind::Sleep).with("what", "suspend"),
        "8811e6df2a8e40f58a94cea26f8ebf14" => Fact::new(Kind::Sleep).with("what", "resume"),
        "98268866d1d54a499c4e98921d93bc40" => {
            Fact::new(Kind::Shutdown).with("what", systemd_text::shutdown(line.text).unwrap_or("started"))
        }
        "b07a249cd024414a82dd00cd181378ff" => Fact::new(Kind::Boot).with("what", "finished"),
        "c7a787079b354eaaa9e77b371893cd27" => Fact::new(Kind::ClockStep).with("what", "changed"),
        "7c8a41f37b764941a0e1780b1be2f037" => Fact::new(Kind::ClockStep).with("what", "synchronized"),
        "f77379a8490b408bbe5f6940505a777b" => Fact::new(Kind::JournalLoss).with("what", "started"),
        "d93fb3c9c24d451a97cea615ce59c00b" => Fact::new(Kind::JournalLoss).with("what", "stopped"),
        _ => return None,
    })
}

fn unit_fact(event: &'static str, line: &Line<'_>) -> Option<Fact> {
    let text = line.text;
    let named = line
        .unit
        .or_else(|| systemd_text::unit_before_colon(text))
        .or_else(|| unit::by_description(text))?;
    let event = match (event, line.job_result, line.unit_result) {
        ("start-failed", Some("dependency"), _) => "dependency-failed",
        // PID 1 uses the id of a failed start for failed stops, too; they say `Failed to stop`.
        ("start-failed", _, _) if text.starts_with("Stopped") => "stopped",
        ("failed", _, Some("start-limit-hit")) => "start-limit",
        (event, _, _) => event,
    };
    let mut fact = base(named, event)?;
    if let Some(job) = line.job_type {
        fact = fact.with(
            "job",
            match job {
                "start" | "verify-active" => "start",
                "stop" => "stop",
                "restart" | "try-restart" => "restart",
                _ => "other",
            },
        );
    }
    if let Some(result) = line.job_result {
        fact = fact.with_text("job_result", result);
    }
    if let Some(code) = line.exit_code {
        fact = with_exit(fact, code, line.exit_status.unwrap_or(""));
    } else if event == "exited" {
        fact = with_exit_text(fact, text);
    }
    if let Some(result) = line.unit_result.or_else(|| systemd_text::result(text)) {
        fact = fact.with("result", result_word(result));
    } else if event == "succeeded" {
        fact = fact.with("result", "success");
    }
    if let Some(n) = line
        .n_restarts
        .and_then(|n| n.parse().ok())
        .or_else(|| systemd_text::restarts(text))
    {
        fact = fact.with_int("restarts", n);
    }
    if event == "consumed" {
        fact = fact.with_int("cpu_ms", after(text, "Consumed ").and_then(duration_ms)?);
    }
    Some(fact)
}

/// The fact's first words, or `None` for an event of a unit that does not matter here.
pub(super) fn base(named: &str, event: &'static str) -> Option<Fact> {
    let role = unit::role(named);
    if role == "other" && (!LOUD.contains(&event) || !named.ends_with(".service")) {
        return None;
    }
    Some(
        Fact::new(Kind::Unit)
            .with_text("unit", named)
            .with("role", role)
            .with("event", event),
    )
}

/// A unit's result as a word of the vocabulary.
pub(super) fn result_word(result: &str) -> &'static str {
    UNIT_RESULTS.iter().find(|r| **r == result).copied().unwrap_or("other")
}

/// `status=9/KILL`, `status=1/FAILURE`.
pub(super) fn with_exit_text(fact: Fact, text: &str) -> Fact {
    let Some(code) = after(text, "code=").map(|r| r.split([',', ' ']).next().unwrap_or(r)) else {
        return fact;
    };
    let status = after(text, "status=").map_or("", |r| r.split([' ', ')', ',']).next().unwrap_or(r));
    with_exit(fact, code, status)
}

fn with_exit(fact: Fact, code: &str, status: &str) -> Fact {
    let (number, name) = status.split_once('/').unwrap_or((status, ""));
    match code {
        "killed" | "dumped" => {
            let fact = fact.with("code", if code == "killed" { "killed" } else { "dumped" });
            let name = if name.is_empty() {
                signal(number)
            } else {
                name.trim_end_matches('.')
            };
            if name.is_empty() {
                fact
            } else {
                fact.with_text("signal", name.trim_start_matches("SIG"))
            }
        }
        "exited" => {
            let fact = fact.with("code", "exited");
            match number.parse() {
                Ok(number) => fact.with_int("status", number),
                Err(_) => fact,
            }
        }
        _ => fact,
    }
}

/// A signal's name by its number on Linux; a name stays one.
fn signal(number: &str) -> &str {
    match number {
        "1" => "HUP",
        "2" => "INT",
        "3" => "QUIT",
        "4" => "ILL",
        "6" => "ABRT",
        "7" => "BUS",
        "8" => "FPE",
        "9" => "KILL",
        "11" => "SEGV",
        "13" => "PIPE",
        "15" => "TERM",
        other => other,
    }
}
