//! The README says what is so.

use std::path::{Path, PathBuf};

use whynotready::cli::exit::Exit;
use whynotready::config::resolve::{Sources, resolve};

use crate::call::called;

const README: &str = include_str!("../../README.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The fenced blocks: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let parts = README.split("```").skip(1).step_by(2);
    parts.filter_map(|block| block.split_once('\n')).collect()
}

/// The one block of this language.
fn block(language: &str) -> &'static str {
    let found: Vec<&str> = blocks().into_iter().filter(|b| b.0 == language).map(|b| b.1).collect();
    let [one] = found[..] else {
        panic!("one block of {language:?}, not {}", found.len());
    };
    one
}

/// Everything but the sample.
fn prose() -> String {
    README.replace(block(""), "")
}

/// The two commands: lines that are indented by four blanks.
fn commands() -> Vec<String> {
    let mut prose = prose();
    for (_, text) in blocks() {
        prose = prose.replace(text, "");
    }
    let lines = prose.lines().filter_map(|l| l.strip_prefix("    "));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_sample_is_what_the_program_prints() {
    let commands = commands();
    let analyze = commands
        .iter()
        .find_map(|c| c.split_once("-p whynotready -- "))
        .map(|(_, args)| args)
        .expect("the first command runs the program");
    let args: Vec<String> = analyze
        .split(' ')
        .map(|a| {
            if a.contains('/') {
                root().join(a).display().to_string()
            } else {
                a.to_owned()
            }
        })
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (exit, out, err) = called(&args);
    assert_eq!((exit, err.as_str()), (Exit::RootCause, ""));
    assert_eq!(block(""), out, "copy the program's output to README.md");
}

#[test]
fn the_two_commands_exist() {
    let commands = commands();
    let [analyze, tests] = &commands[..] else {
        panic!("two commands, not {commands:?}");
    };
    assert!(
        analyze.starts_with("cargo run --release -p whynotready -- analyze "),
        "{analyze}"
    );
    assert_eq!(tests, ".ci/run");
    assert!(root().join(tests).is_file());
}

#[test]
fn every_flag_and_subcommand_that_is_named_exists() {
    let commands = [
        &["analyze"][..],
        &["diagnose"],
        &["run"],
        &["status"],
        &["config", "check"],
        &["config", "print"],
        &["replay"],
        &["explain"],
        &["causes"],
        &["schema"],
    ];
    let mut help = String::new();
    for command in commands {
        let (exit, out, _) = called(&[command, &["--help"]].concat());
        assert_eq!(exit, Exit::Ok, "{command:?}");
        help.push_str(&out);
    }
    // Flags of other programs: cargo's, Helm's, and the kube-controller-manager's.
    let theirs = ["--release", "--bin", "--set", "--node-monitor-grace-period"];
    let mut prose = prose();
    for (_, script) in blocks().into_iter().filter(|b| b.0 == "sh") {
        prose = prose.replace(script, "");
    }
    for flag in prose.split(|c: char| !(c.is_ascii_lowercase() || c == '-')) {
        // Nothing but dashes is a table's rule, or cargo's end of its own arguments.
        let is_flag = flag.starts_with("--") && flag.contains(|c: char| c.is_ascii_lowercase());
        assert!(!is_flag || theirs.contains(&flag) || help.contains(flag), "{flag}");
    }
}

#[test]
fn the_configuration_is_right() {
    let sources = Sources {
        file: Some(("README.md", block("yaml"))),
        env: &|_| None,
        flags: &[],
    };
    resolve(&sources).unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn what_is_installed_is_there() {
    let scripts: Vec<&str> = blocks().into_iter().filter(|b| b.0 == "sh").map(|b| b.1).collect();
    let all = scripts.concat();
    let ours = all
        .split_whitespace()
        .filter(|word| word.starts_with("systemd/") || word.starts_with("charts/"));
    let mut count = 0;
    for path in ours {
        count += 1;
        assert!(root().join(path).exists(), "{path}");
    }
    assert_eq!(count, 3, "the unit, its slice and the chart");
}
