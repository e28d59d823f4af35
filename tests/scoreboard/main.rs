//! `scoreboard DIR…`: how often the root cause named is the one on the label.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use whynotready::catalog::load::Catalog;
use whynotready_tests::board::{self, Row, Tally};
use whynotready_tests::corpus;
use whynotready_tests::score::Score::{Kin, Right, Wrong};

/// Scores the library on labelled incidents and field cases.
#[derive(Parser)]
struct Args {
    /// Directories of incidents (`<name>/incident.json`) or of field cases (`cases.jsonl`)
    #[arg(required = true)]
    dirs: Vec<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
    /// Journals alone, without what was captured from the nodes
    #[arg(long)]
    journals_only: bool,
    /// Scenarios that a journal cannot tell, with the reason
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/cannot-tell.toml"))]
    cannot_tell: PathBuf,
    /// Incidents: right or kin at least, per cent
    #[arg(long, value_name = "PERCENT")]
    min_right_incidents: Option<f64>,
    /// Field cases of three lines or more: right or kin at least, per cent
    #[arg(long, value_name = "PERCENT")]
    min_right_field: Option<f64>,
    /// Incidents: wrong at most, per cent
    #[arg(long, value_name = "PERCENT")]
    max_wrong: Option<f64>,
    /// Field cases of three lines or more: wrong at most, per cent
    #[arg(long, value_name = "PERCENT")]
    max_wrong_field: Option<f64>,
    /// Healthy cases of any kind: wrong at most, a number
    #[arg(long, value_name = "N")]
    max_wrong_healthy: Option<usize>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let catalog = Arc::new(Catalog::embedded()?);
    let excuses = corpus::excuses(Path::new(&args.cannot_tell))?;
    let mut cases = Vec::new();
    for dir in &args.dirs {
        cases.extend(corpus::load(dir, &excuses, !args.journals_only)?);
    }
    let rows = board::run(&catalog, cases)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", board::document(&rows))?;
    } else {
        write!(out, "{}", board::table(&rows))?;
    }
    let missed = missed(&args, &rows);
    for miss in &missed {
        writeln!(std::io::stderr(), "scoreboard: {miss}")?;
    }
    Ok(if missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn missed(args: &Args, rows: &[Row]) -> Vec<String> {
    let incidents = Tally::of(rows.iter().filter(|r| board::is_incident(r)));
    let field = Tally::of(rows.iter().filter(|r| board::is_long_field_case(r)));
    let healthy = Tally::of(rows.iter().filter(|r| board::is_healthy(r)));
    let mut missed = Vec::new();
    for (name, tally, floor, ceiling) in [
        ("incidents", incidents, args.min_right_incidents, args.max_wrong),
        ("field cases", field, args.min_right_field, args.max_wrong_field),
    ] {
        let (right, wrong) = (
            tally.percent(&[Right, Kin]),
            if tally.total() == 0 {
                0.0
            } else {
                tally.percent(&[Wrong])
            },
        );
        if let Some(floor) = floor.filter(|f| right < *f) {
            missed.push(format!("{name}: {right:.1} % right or kin, {floor} % wanted"));
        }
        if let Some(ceiling) = ceiling.filter(|c| wrong > *c) {
            missed.push(format!("{name}: {wrong:.1} % wrong, {ceiling} % at most"));
        }
    }
    let wrong = healthy.counts[Wrong as usize];
    if let Some(most) = args.max_wrong_healthy.filter(|m| wrong > *m) {
        missed.push(format!("healthy: {wrong} wrong, {most} at most"));
    }
    missed
}
