//! The runtime's socket: whether it is there, accepts, and whether somebody answers behind it.
//!
//! The kernel accepts for a process that has stopped until its queue is full, so that a connection alone proves nothing.
//! Whoever speaks HTTP/2 sends its settings as soon as it sees a client: that is waited for, and needs no call. CRI calls
//! are made only where they are allowed.

use std::fmt::Write as _;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use super::cri::{self, Failure, one_line};
use super::look::{Look, Looking, Reading, Sampler, blocking};
use super::scene::Scene;
use crate::grammar::fact::{Fact, Kind};
use crate::host::{Host, Unreadable};

/// HTTP/2's connection preface and an empty SETTINGS frame (RFC 9113, sections 3.4 and 6.5).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/// The type of a SETTINGS frame.
const SETTINGS: u8 = 4;
/// So long the server's settings are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// A queue that is full twice, so long apart, is full.
const AGAIN: Duration = Duration::from_millis(300);
/// What lets the runtime be asked.
const CRI_GRANT: &str = "--cri";

/// Looks at the runtime's socket.
#[derive(Debug, Default)]
pub struct RuntimeSocket;

impl Sampler for RuntimeSocket {
    fn name(&self) -> &'static str {
        "runtime-socket"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::RuntimeSocket]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(6)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(look(scene))
    }
}

/// What a socket did.
#[derive(Debug)]
enum Knock {
    Answers,
    Missing,
    Refused,
    Silent,
    Full,
    Denied,
    Other(String),
}

async fn look(scene: &Scene) -> Look {
    let mut look = Look::default();
    let Some(socket) = &scene.world.runtime.socket else {
        let why = "which socket the container runtime has is not known";
        look.missed(
            Kind::RuntimeSocket,
            why,
            Some("--container-runtime-endpoint of the kubelet"),
        );
        return look;
    };
    let mut fact = Fact::new(Kind::RuntimeSocket).with_text("path", socket.to_string_lossy());
    if let Some(program) = scene.world.runtime.program {
        let known = ["containerd", "crio", "docker"];
        fact = fact.with("program", if known.contains(&program) { program } else { "other" });
    }
    let (host, path) = (scene.host.clone(), socket.clone());
    let there = blocking(move || there(&host, &path)).await;
    if let Some(There::Unmounted(dir)) = there {
        let grant = format!("mount {dir}, read-only");
        look.missed(
            Kind::RuntimeSocket,
            format!("{dir} of the node is not to be seen"),
            Some(&grant),
        );
        return look;
    }
    let path = scene.host.path(socket);
    let began = scene.clock.now();
    let knock = match there {
        Some(There::Missing) => Knock::Missing,
        Some(There::NoSocket) => Knock::Other("is no socket".to_owned()),
        _ => knock(&path).await,
    };
    let took = (scene.clock.since(began) / 1000) as i64;
    if matches!(knock, Knock::Denied) {
        let why = format!("{}: permission denied", socket.display());
        look.missed(Kind::RuntimeSocket, why, Some("run as root"));
    }
    let (word, text) = told(&knock, took);
    let fact = fact.with("result", word).with_int("ms", took);
    let mut reading = Reading::new(format!("{}  {text}", socket.display()), fact);
    match knock {
        Knock::Answers if scene.allowed.cri => ask(scene, &path, &mut reading).await,
        Knock::Answers => {
            extend(&mut reading, |f| f.with("cri", "not-asked"));
            let why = "RuntimeReady and NetworkReady are not known: the runtime was not asked over CRI";
            look.missed(Kind::RuntimeSocket, why, Some(CRI_GRANT));
        }
        _ => {}
    }
    look.readings.push(reading);
    look
}

enum There {
    Yes,
    Missing,
    NoSocket,
    /// This directory of the node is not in this container.
    Unmounted(String),
}

fn there(host: &Host, socket: &Path) -> There {
    match host.metadata(socket) {
        Ok(meta) if meta.file_type().is_socket() => There::Yes,
        Ok(_) => There::NoSocket,
        Err(Unreadable::Missing(_)) => {
            let dir = socket.parent().unwrap_or(socket);
            // All of the node's /run has systemd's directory in it.
            let whole = host.is_here() || host.metadata("/run/systemd/system").is_ok();
            if host.metadata(dir).is_ok() || whole {
                There::Missing
            } else {
                There::Unmounted(dir.display().to_string())
            }
        }
        // connecting will say why
        Err(_) => There::Yes,
    }
}

/// Connects without waiting: `EAGAIN` is a full queue (`unix(7)`).
fn connect(path: &Path) -> Result<UnixStream, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    UnixStream::from_std(StdUnixStream::from(socket)).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}

async fn knock(path: &Path) -> Knock {
    let connected = match connect(path) {
        Err(Errno::AGAIN) => {
            sleep(AGAIN).await;
            connect(path)
        }
        other => other,
    };
    match connected {
        Ok(stream) => timeout(PATIENCE, settings(stream)).await.unwrap_or(Knock::Silent),
        Err(Errno::AGAIN) => Knock::Full,
        Err(Errno::CONNREFUSED) => Knock::Refused,
        Err(Errno::NOENT | Errno::NOTDIR) => Knock::Missing,
        Err(Errno::ACCESS | Errno::PERM) => Knock::Denied,
        Err(e) => Knock::Other(e.to_string()),
    }
}

async fn settings(mut stream: UnixStream) -> Knock {
    let mut frame = [0u8; 9];
    if let Err(e) = stream.write_all(PREFACE).await {
        return Knock::Other(format!("accepts and closes: {e}"));
    }
    match stream.read_exact(&mut frame).await {
        Ok(_) if frame[3] == SETTINGS => Knock::Answers,
        Ok(_) => Knock::Other("answers, and not in HTTP/2".to_owned()),
        Err(e) => Knock::Other(format!("accepts and closes: {e}")),
    }
}

fn told(knock: &Knock, took: i64) -> (&'static str, String) {
    match knock {
        Knock::Answers => ("ok", format!("answers in {took} ms")),
        Knock::Missing => ("missing", "there is no such socket".to_owned()),
        Knock::Refused => (
            "refused",
            "connection refused: the file is there, and nobody listens".to_owned(),
        ),
        Knock::Silent => ("timed-out", format!("accepts, and says nothing within {PATIENCE:?}")),
        Knock::Full => (
            "full",
            "its queue of connections is full: nobody accepts them".to_owned(),
        ),
        Knock::Denied => ("denied", "permission denied".to_owned()),
        Knock::Other(why) => ("other", why.clone()),
    }
}

async fn ask(scene: &Scene, path: &Path, reading: &mut Reading) {
    let began = scene.clock.now();
    let answer = match connect(path) {
        Ok(stream) => cri::ask(stream, scene.allowed.stage).await,
        Err(e) => Err(Failure::Other(e.to_string())),
    };
    let took = (scene.clock.since(began) / 1000) as i64;
    extend(reading, |f| f.with_int("cri_ms", took));
    match answer {
        Ok(answer) => ready(reading, &answer, took),
        Err(failure) => {
            let word = match failure {
                Failure::Silent => "timed-out",
                Failure::Unimplemented(_) => "unimplemented",
                Failure::Other(_) => "failed",
            };
            let why = one_line(&failure.to_string());
            let _ = write!(reading.text, "; CRI: {why} after {took} ms");
            extend(reading, |f| f.with("cri", word).with_text("message", why));
        }
    }
}

fn ready(reading: &mut Reading, answer: &cri::Answer, took: i64) {
    let version = one_line(&format!("{} {}", answer.name, answer.version));
    let _ = write!(reading.text, "; CRI: {version} in {took} ms");
    extend(reading, |f| f.with("cri", "ok").with_text("version", version));
    for (name, kind) in [("runtime_ready", "RuntimeReady"), ("network_ready", "NetworkReady")] {
        let Some(condition) = answer.conditions.iter().find(|c| c.kind == kind) else {
            continue;
        };
        extend(reading, |f| f.with(name, if condition.status { "yes" } else { "no" }));
        let _ = write!(reading.text, ", {kind} {}", condition.status);
        if condition.status {
            continue;
        }
        let (reason, message) = (one_line(&condition.reason), one_line(&condition.message));
        let _ = write!(reading.text, " ({reason}: {message})");
        // The runtime's own reason stands before the network's, which may follow from it.
        if reading.facts.iter().all(|f| f.get("reason").is_none()) {
            extend(reading, |f| f.with_text("reason", reason).with_text("message", message));
        }
    }
}

fn extend(reading: &mut Reading, add: impl FnOnce(Fact) -> Fact) {
    if let Some(fact) = reading.facts.pop() {
        reading.facts.push(add(fact));
    }
}
