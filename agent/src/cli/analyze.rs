//! `whynotready analyze`: journals and logs in, a diagnosis out.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::args::Analyze;
use super::exit::Exit;
use super::io::Io;
use super::progress::Line;
use super::replay;
use super::report;
use super::run::{self, Failure};
use super::window::Bound;
use crate::capture::{self, Prepared};
use crate::catalog::load::Catalog;
use crate::diagnosis::engine;
use crate::export::report::Tense;
use crate::input;
use crate::model::diagnosis::Diagnosis;
use crate::model::input::{Gap, Input};
use crate::model::time::Timestamp;
use crate::pipeline::Analyzer;

pub(super) fn run(args: &Analyze, env: &dyn Fn(&str) -> Option<String>, io: &mut Io) -> Result<Exit, Failure> {
    let (since, until) = bounds(args)?;
    let catalog = Arc::new(run::catalog(args.common.catalog_dir.as_deref())?);
    let diagnosis = if let [one] = args.paths.as_slice()
        && let Some((bundle, older)) = replay::bundle_at(one)
    {
        let mut diagnosis = replay::diagnose(&bundle, &catalog)?;
        diagnosis.node = args.node.clone().or(diagnosis.node);
        if older > 0 {
            diagnosis.gaps.push(Gap {
                source: "bundle".into(),
                from: None,
                to: None,
                reason: format!(
                    "{} is the newest; {older} older beside it are not read",
                    bundle.display()
                ),
                grant: None,
            });
        }
        diagnosis
    } else {
        let prepared = capture::prepare(&args.paths, args.node.as_deref()).map_err(|e| Failure::Tool(e.to_string()))?;
        let options = window(&prepared, since, until)?;
        diagnose(args, &prepared, (&catalog, &options), io)?
    };
    report::print((&diagnosis, Tense::Record), &args.common, env, io)
}

fn bounds(args: &Analyze) -> Result<(Option<Bound>, Option<Bound>), Failure> {
    let mut faults = Vec::new();
    let mut bound = |flag: &str, text: &Option<String>| {
        text.as_deref()
            .and_then(|text| Bound::parse(flag, text).map_err(|fault| faults.push(fault)).ok())
    };
    let since = bound("--since", &args.since);
    let until = bound("--until", &args.until);
    if let (Some(Bound::At(since)), Some(Bound::At(until))) = (since, until)
        && since > until
    {
        faults.push(format!("--since {since} is after --until {until}"));
    }
    if let (Some(Bound::BeforeEnd(since)), Some(Bound::BeforeEnd(until))) = (since, until)
        && since < until
    {
        faults.push("--since is after --until".to_owned());
    }
    if args.paths.iter().filter(|p| p.as_path() == Path::new("-")).count() > 1 {
        faults.push("standard input (`-`) can be read once only".to_owned());
    }
    if faults.is_empty() {
        Ok((since, until))
    } else {
        Err(Failure::Usage(faults.join("\n")))
    }
}

/// Where a bound is relative to the end, the record is read once to find its end: nothing in it is looked at.
fn window(prepared: &Prepared, since: Option<Bound>, until: Option<Bound>) -> Result<input::Options, Failure> {
    let mut options = input::Options::default();
    prepared.tell(&mut options);
    let relative = |bound: Option<Bound>| matches!(bound, Some(Bound::BeforeEnd(_)));
    let mut end = Timestamp::default();
    if relative(since) || relative(until) {
        if prepared.paths.iter().any(|p| p.as_path() == Path::new("-")) {
            let message = "standard input is read once: give --since and --until as absolute times";
            return Err(Failure::Usage(message.to_owned()));
        }
        let summary = input::read(&prepared.paths, None, &options, &|_| false, &mut |_| {}, &mut |_| {})
            .map_err(|e| Failure::Tool(e.to_string()))?;
        end = summary.last.map(|m| m.wall).unwrap_or_default();
    }
    Ok(input::Options {
        since: since.map(|b| b.resolve(end)),
        until: until.map(|b| b.resolve(end)),
        ..options
    })
}

fn diagnose(
    args: &Analyze,
    prepared: &Prepared,
    (catalog, options): (&Arc<Catalog>, &input::Options),
    io: &mut Io,
) -> Result<Diagnosis, Failure> {
    let reads_stdin = args.paths.iter().any(|p| p.as_path() == Path::new("-"));
    let stdin: Option<Box<dyn Read>> = if reads_stdin { io.stdin.take() } else { None };
    // Whoever analyses a log says by that that the node went NotReady (CONTRACT.md, premise).
    let mut analyzer = Analyzer::new(Arc::clone(catalog), engine::Options { premise: true });
    for reason in &prepared.left {
        let gap = Gap {
            source: "file".into(),
            from: None,
            to: None,
            reason: reason.clone(),
            grant: None,
        };
        analyzer.input(&Input::Gap(gap), &mut |_| {});
    }
    let summary = {
        let mut line = Line::new(&mut io.stderr, io.stderr_is_terminal);
        input::read(
            &prepared.paths,
            stdin,
            options,
            &|text| catalog.matcher.may_fit(text),
            &mut |input| analyzer.input(&input, &mut |_| {}),
            &mut |progress| line.show(progress),
        )
        .map_err(|e| Failure::Tool(e.to_string()))?
    };
    let mut diagnosis = analyzer.diagnosis();
    diagnosis.node = args
        .node
        .clone()
        .or_else(|| prepared.node.clone())
        .or(diagnosis.node)
        .or(summary.node.map(|n| n.name));
    diagnosis.boot_id = diagnosis.boot_id.or(summary.boot_id);
    Ok(diagnosis)
}
