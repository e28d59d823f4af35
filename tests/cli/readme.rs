//! The README says what is so.

use std::path::{Path, PathBuf};

use whynotready::cli::exit::Exit;

use crate::call::called;

const README: &str = include_str!("../../README.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What comes before the sample, the sample, and what comes after.
fn parts() -> [&'static str; 3] {
    let mut parts = README.split("```\n");
    let found = [(); 3].map(|()| parts.next().expect("one fenced sample"));
    assert_eq!(parts.next(), None, "one fenced sample");
    found
}

/// The commands: lines that are indented by four blanks.
fn commands() -> Vec<&'static str> {
    let [before, _, after] = parts();
    let lines = before.lines().chain(after.lines());
    lines.filter_map(|l| l.strip_prefix("    ")).collect()
}

#[test]
fn the_sample_is_what_the_program_prints() {
    let [_, sample, _] = parts();
    let analyze = commands()
        .into_iter()
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
    assert_eq!(sample, out, "copy the program's output to README.md");
}

#[test]
fn the_two_commands_exist() {
    let [analyze, tests] = commands()[..] else {
        panic!("two commands, not {:?}", commands());
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
    for word in ["diagnose", "replay", "analyze", "explain", "causes", "schema"] {
        let (exit, ..) = called(&[word, "--help"]);
        assert_eq!(exit, Exit::Ok, "{word}");
    }
    let help = ["analyze", "diagnose"].map(|word| called(&[word, "--help"]).1).concat();
    let [before, _, after] = parts();
    for flag in [before, after]
        .concat()
        .split(|c: char| !(c.is_ascii_lowercase() || c == '-'))
    {
        let cargo = ["--", "--release", "--bin"].contains(&flag);
        assert!(!flag.starts_with("--") || cargo || help.contains(flag), "{flag}");
    }
}
