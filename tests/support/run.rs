//! Runs a case through the library, as `analyze` would.

use std::sync::Arc;

use anyhow::Result;
use whynotready::capture;
use whynotready::catalog::load::Catalog;
use whynotready::diagnosis::engine::Options;
use whynotready::grammar::{line as grammar, origin, parse};
use whynotready::input::{self, Options as Window};
use whynotready::model::diagnosis::Diagnosis;
use whynotready::model::input::{Input, Observation, Place};
use whynotready::model::time::{Moment, SECOND, Timestamp};
use whynotready::pipeline::Analyzer;

use crate::corpus::{Case, Line, Material};

/// The answer to a case.
pub fn diagnose(catalog: &Arc<Catalog>, case: &Case) -> Result<Diagnosis> {
    let mut analyzer = Analyzer::new(Arc::clone(catalog), Options { premise: true });
    let sieve = |text: &str| catalog.matcher.may_fit(text);
    match &case.material {
        Material::Record(dir) => {
            let mut options = Window::default();
            let prepared = capture::prepare(std::slice::from_ref(dir), None)?;
            prepared.tell(&mut options);
            let mut sink = |input: Input| analyzer.input(&input, &mut |_| {});
            input::read(&prepared.paths, None, &options, &sieve, &mut sink, &mut |_| {})?;
        }
        Material::Lines(lines) => feed(lines, &mut |input| analyzer.input(&input, &mut |_| {})),
    }
    Ok(analyzer.diagnosis())
}

fn feed(lines: &[Line], sink: &mut dyn FnMut(Input)) {
    let time = |line: &Line| {
        line.ts
            .as_deref()
            .and_then(syslog_time)
            .or_else(|| klog_time(&line.text))
    };
    // Lines without a time belong to the one before, the first ones to the first that has one.
    let start = lines.iter().find_map(time).unwrap_or(0) - SECOND;
    let mut at = Moment {
        t: start,
        wall: Timestamp(start),
    };
    for (i, quoted) in lines.iter().enumerate() {
        let wall = time(quoted);
        // Quotes are out of order and without times now and then: the record's own time never goes back.
        let wall = wall.map_or(at.wall.0 + SECOND, |w| w.max(at.wall.0));
        at = Moment {
            t: wall,
            wall: Timestamp(wall),
        };
        let unit = quoted.unit.as_deref().filter(|u| *u != "other");
        let origin = origin::of_text(unit, &quoted.text);
        let parsed = parse::parse(
            origin,
            &grammar::Line {
                text: &quoted.text,
                ..grammar::Line::default()
            },
        );
        if parsed.continuation && parsed.facts.is_empty() {
            continue;
        }
        sink(Input::Observed(Observation {
            seq: i as u64 + 1,
            at,
            boot: 0,
            header_at: quoted
                .ts
                .as_deref()
                .and_then(syslog_time)
                .and(klog_time(&quoted.text))
                .map(|h| header(h, at.wall.0)),
            origin,
            level: parsed.level,
            pid: parsed.pid,
            source: Arc::from(unit.unwrap_or("log")),
            text: Arc::from(quoted.text.as_str()),
            place: Place::Line(Arc::from("quoted"), i as u64 + 1),
            facts: parsed.facts,
        }));
    }
    sink(Input::End(at));
}

/// The header's time in the zone of the line's own stamp: zones differ by whole quarters of an hour.
fn header(header: i64, wall: i64) -> Timestamp {
    const QUARTER: i64 = 900 * SECOND;
    Timestamp(header + (wall - header + QUARTER / 2).div_euclid(QUARTER) * QUARTER)
}

/// Quoted lines have no year; any that is a leap year does.
fn micros(month: i64, day: i64, clock: &str) -> Option<i64> {
    const BEFORE: [i64; 12] = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335];
    const YEAR: i64 = 1_704_067_200; // 2024-01-01
    let (hms, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = hms.split(':').map(|p| p.parse::<i64>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let days = BEFORE.get(usize::try_from(month - 1).ok()?)? + day - 1;
    Some((YEAR + days * 86_400 + h * 3600 + m * 60 + s) * SECOND + fraction)
}

/// `Jun 22 13:11:13`, as syslog and `journalctl -o short` have it.
fn syslog_time(ts: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = ts.split_whitespace();
    let month = words.next()?;
    let month = MONTHS.iter().position(|m| month == *m)? as i64 + 1;
    let day = words.next()?.parse().ok()?;
    micros(month, day, words.next()?)
}

/// `E0622 13:11:13.515369`.
fn klog_time(text: &str) -> Option<i64> {
    let (head, rest) = text.split_once(' ')?;
    let digits = head.strip_prefix(['I', 'W', 'E', 'F']).filter(|d| d.len() == 4)?;
    micros(
        digits.get(..2)?.parse().ok()?,
        digits.get(2..)?.parse().ok()?,
        rest.trim_start().split(' ').next()?,
    )
}
