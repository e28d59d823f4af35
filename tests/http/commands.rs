//! `status` and `config`, run in process as the binary runs them.

use std::ffi::OsString;
use std::io::Write;
use std::sync::{Arc, Mutex};

use whynotready::cli::exit::Exit;
use whynotready::cli::io::Io;
use whynotready::cli::run;
use whynotready::config::Debug;
use whynotready::export::json;
use whynotready_tests::diagnoses::named;

use crate::place::write;
use crate::server::Server;
use crate::view::Fixed;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn called_with(arguments: &[&str], env: &[(&str, &str)]) -> (Exit, String, String) {
    let (out, err) = (Buffer::default(), Buffer::default());
    let io = Io {
        stdin: None,
        stdout: Box::new(out.clone()),
        stderr: Box::new(err.clone()),
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        width: None,
    };
    let all = std::iter::once("whynotready").chain(arguments.iter().copied());
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    let exit = run::run(all.map(OsString::from), &env, io);
    (exit, out.text(), err.text())
}

fn called(arguments: &[&str]) -> (Exit, String, String) {
    called_with(arguments, &[])
}

#[test]
fn status_says_what_the_agent_knows_and_how_it_is() {
    let diagnosis = named("root-cause");
    let as_json = json::render(&diagnosis, false).unwrap();
    let mut view = Fixed::of(diagnosis);
    view.about.pending = 5;
    view.about.standing_by = Some("another agent (pid 7) has /var/lib/whynotready".into());
    let server = Server::debug_anywhere(view);
    let (exit, out, err) = called(&["status", "--address", &server.address]);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""), "whatever the node is like");
    assert!(
        out.starts_with("node1  kubelet stopped posting node status 6 min 14 s ago"),
        "{out}"
    );
    assert!(
        out.contains("\nROOT CAUSE  api-connection-refused  confirmed\n"),
        "{out}"
    );
    assert!(
        out.contains(
            "\nAGENT  0.1.0, up for 3 days 11 h (since 2026-11-19 23:48:16 UTC); 5 changes wait for delivery\n"
        ),
        "{out}"
    );
    assert!(
        out.ends_with("\n  Standing by: another agent (pid 7) has /var/lib/whynotready\n"),
        "{out}"
    );
    let (exit, out, _) = called(&["status", "--address", &server.address, "--format", "json"]);
    assert_eq!((exit, out), (Exit::Ok, as_json));
}

#[test]
fn status_finds_the_agent_where_the_configuration_says() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("debug.sock");
    let _server = Server::debug(Fixed::of(named("healthy")), Debug::Unix(socket.clone()));
    let file = dir.path().join("config.yaml");
    write(&file, &format!("listen: {{debug: \"unix:{}\"}}\n", socket.display()));
    let (exit, out, err) = called(&["status", "--config", file.to_str().unwrap()]);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
    assert!(out.starts_with("node1  heartbeat ok: last renewal 4 s ago\n"), "{out}");
    let place = format!("unix:{}", socket.display());
    let (exit, ..) = called_with(&["status"], &[("WHYNOTREADY_LISTEN_DEBUG", &place)]);
    assert_eq!(exit, Exit::Ok);
    let (exit, _, err) = called_with(&["status"], &[("WHYNOTREADY_LISTEN_DEBUG", "off")]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("listen.debug"), "{err}");
}

#[test]
fn status_says_where_nobody_answers() {
    let free = Server::debug_anywhere(Fixed::of(named("healthy"))).address.clone();
    let (exit, out, err) = called(&["status", "--address", &free]);
    assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
    assert!(
        err.contains(&format!("no agent answers at {free}: ")) && err.contains("whynotready diagnose"),
        "{err}"
    );
    let (exit, _, err) = called(&["status", "--address", "unix:/nowhere/x.sock"]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("unix:/nowhere/x.sock"), "{err}");
    let (exit, _, err) = called(&["status", "--address", "10951"]);
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("--address"), "{err}");
    // Something else that speaks HTTP.
    let other = Server::metrics(Fixed::of(named("healthy")), crate::server::Guards::default());
    let (exit, _, err) = called(&["status", "--address", &other.address]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("404") && err.contains("listen.debug"), "{err}");
}

#[test]
fn config_check_names_every_fault_and_print_every_origin() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.yaml");
    let path = file.to_str().unwrap();
    write(&file, "listen: {metric: 1}\ngrace_period: soon\n");
    let (exit, out, err) = called(&["config", "check", "--config", path]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    let faults: Vec<&str> = err.lines().collect();
    assert_eq!(
        faults,
        [
            format!("whynotready: {path}: line 1: unknown key `listen.metric`; did you mean `listen.metrics`?"),
            format!(
                "whynotready: {path}: line 2: grace_period: expected a duration such as 30s, 5m or 2h, found \"soon\""
            ),
        ]
    );
    write(
        &file,
        "grace_period: 50s\notlp: {headers: {authorization: Bearer hush}}\n",
    );
    let (exit, out, err) = called(&["config", "check", "--config", path]);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
    assert_eq!(out, format!("{path}: right; 2 keys are not at the default\n"));
    let env = [("WHYNOTREADY_CRI_ENABLED", "true")];
    let (exit, out, _) = called_with(&["config", "print", "--config", path, "--node", "n1"], &env);
    assert_eq!(exit, Exit::Ok);
    let row = |key: &str| {
        let line = out.lines().find(|l| l.split_whitespace().next() == Some(key));
        line.unwrap_or_else(|| panic!("{key}: {out}"))
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(row("node"), "n1 --node");
    assert_eq!(row("grace_period"), format!("50s {path}: line 1"));
    assert_eq!(row("cri.enabled"), "true WHYNOTREADY_CRI_ENABLED");
    assert_eq!(row("otlp.headers"), format!("[hidden] {path}: line 2"));
    assert_eq!(row("state_dir"), "/var/lib/whynotready default");
    assert!(!out.contains("hush"));
    let (exit, _, err) = called(&["config", "check", "--config", "/nowhere.yaml"]);
    assert_eq!(
        (exit, err.as_str()),
        (Exit::Usage, "whynotready: /nowhere.yaml: no such file or directory\n")
    );
}
