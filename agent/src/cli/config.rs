//! `whynotready config`: whether the agent would take its configuration, and where each value comes from.

use std::fmt::Write;

use super::args::{ConfigCommand, Format};
use super::exit::Exit;
use super::io::Io;
use super::run::Failure;
use super::settings::Settings;
use crate::config::resolve::{Origin, Resolved};
use crate::daemon::run::check;

pub(super) fn run(command: &ConfigCommand, env: &dyn Fn(&str) -> Option<String>, io: &mut Io) -> Result<Exit, Failure> {
    let (settings, format) = match command {
        ConfigCommand::Check(settings) => (settings, None),
        ConfigCommand::Print { settings, format } => (settings, Some(*format)),
    };
    let (resolved, read) = settings
        .resolve(env)
        .map_err(|faults| Failure::Usage(faults.to_string()))?;
    if format.is_none() {
        check(&resolved, env).map_err(|faults| Failure::Usage(faults.to_string()))?;
    }
    let text = match format {
        None => right(settings, &resolved, read),
        Some(Format::Text) => table(&resolved),
        Some(Format::Json) => json(&resolved, io.stdout_is_terminal)?,
    };
    io.print(&text)?;
    Ok(Exit::Ok)
}

fn right(settings: &Settings, resolved: &Resolved, read: bool) -> String {
    let set = resolved.values.iter().filter(|v| v.origin != Origin::Default).count();
    let path = settings.path().display();
    let keys = if set == 1 { "key is" } else { "keys are" };
    if read {
        format!("{path}: right; {set} {keys} not at the default\n")
    } else {
        format!("{path}: there is none, which is right; {set} {keys} not at the default\n")
    }
}

/// A key a line: key, value, origin.
fn table(resolved: &Resolved) -> String {
    let values = &resolved.values;
    let shown = |text: &str| {
        if text.is_empty() {
            "\"\"".to_owned()
        } else {
            text.to_owned()
        }
    };
    let wide = |of: &dyn Fn(usize) -> usize| (0..values.len()).map(of).max().unwrap_or(0);
    let keys = wide(&|i| values[i].path.len());
    let texts = wide(&|i| shown(&values[i].shown).chars().count());
    let mut out = String::new();
    for value in values {
        let _ = writeln!(
            out,
            "{:keys$}  {:texts$}  {}",
            value.path,
            shown(&value.shown),
            value.origin
        );
    }
    out
}

fn json(resolved: &Resolved, pretty: bool) -> Result<String, Failure> {
    let text = if pretty {
        serde_json::to_string_pretty(&resolved.values)
    } else {
        serde_json::to_string(&resolved.values)
    };
    text.map(|t| t + "\n").map_err(|e| Failure::Tool(e.to_string()))
}
