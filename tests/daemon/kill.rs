//! SIGKILL at random moments, while the journal goes on: in the middle of telling, of storing, of reading, of nothing.
//! What one life after the other said and stored, taken together, is each change once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use whynotready::clock::Clock;

use crate::again::{COLLECTOR, stored};
use crate::node::{Node, ago, begins, read, refusals, well};
use crate::open;

/// Kills, where `WHYNOTREADY_TEST_KILLS` asks for no other number.
const KILLS: usize = 30;
/// Episodes that came and went before the first life, each of four minutes; one more goes on.
const MISSED: usize = 10;
/// Changes of all of them: four of each that is over, two of the last.
const CHANGES: usize = MISSED * 4 + 2;
/// Nodes at a time, and kills in the journal of one, at most.
const NODES: usize = 3;
const OF_ONE: usize = 16;

/// `episode kind cause`, and its id.
type Told = BTreeMap<String, BTreeSet<String>>;

#[expect(clippy::disallowed_methods, reason = "whoever looks for more sets it")]
fn kills() -> usize {
    let asked = std::env::var("WHYNOTREADY_TEST_KILLS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(KILLS)
}

fn take(told: &mut Told, lines: &[Value]) {
    for line in lines.iter().filter(|l| l["event"].is_string()) {
        let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        let what = format!("{} {} {}", word("episode"), word("event"), word("cause"));
        told.entry(what).or_default().insert(word("uid"));
    }
}

/// A node that was ill ten times while its agent was down, and is again.
fn node() -> Node {
    let node = Node::new();
    let mut lines = begins(2700);
    for n in (1..=MISSED as i64).rev() {
        lines.extend(refusals(n * 240 + 70, n * 240));
        lines.extend(well(n * 240 - 10, (n - 1) * 240 + 80));
    }
    lines.extend(refusals(70, 0));
    node.says(&lines);
    let state = json!({ "announced": { "since": ago(7200) }, "read_until": ago(2690) });
    node.write("state/state.json", &state.to_string());
    node
}

#[test]
fn kills_at_random_moments_tell_everything_once() {
    let seed = Clock::system().now().wall.0.unsigned_abs();
    let share = kills().div_ceil(NODES);
    // Agents wait more than they work.
    let in_the_middle: usize = std::thread::scope(|scope| {
        let of_one = |n| scope.spawn(move || one_node(seed + n, share));
        let nodes: Vec<_> = (0..NODES as u64).map(of_one).collect();
        nodes.into_iter().map(|n| n.join().expect("it holds")).sum()
    });
    assert!(in_the_middle > 0, "seed {seed}: it is never killed while it tells");
}

/// Kills its agents so often. Gives how many of them were telling.
fn one_node(seed: u64, mut left: usize) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut in_the_middle = 0;
    while left > 0 {
        let node = node();
        let mut told = Told::new();
        for _ in 0..left.min(OF_ONE) {
            left -= 1;
            let mut agent = node.agent(&[COLLECTOR], &[]);
            if random.u8(0..4) == 0 {
                // Whatever it does then.
                agent.wait("it lives", |a| !a.lines().is_empty());
                pause(random.u64(0..1500));
            } else {
                let count = random.usize(1..CHANGES);
                let before = read(&node.path("state/state.json"));
                let has_told = || read(&node.path("state/state.json")) != before;
                agent.wait_closely("it tells, or has told", |a| a.said() > count || has_told());
                pause(random.u64(0..4));
            }
            let lines = agent.kill();
            let events = lines.iter().filter(|l| l["event"].is_string()).count();
            in_the_middle += usize::from((1..CHANGES).contains(&events));
            take(&mut told, &lines);
            node.says(&refusals(0, 0));
        }
        let before = read(&node.path("state/state.json"));
        let mut last = node.agent(&[COLLECTOR], &[]);
        last.wait("it has told and kept", |a| {
            open(a).is_some() && read(&node.path("state/state.json")) != before
        });
        take(&mut told, &last.stop());
        check(&node, &told, seed);
    }
    in_the_middle
}

/// Everything was told, each under one id, and all of it is stored.
fn check(node: &Node, told: &Told, seed: u64) {
    let uids: BTreeSet<&String> = told.values().flatten().collect();
    assert_eq!((told.len(), uids.len()), (CHANGES, CHANGES), "seed {seed}: {told:#?}");
    for (kind, count) in [
        ("episode_opened", MISSED + 1),
        ("root_cause_found", MISSED + 1),
        ("root_cause_cleared", MISSED),
        ("episode_ended", MISSED),
    ] {
        assert_eq!(
            told.keys().filter(|k| k.contains(kind)).count(),
            count,
            "seed {seed}: {kind}: {told:#?}"
        );
    }
    let kept: Vec<String> = stored(node).into_iter().map(|c| c.uid).collect();
    let distinct: BTreeSet<&String> = kept.iter().collect();
    assert_eq!(
        distinct.len(),
        kept.len(),
        "seed {seed}: none is stored twice: {kept:#?}"
    );
    assert_eq!(distinct, uids, "seed {seed}: what was said is stored");
}

/// Until it is killed.
#[expect(
    clippy::disallowed_methods,
    reason = "a random moment is meant, and nothing is waited for"
)]
fn pause(millis: u64) {
    std::thread::sleep(std::time::Duration::from_millis(millis));
}
