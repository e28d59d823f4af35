//! Parses lines of a text file (or standard input's path) and prints facts or throughput: `grammar_dump FILE [repeat]`.
#![allow(clippy::print_stdout, reason = "an example that prints")]
#![allow(clippy::disallowed_methods, reason = "an example that reads a file and measures")]

use whynotready::grammar::line::{Line, Origin};
use whynotready::grammar::{origin, parse};

fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_default();
    let repeat: usize = args.next().and_then(|r| r.parse().ok()).unwrap_or(0);
    let forced = args.next();
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let of = |l: &str| match forced.as_deref() {
        Some("kubelet") => Origin::Kubelet,
        Some("kernel") => Origin::Kernel,
        Some("runtime") => Origin::Runtime,
        Some("systemd") => Origin::Systemd,
        _ => origin::of_text(None, l),
    };
    if repeat == 0 {
        for l in &lines {
            let parsed = parse::parse(
                of(l),
                &Line {
                    text: l,
                    ..Line::default()
                },
            );
            if !parsed.facts.is_empty() {
                println!(
                    "{}\n    {}",
                    l.chars().take(300).collect::<String>(),
                    serde_json::to_string(&parsed.facts).unwrap_or_default()
                );
            }
        }
        return;
    }
    let start = std::time::Instant::now();
    let mut facts = 0;
    for _ in 0..repeat {
        for l in &lines {
            facts += parse::parse(
                of(l),
                &Line {
                    text: l,
                    ..Line::default()
                },
            )
            .facts
            .len();
        }
    }
    let n = lines.len() * repeat;
    let s = start.elapsed().as_secs_f64();
    println!("{n} lines, {facts} facts, {s:.3} s, {:.0} ns/line", s * 1e9 / n as f64);
}
