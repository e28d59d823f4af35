//! The answer on the terminal or for a program, and the exit code that goes with it.

use super::args::{Answer, Color, FailOn, Format};
use super::exit::Exit;
use super::io::Io;
use super::run::Failure;
use crate::export::json;
use crate::export::report::Tense;
use crate::export::text::{self, Style};
use crate::model::diagnosis::Diagnosis;

/// Columns where the output is no terminal: a ticket, a pager, a file.
const PAPER: usize = 120;

pub(super) fn print(
    (diagnosis, tense): (&Diagnosis, Tense),
    args: &Answer,
    env: &dyn Fn(&str) -> Option<String>,
    io: &mut Io,
) -> Result<Exit, Failure> {
    let answer = match args.format {
        Format::Json => json::render(diagnosis, io.stdout_is_terminal)
            .map_err(|e| Failure::Tool(format!("cannot write the answer: {e}")))?,
        Format::Text => text::render(diagnosis, &style((args.color, args.all), tense, env, io)),
    };
    io.print(&answer)?;
    Ok(Exit::of(diagnosis, args.fail_on == Some(FailOn::Risk)))
}

/// How to render for this output: colour and length as asked for.
pub(super) fn style((color, all): (Color, bool), tense: Tense, env: &dyn Fn(&str) -> Option<String>, io: &Io) -> Style {
    let set = |name: &str| env(name).is_some_and(|v| !v.is_empty());
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io.stdout_is_terminal && !set("NO_COLOR") && env("TERM").as_deref() != Some("dumb"),
    };
    let width = if io.stdout_is_terminal {
        io.width.unwrap_or(80)
    } else {
        PAPER
    };
    Style {
        width: width.max(40),
        color,
        all,
        tense,
    }
}
