use std::sync::Arc;
use whynotready::{
    catalog::load::Catalog,
    diagnosis::engine::Options,
    input::{export, observe::Observer},
    model::input::{Input, Place},
    pipeline::Analyzer,
};
fn main() {
    let catalog = Arc::new(Catalog::embedded().unwrap_or_else(|f| panic!("{f}")));
    for path in std::env::args().skip(1) {
        let mut analyzer = Analyzer::new(Arc::clone(&catalog), Options { premise: true });
        let sieve = |t: &str| catalog.matcher.may_fit(t);
        let mut observer = Observer::new(&sieve);
        let mut input = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut last = None;
        while let Some(entry) = export::read_entry(&mut input).unwrap() {
            let place = || Place::Cursor(Arc::from("c"));
            if let Some(i) = observer.observe(&entry.record(), &place) {
                if std::env::var("SHOW").is_ok() {
                    if let Input::Observed(o) = &i {
                        println!(
                            "{} {:?} {:?} | {}",
                            o.at.wall,
                            o.origin,
                            o.facts,
                            o.text.chars().take(200).collect::<String>()
                        );
                    }
                }
                last = Some(match &i {
                    Input::Observed(o) => o.at,
                    Input::Beat(b) => b.at,
                    _ => unreachable!(),
                });
                analyzer.input(&i, &mut |s| {
                    if std::env::var("SHOW").is_ok() {
                        println!("== {s:?}")
                    }
                });
            }
        }
        if let Some(m) = last {
            analyzer.input(&Input::End(m), &mut |_| {});
        }
        let d = analyzer.diagnosis();
        let name = |f: &whynotready::model::finding::Finding| format!("{:?}:{}:{:?}", f.role, f.cause, f.verdict);
        println!(
            "{path}: {:?} hb={:?} ready={:?} now=[{}] cand=[{}]",
            d.verdict,
            d.heartbeat.state,
            d.node_ready,
            d.findings.iter().map(name).collect::<Vec<_>>().join(" "),
            d.candidates
                .iter()
                .map(|c| c.cause.clone())
                .collect::<Vec<_>>()
                .join(" ")
        );
        for e in &d.episodes {
            println!(
                "    {:?} {} {} {:?} [{}] cand={}",
                e.state,
                e.effect,
                e.opened_at,
                e.ended_at,
                e.findings.iter().map(name).collect::<Vec<_>>().join(" "),
                e.candidates
                    .iter()
                    .map(|c| c.cause.clone())
                    .collect::<Vec<_>>()
                    .join(" ")
            );
        }
    }
}
