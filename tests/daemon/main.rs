//! `whynotready run` as a process: what it finds it tells once, whatever is done to it.

mod again;
mod kill;
mod node;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use node::{Node, read, refused};
use rustix::process::Signal;
use serde_json::Value;

const FOUND: &str = "root_cause_found api-connection-refused";

fn found(agent: &node::Agent) -> bool {
    agent.events().iter().any(|e| e == FOUND)
}

fn field(lines: &[Value], event: &str, name: &str) -> Vec<String> {
    let of = lines.iter().filter(|l| l["event"] == event);
    of.map(|l| l[name].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn names_the_root_cause_once_and_goes_on_with_it_after_a_restart() {
    let node = Node::new();
    node.loses_its_api_server(60);
    let mut agent = node.agent(&[], &[]);
    agent.wait("the root cause", found);
    assert_eq!(agent.events(), ["episode_opened -", FOUND]);
    let lines = agent.stop();
    assert_eq!(field(&lines, "root_cause_found", "tier"), ["disk"]);
    let episode = field(&lines, "episode_opened", "episode");
    let bundle = node.path(&format!("state/bundles/{}.bundle", episode[0]));
    assert!(bundle.exists(), "{}", bundle.display());

    // It is as it was: nothing is told again, and the episode has the same id.
    node.says(&[(0, refused())]);
    let mut again = node.agent(&[], &[]);
    again.wait("it has looked", |a| {
        a.get("/debug/about").is_some_and(|_| open(a).is_some())
    });
    assert_eq!(open(&again).as_ref(), Some(&episode[0]));
    node.says(&[(0, refused())]);
    again.wait("more is read", |a| counted(a) >= 9);
    assert_eq!(again.events(), [""; 0]);

    // Killed and started again: the same.
    again.signal(Signal::KILL);
    let mut last = node.agent(&[], &[]);
    last.wait("it has looked", |a| open(a).is_some());
    assert_eq!(open(&last).as_ref(), Some(&episode[0]));
    let (_, body) = last.get("/debug/bundle").expect("a bundle");
    assert!(body.starts_with(&[0x1f, 0x8b]) && body.len() > 300, "{}", body.len());
    assert_eq!(last.events(), [""; 0]);
}

/// The open episode's id.
fn open(agent: &node::Agent) -> Option<String> {
    let diagnosis = agent.diagnosis()?;
    let episodes = diagnosis["episodes"].as_array()?;
    let open = episodes.iter().find(|e| e["state"] == "open")?;
    open["id"].as_str().map(str::to_owned)
}

/// How often the first evidence was seen.
fn counted(agent: &node::Agent) -> u64 {
    let diagnosis = agent.diagnosis().unwrap_or_default();
    diagnosis["findings"][0]["evidence"][0]["count"].as_u64().unwrap_or(0)
}

#[test]
fn a_second_agent_stands_by_and_takes_over() {
    let node = Node::new();
    node.loses_its_api_server(60);
    let mut first = node.agent(&[], &[]);
    first.wait("the root cause", found);
    let mut second = node.agent(&[], &[]);
    second.wait("it stands by", |a| {
        a.lines().iter().any(|l| {
            l["msg"]
                .as_str()
                .is_some_and(|m| m.contains("another agent on this host"))
        })
    });
    second.wait("it sees the same", |a| {
        a.diagnosis()
            .is_some_and(|d| d["findings"][0]["cause"] == "api-connection-refused")
    });
    assert_eq!(second.events(), [""; 0], "but tells nothing");
    first.stop();
    second.wait("it has the lock", |a| {
        read(&node.path("state/lock")) == a.child.id().to_string()
    });
    second.wait("it goes on", |a| open(a).is_some());
    assert_eq!(second.events(), [""; 0], "what the first has told is not told again");
}

#[test]
fn a_configuration_is_applied_or_refused_as_a_whole() {
    let node = Node::new();
    node.write("config.yaml", "journal: { look_back: 20m }\n");
    let config = format!("--config={}", node.path("config.yaml").display());
    let mut agent = node.agent(&[&config], &[]);
    let shown = |a: &node::Agent| {
        let (_, body) = a.get("/debug/config")?;
        String::from_utf8(body).ok()
    };
    agent.wait("it answers", |a| shown(a).is_some_and(|c| c.contains("20m")));
    node.write("config.yaml", "journal: { look_bakc: 10m }\ngrace_period: soon\n");
    agent.signal(Signal::HUP);
    let said = |a: &node::Agent, word: &str| {
        a.lines()
            .iter()
            .any(|l| l["msg"].as_str().is_some_and(|m| m.contains(word)))
    };
    agent.wait("it refuses", |a| {
        said(a, "look_bakc") && said(a, "grace_period") && said(a, "refused")
    });
    assert!(
        shown(&agent).is_some_and(|c| c.contains("20m")),
        "the one before is in force"
    );
    node.write("config.yaml", "journal: { look_back: 10m }\n");
    agent.wait("it takes the new file without a signal", |a| {
        shown(a).is_some_and(|c| c.contains("10m"))
    });
    assert!(said(&agent, "is applied"));
    agent.stop();
}

#[test]
fn systemd_hears_of_it() {
    let node = Node::new();
    let path = node.path("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_mins(1)))
        .expect("a timeout");
    let path = path.display().to_string();
    let env = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "400000")];
    let agent = node.agent(&[], &env);
    let next = || {
        let mut bytes = [0; 256];
        let n = socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    };
    let mut all: Vec<String> = (0..4).map(|_| next()).collect();
    assert!(all.iter().any(|m| m.starts_with("READY=1")), "{all:?}");
    assert!(all.iter().filter(|m| *m == "WATCHDOG=1").count() >= 2, "{all:?}");
    agent.stop();
    while all.last().is_none_or(|m| m != "STOPPING=1") {
        all.push(next());
    }
}

#[test]
fn a_state_directory_that_cannot_be_written_costs_durability_only() {
    let node = Node::new();
    node.loses_its_api_server(60);
    std::fs::remove_dir(node.path("state")).expect("it is empty");
    node.write("state", "a file is in the way");
    let mut agent = node.agent(&[again::COLLECTOR], &[]);
    agent.wait("the root cause", found);
    let tiers = field(&agent.lines(), "root_cause_found", "tier");
    assert!(tiers == ["run"] || tiers == ["memory"], "{tiers:?}");
    let (_, about) = agent.get("/debug/about").expect("an answer");
    let about: Value = serde_json::from_slice(&about).expect("JSON");
    let troubles = about["troubles"].as_array().expect("a list");
    assert!(
        troubles
            .iter()
            .any(|t| t.as_str().is_some_and(|t| t.contains("state directory"))),
        "{about}"
    );

    // Once it can be, what was found moves there, and what was told is not told again.
    std::fs::remove_file(node.path("state")).expect("it was there");
    agent.wait("it has the lock and has kept", |a| {
        read(&node.path("state/lock")) == a.child.id().to_string()
            && read(&node.path("state/state.json")).contains("\"open\":{")
            && open(a).is_some()
    });
    let events = agent.stop();
    assert_eq!(field(&events, "root_cause_found", "cause").len(), 1, "{events:#?}");
    let stored = again::stored(&node);
    let causes: Vec<&str> = stored.iter().filter_map(|c| c.cause.as_deref()).collect();
    assert_eq!(causes, ["api-connection-refused"]);
}
