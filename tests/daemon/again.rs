//! One life after the other: nothing is told twice, nothing is forgotten, and a state that is gone costs no news.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use whynotready::clock::Clock;
use whynotready::model::change::{Change, ChangeKind};
use whynotready::outbox::durable::{Options, Outbox, PATIENCE};
use whynotready::outbox::sink::Sink;

use crate::node::{Agent, Node, ago, begins, read, refusals, well};
use crate::{FOUND, field, found, open};

const OPENED: [&str; 2] = ["episode_opened -", FOUND];
const ENDED: [&str; 2] = ["root_cause_cleared api-connection-refused", "episode_ended -"];
/// Nobody listens there: what is stored stays stored.
pub(crate) const COLLECTOR: &str = "--otlp-endpoint=http://127.0.0.1:9";

/// What no collector has got.
pub(crate) fn stored(node: &Node) -> Vec<Change> {
    let mut outbox = Outbox::open(Options {
        dir: node.path("state"),
        run_dir: node.path("run"),
        max_bytes: 16 << 20,
        sinks: vec![Sink::Otlp],
        patience: PATIENCE * 15,
        clock: Clock::system(),
    });
    outbox
        .pending(Sink::Otlp, usize::MAX)
        .into_iter()
        .map(|s| s.change)
        .collect()
}

/// Whether all was read and looked at: from then on what is new is told.
pub(crate) fn settled(agent: &Agent) -> bool {
    agent.get("/debug/about").is_some() && agent.diagnosis().is_some_and(|d| d["at"].is_string())
}

/// Waits until the agent has had a few occasions to say something.
fn has_its_say(agent: &mut Agent, node: &Node) {
    let saved = |n: &Node| {
        let state: Value = serde_json::from_str(&read(&n.path("state/state.json"))).unwrap_or_default();
        state["read_until"].as_str().map(str::to_owned)
    };
    let before = saved(node);
    agent.wait("it has told and kept", |_| {
        saved(node).is_some_and(|s| Some(s) != before)
    });
}

fn change_state(node: &Node, change: impl FnOnce(&mut Value)) {
    let mut state: Value = serde_json::from_str(&read(&node.path("state/state.json"))).expect("JSON");
    change(&mut state);
    node.write("state/state.json", &state.to_string());
}

#[test]
fn what_ended_is_not_told_again_though_the_history_begins_in_the_middle_of_it() {
    let node = Node::new();
    let lines = [begins(3000), refusals(2400, 1200), well(1190, 0)];
    node.says(&lines.concat());
    // An agent was here before, and saw nothing of it.
    let state = json!({ "announced": { "since": ago(7200) }, "read_until": ago(2500) });
    node.write("state/state.json", &state.to_string());
    let mut first = node.agent(&[], &[]);
    first.wait("the end", |a| a.events().len() >= 4);
    assert_eq!(first.events(), [OPENED, ENDED].concat());
    first.stop();
    let mut second = node.agent(&[], &[]);
    has_its_say(&mut second, &node);
    assert_eq!(second.events(), [""; 0]);
    let shown = second.diagnosis().expect("an answer");
    assert_eq!(
        shown["episodes"].as_array().map(Vec::len),
        Some(1),
        "it does see it: {shown:#}"
    );
    second.stop();
}

/// An agent that saw an episode begin and no end of it.
fn saw_a_begin(node: &Node) -> String {
    node.says(&[begins(900), refusals(400, 300)].concat());
    let mut agent = node.agent(&[COLLECTOR], &[]);
    agent.wait("the root cause", found);
    let episode = open(&agent).expect("it is open");
    agent.stop();
    episode
}

#[test]
fn a_recovery_while_nobody_looked_is_told_once() {
    let node = Node::new();
    let episode = saw_a_begin(&node);
    change_state(&node, |state| state["read_until"] = ago(300).into());
    node.says(&well(290, 0));
    let mut second = node.agent(&[COLLECTOR], &[]);
    second.wait("the end", |a| a.events().len() >= 2);
    assert_eq!(second.events(), ENDED);
    assert_eq!(field(&second.lines(), "episode_ended", "episode"), [episode]);
    second.stop();
    let mut third = node.agent(&[COLLECTOR], &[]);
    has_its_say(&mut third, &node);
    assert_eq!(third.events(), [""; 0]);
    third.stop();
}

#[test]
fn another_episode_is_not_taken_for_the_one_before_though_the_state_is_gone() {
    let node = Node::new();
    let episode = saw_a_begin(&node);
    std::fs::remove_file(node.path("state/state.json")).expect("it was there");
    node.says(&[well(290, 70), refusals(60, 0)].concat());
    let mut second = node.agent(&[COLLECTOR], &[]);
    second.wait("the root cause", found);
    let other = open(&second).expect("it is open");
    assert_ne!(other, episode);
    assert_eq!(second.events(), OPENED);
    second.stop();
    let all = stored(&node);
    let of = |c: &Change| {
        (c.kind == ChangeKind::RootCauseFound)
            .then(|| c.episode.clone())
            .flatten()
    };
    assert_eq!(all.iter().filter_map(of).collect::<Vec<_>>(), [episode, other]);
    assert_eq!(all.iter().map(|c| &c.uid).collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn a_configuration_whose_plan_is_refused_does_not_end_the_agent() {
    let node = Node::new();
    node.write("config.yaml", "journal: { look_back: 20m }\n");
    let config = format!("--config={}", node.path("config.yaml").display());
    let mut agent = node.agent(&[&config], &[]);
    agent.wait("it answers", settled);
    let said = |a: &Agent, word: &str| {
        let says = |l: &Value| l["msg"].as_str().is_some_and(|m| m.contains(word));
        a.lines().iter().any(says)
    };
    let nowhere = node.path("nowhere");
    node.write("config.yaml", &format!("catalog_dir: {}\n", nowhere.display()));
    agent.wait("it refuses", |a| {
        said(a, "refused") && said(a, &nowhere.display().to_string())
    });
    let shown = |a: &Agent| String::from_utf8(a.get("/debug/config").expect("it lives").1).expect("text");
    assert!(shown(&agent).contains("20m"), "the one before is in force");
    node.write("config.yaml", "journal: { look_back: 25m }\n");
    agent.signal(rustix::process::Signal::HUP);
    agent.wait("it goes on with the next", |a| {
        a.get("/debug/config")
            .is_some_and(|(_, body)| String::from_utf8_lossy(&body).contains("25m"))
    });
    agent.stop();
}
