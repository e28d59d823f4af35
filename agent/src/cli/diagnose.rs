//! `diagnose`: one pass over every source of the node beside the journal's last half hour, within ten seconds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::args::Diagnose;
use super::exit::Exit;
use super::io::Io;
use super::report;
use super::run::{self, Failure};
use crate::bundle::Foot;
use crate::bundle::write::Writer;
use crate::catalog::load::Catalog;
use crate::clock::{Clock, Now};
use crate::diagnosis::engine;
use crate::export::report::Tense;
use crate::grammar::vocabulary_live::LIVE;
use crate::host::Host;
use crate::input;
use crate::model::diagnosis::Diagnosis;
use crate::model::input::{Gap, Input};
use crate::model::time::{Moment, Timestamp};
use crate::pipeline::Analyzer;
use crate::source::look::Done;
use crate::source::pass::{self, Stand};
use crate::source::places::places;
use crate::source::probe::target::Service;
use crate::source::registry;
use crate::source::scene::{Allowed, Scene};
use crate::world::World;

/// What is left of the deadline for the answer itself.
const ANSWER: Duration = Duration::from_millis(500);
/// The pass ends this long before it is no longer awaited, so that one source that runs out of time costs only itself.
const HANDOVER: Duration = Duration::from_millis(200);
/// Inputs that wait between the reader's thread and the engine.
const WAITING: usize = 4096;
/// What the threads send.
enum Message {
    Input(Box<Input>),
    Read(Box<Result<input::Summary, String>>),
    Looked { done: Vec<Done>, node: Option<String> },
}

pub(super) fn run(args: &Diagnose, env: &dyn Fn(&str) -> Option<String>, io: &mut Io) -> Result<Exit, Failure> {
    let deadline = args.deadline()?.saturating_sub(ANSWER);
    let since = args.look_back()?;
    let catalog = Arc::new(run::catalog(args.common.catalog_dir.as_deref())?);
    let clock = Clock::system();
    let started = clock.now();
    let host = host(args, env);
    let boot = boot(&host);
    let end = |limit: Duration| limit.saturating_sub(Duration::from_micros(clock.since(started)));
    let watch = Watch {
        host,
        clock: clock.clone(),
        allowed: allowed(args),
        service: service(env),
    };
    let messages = start(watch, &catalog, Timestamp(started.wall.0 - since), end(deadline))?;
    let mut record = Record::new(Arc::clone(&catalog), args.record.as_deref())?;
    let mut pass = collect(&messages, &mut record, &|| end(deadline))?;
    let id = boot.map(|id| format!("{:032x}", u128::from_be_bytes(id)));
    let (node, boot_id) = (args.node.clone().or(pass.node), id.or(pass.boot_id));
    // What was looked at is of the time at which the pass began, as the log is: on a starved node the pass may end so
    // much later that the kubelet would seem to have fallen silent.
    record.looks(&pass.looks, &mut pass.timeline, (boot, started))?;
    let diagnosis = record.finish(node, boot_id)?;
    report::print((&diagnosis, Tense::Live), &args.common, env, io)
}

fn allowed(args: &Diagnose) -> Allowed {
    Allowed {
        api: !args.no_api,
        as_kubelet: args.as_kubelet,
        cri: args.cri,
        dbus: !args.no_dbus,
        ..Allowed::default()
    }
}

/// `HOST_ROOT` is a pod's mount of the node that it runs on; `--host-root` may be any directory.
fn host(args: &Diagnose, env: &dyn Fn(&str) -> Option<String>) -> Host {
    match (&args.host_root, env("HOST_ROOT")) {
        (Some(root), _) => Host::at(root),
        (None, Some(root)) => Host::at(root).beside("/"),
        (None, None) => Host::at("/"),
    }
}

/// The API server's Service, where this runs in a pod.
fn service(env: &dyn Fn(&str) -> Option<String>) -> Option<Service> {
    let host = env("KUBERNETES_SERVICE_HOST")?;
    let port = env("KUBERNETES_SERVICE_PORT")?.parse().ok()?;
    Some(Service::new(host, port))
}

/// A boot's id, as the kernel writes it in `/proc/sys/kernel/random/boot_id`.
type Boot = [u8; 16];

fn boot(host: &Host) -> Option<Boot> {
    let text = host
        .text("/proc/sys/kernel/random/boot_id")
        .ok()?
        .trim()
        .replace('-', "");
    let number = u128::from_str_radix(&text, 16).ok().filter(|_| text.len() == 32)?;
    Some(number.to_be_bytes())
}

/// The reader of logs and the sources, each on a thread of its own: a disk that hangs holds neither the other nor the
/// answer.
fn start(
    watch: Watch,
    catalog: &Arc<Catalog>,
    since: Timestamp,
    limit: Duration,
) -> Result<Receiver<Message>, Failure> {
    let (sender, messages) = sync_channel(WAITING);
    let looks = sender.clone();
    let (catalog, host) = (Arc::clone(catalog), watch.host.clone());
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let failed = |e: std::io::Error| Failure::Tool(format!("cannot start a thread: {e}"));
    thread("logs")
        .spawn(move || read(&host, &catalog, since, &sender))
        .map_err(failed)?;
    thread("sources")
        .spawn(move || look(watch, limit, &looks))
        .map_err(failed)?;
    Ok(messages)
}

/// What the sources are given.
struct Watch {
    host: Host,
    clock: Clock,
    allowed: Allowed,
    service: Option<Service>,
}

/// One pass. Where the kubelet's world is looked for something may hang as well: it is part of the pass.
fn look(watch: Watch, limit: Duration, sender: &SyncSender<Message>) {
    let started = watch.clock.now();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    let scene = Scene {
        world: World::discover(&watch.host),
        host: watch.host,
        clock: watch.clock,
        allowed: watch.allowed,
    };
    let spent = Duration::from_micros(scene.clock.since(started));
    let mut samplers = registry::samplers(watch.service);
    let left = limit.saturating_sub(spent + HANDOVER);
    let done = runtime.block_on(pass::pass(&mut samplers, &scene, left));
    // What still hangs in a system call is left behind.
    runtime.shutdown_background();
    let node = scene.world.node_name;
    let _ = sender.send(Message::Looked { done, node });
}

fn read(host: &Host, catalog: &Catalog, since: Timestamp, sender: &SyncSender<Message>) {
    let paths = places(host);
    let result = if paths.is_empty() {
        Err("there is neither a journal nor a kubelet's log, or this process may not read it".to_owned())
    } else {
        let options = input::Options {
            since: Some(since),
            ..input::Options::default()
        };
        let mut sink = |input: Input| {
            // The record goes on: its end is when the looks are taken.
            if !matches!(input, Input::End(_)) {
                let _ = sender.send(Message::Input(Box::new(input)));
            }
        };
        let sieve = |text: &str| catalog.matcher.may_fit(text);
        input::read(&paths, None, &options, &sieve, &mut sink, &mut |_| {}).map_err(|e| e.to_string())
    };
    let _ = sender.send(Message::Read(Box::new(result)));
}

/// What the threads gave.
#[derive(Default)]
struct Pass {
    looks: Vec<Done>,
    timeline: input::Timeline,
    node: Option<String>,
    boot_id: Option<String>,
}

/// Feeds the log as it comes and keeps the looks for the end; both are awaited, no longer than the deadline.
fn collect(messages: &Receiver<Message>, record: &mut Record, left: &dyn Fn() -> Duration) -> Result<Pass, Failure> {
    let mut pass = Pass::default();
    let (mut logs, mut sources) = (false, false);
    while !(logs && sources) {
        match messages.recv_timeout(left()) {
            Ok(Message::Input(input)) => record.take(&input)?,
            Ok(Message::Read(result)) => {
                logs = true;
                match *result {
                    Ok(summary) => {
                        pass.timeline = summary.timeline;
                        pass.node = pass.node.or(summary.node.map(|n| n.name));
                        pass.boot_id = summary.boot_id;
                    }
                    Err(why) => record.gap("journal", &why, Some("run as root, or as a member of systemd-journal"))?,
                }
            }
            Ok(Message::Looked { done, node }) => {
                sources = true;
                pass.looks = done;
                // The kubelet's own name for the node is better than what a log has.
                pass.node = node.or(pass.node);
            }
            Err(RecvTimeoutError::Timeout) => {
                if !logs {
                    record.gap("journal", "it could not be read to its end in time", None)?;
                }
                if !sources {
                    for spec in LIVE {
                        record.gap(spec.kind.word(), "the sources did not answer in time", None)?;
                    }
                }
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(pass)
}

/// The engine, and the bundle that holds the same.
struct Record {
    analyzer: Analyzer,
    bundle: Option<(PathBuf, Writer<tempfile::NamedTempFile>)>,
    seq: u64,
    last: Option<Moment>,
}

impl Record {
    fn new(catalog: Arc<Catalog>, bundle: Option<&Path>) -> Result<Self, Failure> {
        let bundle = bundle
            .map(|path| {
                let dir = path
                    .parent()
                    .filter(|d| !d.as_os_str().is_empty())
                    .unwrap_or(Path::new("."));
                tempfile::NamedTempFile::new_in(dir)
                    .and_then(Writer::new)
                    .map(|writer| (path.to_owned(), writer))
                    .map_err(|e| cannot_record(path, &e))
            })
            .transpose()?;
        Ok(Self {
            analyzer: Analyzer::new(catalog, engine::Options::default()),
            bundle,
            seq: 0,
            last: None,
        })
    }

    fn take(&mut self, input: &Input) -> Result<(), Failure> {
        match input {
            Input::Observed(observation) => {
                self.seq = observation.seq;
                self.last = Some(observation.at);
            }
            Input::Beat(beat) => self.last = Some(beat.at),
            _ => {}
        }
        if let Some((path, bundle)) = &mut self.bundle {
            bundle.input(input).map_err(|e| cannot_record(path, &e))?;
        }
        self.analyzer.input(input, &mut |_| {});
        Ok(())
    }

    fn gap(&mut self, source: &str, reason: &str, grant: Option<&str>) -> Result<(), Failure> {
        self.take(&Input::Gap(Gap {
            source: source.to_owned(),
            from: None,
            to: None,
            reason: reason.to_owned(),
            grant: grant.map(str::to_owned),
        }))
    }

    /// The looks, on the record's line of time.
    fn looks(&mut self, done: &[Done], line: &mut input::Timeline, now: (Option<Boot>, Now)) -> Result<(), Failure> {
        let (boot, now) = now;
        let at = line.now(boot, now.monotonic, now.wall);
        let stand = Stand {
            at: at.max(self.last.unwrap_or(at)),
            boot: line.boot(),
            seq: self.seq + 1,
        };
        for input in pass::inputs(done, stand) {
            self.take(&input)?;
        }
        self.take(&Input::End(stand.at))
    }

    fn finish(self, node: Option<String>, boot_id: Option<String>) -> Result<Diagnosis, Failure> {
        if let Some((path, bundle)) = self.bundle {
            let foot = Foot {
                node: node.clone(),
                boot_id: boot_id.clone(),
                ..Foot::default()
            };
            bundle
                .finish(foot)
                .and_then(|file| file.persist(&path).map_err(|e| e.error))
                .map_err(|e| cannot_record(&path, &e))?;
        }
        let mut diagnosis = self.analyzer.diagnosis();
        diagnosis.node = node.or(diagnosis.node);
        diagnosis.boot_id = boot_id.or(diagnosis.boot_id);
        Ok(diagnosis)
    }
}

fn cannot_record(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Tool(format!("--record {}: {error}", path.display()))
}
