//! From bytes to inputs, through the whole reader.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use super::{NodeNameFrom, Options, Summary, read};
use crate::model::input::Input;
use crate::model::time::Timestamp;

fn run(paths: &[PathBuf], stdin: &str, options: &Options) -> Result<(Summary, Vec<Input>), String> {
    let mut inputs = Vec::new();
    let stdin = Box::new(Cursor::new(stdin.to_owned().into_bytes()));
    // every line is observed, so that tests do not depend on the grammar
    let summary = read(
        paths,
        Some(stdin),
        options,
        &|_| true,
        &mut |i| inputs.push(i),
        &mut |_| {},
    );
    summary.map(|s| (s, inputs)).map_err(|e| e.to_string())
}

fn texts(inputs: &[Input]) -> Vec<&str> {
    inputs
        .iter()
        .filter_map(|i| {
            if let Input::Observed(o) = i {
                Some(&*o.text)
            } else {
                None
            }
        })
        .collect()
}

fn stdin(text: &str) -> (Summary, Vec<Input>) {
    run(&["-".into()], text, &Options::default()).unwrap()
}

#[test]
fn files_are_merged_by_time_and_those_without_come_last() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        super::walk::create(&path).write_all(text.as_bytes()).unwrap();
        path
    };
    let one = write(
        "one",
        "2026-11-22T22:35:11+0000 n a[1]: first\n2026-11-22T22:35:14+0000 n a[1]: fourth\n",
    );
    let two = write(
        "two",
        "2026-11-22T22:35:12Z stderr F second\n2026-11-22T22:35:13Z stderr F third\n",
    );
    let three = write("three", "[    1.000000] fifth\n[    3.500000] sixth\n");
    let (summary, inputs) = run(&[three, two, one], "", &Options::default()).unwrap();
    assert_eq!(texts(&inputs), ["first", "second", "third", "fourth", "fifth", "sixth"]);
    assert_eq!(summary.sources.iter().map(|s| s.entries).collect::<Vec<_>>(), [2, 2, 2]);
    let t: Vec<i64> = inputs
        .iter()
        .filter_map(|i| if let Input::Observed(o) = i { Some(o.at.t) } else { None })
        .collect();
    assert_eq!(
        t.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>(),
        [1_000_000, 1_000_000, 1_000_000, 1_000, 2_500_000]
    );
    assert!(matches!(inputs.last(), Some(Input::End(m)) if Some(*m) == summary.last));
    assert_eq!(summary.node.unwrap().from, NodeNameFrom::Hostname);

    let (all, _) = run(&[directory.path().to_owned()], "", &Options::default()).unwrap();
    assert_eq!(all.entries, 6);
}

#[test]
fn only_the_time_asked_about() {
    let log =
        "2026-11-22T22:35:11Z stderr F one\n2026-11-22T22:35:12Z stderr F two\n2026-11-22T22:35:13Z stderr F three\n";
    let at = Timestamp(1_795_386_912_000_000);
    let options = Options {
        since: Some(at),
        until: Some(at),
        ..Options::default()
    };
    let (summary, inputs) = run(&["-".into()], log, &options).unwrap();
    assert_eq!((texts(&inputs), summary.entries), (vec!["two"], 1));
}

#[test]
fn bytes_that_are_no_text() {
    let (_, inputs) = stdin("\0\0\0Nov 22 22:35:11 n a[1]: x\0y\r\n");
    assert_eq!(texts(&inputs), ["x\0y"]);
    let long = format!("Nov 22 22:35:11 n a[1]: {}", "ü".repeat(100_000));
    let (_, inputs) = stdin(&long);
    assert_eq!(texts(&inputs)[0].len(), 8192);
}

#[test]
fn boots_in_the_text_of_journalctl() {
    let (_, inputs) =
        stdin("Nov 22 22:35:11 n a[1]: x\n-- Boot e17fd84d349c469a81f2dad195a9e94d --\nNov 22 22:36:11 n a[1]: y\n");
    let boots: Vec<u32> = inputs
        .iter()
        .filter_map(|i| if let Input::Observed(o) = i { Some(o.boot) } else { None })
        .collect();
    assert_eq!(boots, [0, 1]);
}

#[test]
fn faults_are_named_at_once() {
    let error = run(&["-".into(), "/nonexistent/a".into()], "", &Options::default()).unwrap_err();
    assert!(
        error.contains("/nonexistent/a: ") && error.contains("standard input: the file is empty"),
        "{error}"
    );
    let error = run(&["-".into()], "\u{1}\u{2}\u{3}\u{4}", &Options::default()).unwrap_err();
    assert!(
        error.contains("standard input: line 1: expected a journal file"),
        "{error}"
    );
}

#[test]
fn lines_before_the_first_stamp_are_of_its_time() {
    let (summary, inputs) = stdin("no stamp\n2026-11-22T22:35:12Z stderr F one\n");
    assert_eq!(texts(&inputs), ["no stamp", "one"]);
    assert_eq!(
        (summary.first.unwrap().t, summary.first),
        (1_795_386_912_000_000, summary.last)
    );
}
