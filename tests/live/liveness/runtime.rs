//! Sockets that are missing, dead, full and silent, and containerd (Debian's) on directories of its own.

#![expect(clippy::disallowed_methods, reason = "the test writes containerd's configuration")]

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use whynotready::source::look::Look;
use whynotready::source::runtime_socket::RuntimeSocket;
use whynotready::source::scene::Scene;
use whynotready::world::{Runtime, World};

use super::{Running, fact, look, look_until, scene};

fn at(socket: &Path) -> Scene {
    let runtime = Runtime {
        program: Some("containerd"),
        socket: Some(socket.to_owned()),
        ..Runtime::default()
    };
    let world = World {
        runtime,
        ..World::default()
    };
    scene(Path::new("/"), world)
}

fn result(look: &Look) -> Option<&str> {
    fact(look).text("result")
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("containerd.sock");
    (dir, socket)
}

#[tokio::test]
async fn missing_dead_and_no_socket() {
    let (_dir, socket) = place();
    assert_eq!(result(&look(&mut RuntimeSocket, &at(&socket)).await), Some("missing"));
    fs::write(&socket, "").unwrap();
    assert_eq!(result(&look(&mut RuntimeSocket, &at(&socket)).await), Some("other"));
    fs::remove_file(&socket).unwrap();
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(result(&look(&mut RuntimeSocket, &at(&socket)).await), Some("refused"));
}

#[tokio::test]
async fn accepted_by_the_kernel_alone_is_silence() {
    let (_dir, socket) = place();
    let _held = UnixListener::bind(&socket).unwrap();
    assert_eq!(result(&look(&mut RuntimeSocket, &at(&socket)).await), Some("timed-out"));
}

#[tokio::test]
async fn a_full_queue_is_told_from_silence() {
    let (_dir, socket) = place();
    let address = SocketAddrUnix::new(&socket).unwrap();
    let make =
        || rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
    let listener = make();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let mut waiting: Vec<OwnedFd> = Vec::new();
    loop {
        let client = make();
        match rustix::net::connect(&client, &address) {
            Ok(()) => waiting.push(client),
            Err(e) => {
                assert_eq!(e, Errno::AGAIN);
                break;
            }
        }
    }
    assert_eq!(result(&look(&mut RuntimeSocket, &at(&socket)).await), Some("full"));
    drop(waiting);
}

#[tokio::test]
async fn who_does_not_speak_http2_is_no_runtime() {
    let (_dir, socket) = place();
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let seen = look(&mut RuntimeSocket, &at(&socket)).await;
    assert_eq!(result(&seen), Some("other"));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_not_mounted_is_a_gap() {
    let root = tempfile::tempdir().unwrap();
    let mut scene = at(Path::new("/run/containerd/containerd.sock"));
    scene.host = whynotready::host::Host::at(root.path());
    let seen = look(&mut RuntimeSocket, &scene).await;
    assert_eq!(seen.readings, []);
    assert_eq!(seen.blind[0].grant.as_deref(), Some("mount /run/containerd, read-only"));
    // the whole of /run is there: then the socket is missing
    fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
    assert_eq!(result(&look(&mut RuntimeSocket, &scene).await), Some("missing"));
    scene.world.runtime.socket = None;
    assert!(!look(&mut RuntimeSocket, &scene).await.blind.is_empty());
}

fn containerd(dir: &Path, more: &str) -> Running {
    let at = |name: &str| dir.join(name).display().to_string();
    let text = format!(
        "version = 2\nroot = {:?}\nstate = {:?}\n{more}\n[grpc]\naddress = {:?}\n\
         [plugins.'io.containerd.grpc.v1.cri'.containerd]\nsnapshotter = 'native'\n\
         [plugins.'io.containerd.grpc.v1.cri'.cni]\nconf_dir = {:?}\n\
         [plugins.'io.containerd.internal.v1.opt']\npath = {:?}\n",
        at("root"),
        at("state"),
        at("containerd.sock"),
        at("cni"),
        at("opt")
    );
    fs::write(dir.join("config.toml"), text).unwrap();
    Running::start("containerd", &["--log-level", "fatal", "--config", &at("config.toml")])
}

#[tokio::test]
async fn containerd_answers_and_stops() {
    let (dir, socket) = place();
    let daemon = containerd(dir.path(), "");
    let mut scene = at(&socket);
    let seen = look_until(&mut RuntimeSocket, &scene, |l| result(l) == Some("ok")).await;
    assert_eq!(fact(&seen).text("cri"), Some("not-asked"));
    assert_eq!(seen.blind[0].grant.as_deref(), Some("--cri"));

    scene.allowed.cri = true;
    let seen = look_until(&mut RuntimeSocket, &scene, |l| fact(l).text("cri") == Some("ok")).await;
    let told = fact(&seen);
    assert!(told.text("version").unwrap().starts_with("containerd "), "{told:?}");
    assert_eq!(told.text("runtime_ready"), Some("yes"));
    assert_eq!(told.text("network_ready"), Some("no"), "it has no CNI configuration");
    assert_eq!(told.text("reason"), Some("NetworkPluginNotReady"));
    assert_eq!(seen.blind, []);

    daemon.signal(Signal::STOP);
    let seen = look_until(&mut RuntimeSocket, &scene, |l| result(l) == Some("timed-out")).await;
    assert_eq!(fact(&seen).text("cri"), None);
    daemon.signal(Signal::CONT);
    look_until(&mut RuntimeSocket, &scene, |l| fact(l).text("cri") == Some("ok")).await;
}

#[tokio::test]
async fn a_runtime_without_cri_says_so() {
    let (dir, socket) = place();
    let _daemon = containerd(dir.path(), "disabled_plugins = ['io.containerd.grpc.v1.cri']");
    let mut scene = at(&socket);
    scene.allowed.cri = true;
    let seen = look_until(&mut RuntimeSocket, &scene, |l| result(l) == Some("ok")).await;
    assert_eq!(fact(&seen).text("cri"), Some("unimplemented"), "{seen:?}");
}
