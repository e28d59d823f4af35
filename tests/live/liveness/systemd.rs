//! systemd's own manager on a real bus.

#![expect(clippy::disallowed_methods, reason = "the test writes unit files and runs systemd")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use whynotready::source::look::Look;
use whynotready::source::systemd::bus::GRANT;
use whynotready::source::systemd::watch::UnitWatch;
use whynotready::source::unit::Unit;
use whynotready::world::{Runtime, World};

use super::{done, fact, look, look_until, process, scene};

const SOCKET: &str = "run/dbus/system_bus_socket";
const KUBELET: &str = "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n";
const RUNTIME: &str =
    "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'exit 7'\nRestart=always\nRestartSec=100ms\n";

/// A manager, the bus that it runs, and a node's root directory around both.
struct Manager {
    root: TempDir,
    manager: Child,
}

impl Manager {
    fn start() -> Self {
        Self::with_policy("")
    }

    fn with_policy(policy: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let dirs = [
            "run/dbus",
            "runtime/systemd",
            "config/systemd",
            "etc/systemd/system",
            "usr/lib/systemd/system",
            "home",
        ];
        for dir in dirs {
            fs::create_dir_all(at(dir)).unwrap();
        }
        // The manager's unit files lie where the system's would.
        symlink(at("etc/systemd/system"), at("config/systemd/user")).unwrap();
        let config = configure(root.path(), policy);
        let socket = at(SOCKET);
        let units = [
            ("kubelet.service", KUBELET.to_owned()),
            ("containerd.service", RUNTIME.to_owned()),
            // systemd goes to the bus that these two units give.
            ("dbus.socket", format!("[Socket]\nListenStream={}\n", socket.display())),
            (
                "dbus.service",
                format!(
                    "[Unit]\nRequires=dbus.socket\n[Service]\nExecStart=/usr/bin/dbus-daemon --nofork --nopidfile \
                     --address=systemd: --config-file={}\n",
                    config.display()
                ),
            ),
            ("default.target", "[Unit]\nWants=dbus.service\n".to_owned()),
        ];
        for (name, text) in units {
            fs::write(at("etc/systemd/system").join(name), text).unwrap();
        }
        // systemd starts only where it believes that the machine was booted with it.
        let script = "mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && \
                      exec /lib/systemd/systemd --user --log-target=null";
        let manager = command(root.path(), "unshare")
            .args(["-m", "sh", "-c", script])
            .spawn()
            .unwrap();
        Self { root, manager }
    }

    fn control(&self, args: &[&str]) {
        let mut command = command(self.root.path(), "systemctl");
        let output = command.arg("--user").args(args).output().unwrap();
        assert!(output.status.success(), "systemctl {args:?}: {output:?}");
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join(SOCKET)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It stops its units on its way out.
        let pid = Pid::from_raw(self.manager.id().cast_signed()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.manager.wait();
    }
}

fn command(root: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("XDG_RUNTIME_DIR", root.join("runtime"))
        .env("XDG_CONFIG_HOME", root.join("config"))
        .env("HOME", root.join("home"))
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", root.join(SOCKET).display()),
        );
    command
}

fn configure(root: &Path, policy: &str) -> PathBuf {
    let config = root.join("bus.conf");
    let text = format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
         <allow user=\"*\"/><allow receive_sender=\"*\"/><allow send_destination=\"*\"/><allow own=\"*\"/>{policy}</policy></busconfig>",
        root.join(SOCKET).display()
    );
    fs::write(&config, text).unwrap();
    config
}

fn world() -> World {
    World {
        unit: Some("kubelet.service".into()),
        runtime: Runtime {
            unit: Some("containerd.service".into()),
            ..Runtime::default()
        },
        ..World::default()
    }
}

fn word<'a>(look: &'a Look, unit: usize, name: &str) -> Option<&'a str> {
    look.readings.get(unit)?.facts.first()?.text(name)
}

#[tokio::test]
async fn systemd_tells_of_its_units() {
    let manager = Manager::start();
    let scene = scene(manager.root.path(), world());
    let mut unit = Unit::new();
    // Before anything is started: stopped, and loaded by asking.
    let seen = look_until(&mut unit, &scene, |l| l.readings.len() == 3 && l.blind.is_empty()).await;
    assert_eq!(word(&seen, 0, "active"), Some("inactive"));
    assert_eq!(word(&seen, 0, "load"), Some("loaded"));
    assert_eq!(word(&seen, 0, "file_state"), Some("disabled"));
    assert_eq!(
        word(&seen, 2, "load"),
        Some("not-found"),
        "no journald among the units of a user"
    );

    manager.control(&["enable", "kubelet.service"]);
    manager.control(&["daemon-reload"]);
    let mut watch = UnitWatch::open(&manager.socket(), &["kubelet.service".to_owned()])
        .await
        .unwrap();
    manager.control(&["start", "kubelet.service"]);
    assert_eq!(watch.changed().await.unwrap(), "kubelet.service");
    let seen = look_until(&mut unit, &scene, |l| word(l, 0, "sub") == Some("running")).await;
    let kubelet = fact(&seen);
    assert_eq!(kubelet.text("active"), Some("active"));
    assert_eq!(kubelet.text("file_state"), Some("enabled"));
    assert_eq!(kubelet.text("job"), Some("none"));
    assert_eq!(kubelet.text("invocation").unwrap().len(), 32);
    assert_eq!(kubelet.text("code"), None, "it has not ended");
    let began = seen.readings[0].began.unwrap();
    assert!(
        (0..60_000_000).contains(&(scene.clock.now().wall.0 - began.0)),
        "{began:?}"
    );

    let pid = Pid::from_raw(kubelet.int("pid").unwrap() as i32).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let seen = look_until(&mut unit, &scene, |l| word(l, 0, "active") == Some("failed")).await;
    let kubelet = fact(&seen);
    assert_eq!(
        (kubelet.text("result"), kubelet.text("code")),
        (Some("signal"), Some("killed"))
    );
    assert_eq!(kubelet.int("status"), Some(9));

    manager.control(&["disable", "kubelet.service"]);
    fs::remove_file(manager.root.path().join("etc/systemd/system/kubelet.service")).unwrap();
    manager.control(&["mask", "kubelet.service"]);
    manager.control(&["daemon-reload"]);
    let seen = look_until(&mut unit, &scene, |l| word(l, 0, "load") == Some("masked")).await;
    assert_eq!(word(&seen, 0, "file_state"), Some("masked"));
}

#[tokio::test]
async fn a_crash_loop_shows_its_restarts_and_exit_code() {
    let manager = Manager::start();
    let scene = scene(manager.root.path(), world());
    let mut unit = Unit::new();
    look_until(&mut unit, &scene, |l| l.blind.is_empty()).await;
    manager.control(&["start", "containerd.service"]);
    let restarts = |l: &Look| l.readings.get(1).and_then(|r| r.facts[0].int("restarts"));
    let seen = look_until(&mut unit, &scene, |l| {
        // State and result are two questions to systemd, and a restart may fall between them.
        restarts(l).is_some_and(|n| n >= 2)
            && word(l, 1, "sub") == Some("auto-restart")
            && word(l, 1, "result") == Some("exit-code")
    })
    .await;
    let runtime = &seen.readings[1].facts[0];
    assert_eq!(runtime.text("active"), Some("activating"));
    assert_eq!(
        (runtime.text("result"), runtime.int("status")),
        (Some("exit-code"), Some(7))
    );
}

/// The hierarchies in which systemd keeps its units' processes, mounted below a node's root.
struct Cgroups(PathBuf);

impl Cgroups {
    fn mount(root: &Path) -> Self {
        let v1 = Path::new("/sys/fs/cgroup/systemd").exists();
        let source = if v1 { "/sys/fs/cgroup/systemd" } else { "/sys/fs/cgroup" };
        let target = root.join(source.trim_start_matches('/'));
        fs::create_dir_all(&target).unwrap();
        done("mount", &["--bind", source, target.to_str().unwrap()]);
        Self(target)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        done("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

#[tokio::test]
async fn what_units_leave_behind_agrees_with_systemd() {
    let manager = Manager::start();
    let _cgroups = Cgroups::mount(manager.root.path());
    let mut scene = scene(manager.root.path(), world());
    let mut unit = Unit::new();
    look_until(&mut unit, &scene, |l| l.blind.is_empty()).await;
    manager.control(&["enable", "kubelet.service"]);
    manager.control(&["daemon-reload"]);
    manager.control(&["start", "kubelet.service"]);
    let asked = look_until(&mut unit, &scene, |l| word(l, 0, "sub") == Some("running")).await;
    let pid = fact(&asked).int("pid").unwrap();
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line = groups
        .lines()
        .find(|l| l.contains("name=systemd") || l.starts_with("0::"))
        .unwrap();
    scene.world.kubelet = process(pid as u32);
    if let Some(kubelet) = &mut scene.world.kubelet {
        kubelet.cgroup = line.splitn(3, ':').nth(2).map(str::to_owned);
    }
    scene.allowed.dbus = false;
    let seen = look(&mut Unit::new(), &scene).await;
    let (told, found) = (fact(&asked), fact(&seen));
    for name in ["unit", "role", "load", "active", "file_state", "pid"] {
        assert!(found.get(name).is_some(), "{name} of {found:?}");
        assert_eq!(told.get(name), found.get(name), "{name}");
    }
    assert_eq!(
        seen.blind[0].grant.as_deref(),
        Some(GRANT),
        "restarts are not to be seen"
    );

    // Failed: the traces must not call it anything that systemd does not.
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    scene.allowed.dbus = true;
    let asked = look_until(&mut unit, &scene, |l| word(l, 0, "active") == Some("failed")).await;
    scene.allowed.dbus = false;
    let seen = look(&mut Unit::new(), &scene).await;
    assert_eq!(fact(&seen).get("active"), None);
    assert_eq!(fact(&seen).get("load"), fact(&asked).get("load"));
    assert_eq!(fact(&seen).get("file_state"), fact(&asked).get("file_state"));
}

#[tokio::test]
async fn a_bus_that_forbids_asking_is_a_gap() {
    let manager = Manager::with_policy(
        "<deny send_destination=\"org.freedesktop.systemd1\" send_interface=\"org.freedesktop.DBus.Properties\"/>",
    );
    let scene = scene(manager.root.path(), world());
    let seen = look_until(&mut Unit::new(), &scene, |l| {
        l.blind.iter().any(|b| b.reason.contains("permission denied"))
    })
    .await;
    assert_eq!(seen.blind[0].grant.as_deref(), Some(GRANT));
}

#[tokio::test]
async fn a_bus_that_says_nothing_is_a_gap() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("run/dbus")).unwrap();
    let _held = UnixListener::bind(root.path().join(SOCKET)).unwrap();
    let seen = look(&mut Unit::new(), &scene(root.path(), world())).await;
    assert!(seen.blind[0].reason.starts_with("no answer on"), "{seen:?}");
}
