//! Runs a case through the library, as `analyze` would.

use std::sync::Arc;

use anyhow::Result;
use whynotready::catalog::load::Catalog;
use whynotready::diagnosis::engine::Options;
use whynotready::grammar::origin::Sender;
use whynotready::input::observe::Observer;
use whynotready::input::record::Record;
use whynotready::input::{self, Options as Window};
use whynotready::model::diagnosis::Diagnosis;
use whynotready::model::input::{Input, Place};
use whynotready::model::time::{Moment, SECOND, Timestamp};
use whynotready::pipeline::Analyzer;

use crate::corpus::{Case, Line, Material};

/// The answer to a case.
pub fn diagnose(catalog: &Arc<Catalog>, case: &Case) -> Result<Diagnosis> {
    let mut analyzer = Analyzer::new(Arc::clone(catalog), Options { premise: true });
    let sieve = |text: &str| catalog.matcher.may_fit(text);
    match &case.material {
        Material::Journal(dir) => {
            let paths = [dir.clone()];
            let mut sink = |input: Input| analyzer.input(&input, &mut |_| {});
            input::read(&paths, None, &Window::default(), &sieve, &mut sink, &mut |_| {})?;
        }
        Material::Lines(lines) => feed(lines, &sieve, &mut |input| analyzer.input(&input, &mut |_| {})),
    }
    Ok(analyzer.diagnosis())
}

fn feed(lines: &[Line], sieve: &dyn Fn(&str) -> bool, sink: &mut dyn FnMut(Input)) {
    let mut observer = Observer::new(sieve);
    let mut end = None;
    for (i, line) in lines.iter().enumerate() {
        let wall = line
            .ts
            .as_deref()
            .and_then(syslog_time)
            .or_else(|| klog_time(&line.text));
        let record = Record {
            wall,
            text: &line.text,
            sender: Sender {
                syslog_identifier: line.unit.as_deref().filter(|u| *u != "other"),
                ..Sender::default()
            },
            ..Record::default()
        };
        let place = || Place::Line(Arc::from("quoted"), i as u64 + 1);
        if let Some(input) = observer.observe(&record, &place) {
            end = moment(&input).or(end);
            sink(input);
        }
    }
    sink(Input::End(end.unwrap_or(Moment {
        t: 0,
        wall: Timestamp(0),
    })));
}

fn moment(input: &Input) -> Option<Moment> {
    match input {
        Input::Observed(o) => Some(o.at),
        Input::Beat(b) => Some(b.at),
        Input::Tick(at) | Input::End(at) => Some(*at),
        Input::Gap(_) => None,
    }
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
