//! Listeners that answer, fail, reset and say nothing.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use whynotready::source::healthz::Healthz;
use whynotready::source::look::Look;
use whynotready::source::scene::Scene;
use whynotready::source::tcp_table;
use whynotready::world::{Settings, World};

use super::{Running, fact, look, look_until, process, scene};

fn at(port: u16) -> Scene {
    let settings = Settings {
        healthz: ("127.0.0.1".into(), port),
        ..Settings::default()
    };
    let world = World {
        settings,
        ..World::default()
    };
    scene(Path::new("/"), world)
}

fn result(look: &Look) -> Option<&str> {
    fact(look).text("result")
}

async fn listen() -> (TcpListener, Scene) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, at(port))
}

async fn answer(mut stream: TcpStream, text: &str) {
    let mut request = [0u8; 4096];
    let length = stream.read(&mut request).await.unwrap();
    assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn well_and_failing() {
    let (listener, scene) = listen().await;
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let (stream, _) = listener.accept().await.unwrap();
        let body = "[+]ping ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n";
        let head = format!(
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        answer(stream, &head).await;
    });
    let seen = look(&mut Healthz, &scene).await;
    assert_eq!((result(&seen), fact(&seen).int("status")), (Some("ok"), Some(200)));
    let seen = look(&mut Healthz, &scene).await;
    assert_eq!((result(&seen), fact(&seen).int("status")), (Some("failed"), Some(500)));
    assert_eq!(fact(&seen).text("failed_checks"), Some("syncloop"));
    serving.await.unwrap();
}

#[tokio::test]
async fn refused_and_reset() {
    let (listener, scene) = listen().await;
    drop(listener);
    assert_eq!(result(&look(&mut Healthz, &scene).await), Some("refused"));
    let (listener, scene) = listen().await;
    let closing = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // what was sent is not read: the kernel answers with a reset
        drop(stream);
    });
    assert_eq!(result(&look(&mut Healthz, &scene).await), Some("reset"));
    closing.await.unwrap();
}

#[tokio::test]
async fn silence_counts_only_on_two_connections() {
    let (_silent, mut scene) = listen().await;
    scene.allowed.stage = Duration::from_millis(1200);
    assert_eq!(result(&look(&mut Healthz, &scene).await), Some("timed-out"));

    let (listener, scene) = listen().await;
    let serving = tokio::spawn(async move {
        let held = listener.accept().await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        held
    });
    assert_eq!(result(&look(&mut Healthz, &scene).await), Some("ok"));
    serving.await.unwrap();
}

#[tokio::test]
async fn switched_off_is_a_gap() {
    let seen = look(&mut Healthz, &at(0)).await;
    assert_eq!(seen.readings, []);
    assert!(seen.blind[0].reason.contains("healthzPort 0"));
}

/// A listener of the kubelet's in a network name space that is not ours, on a port where ours refuses.
#[tokio::test]
async fn another_network_name_space_is_a_gap() {
    let (listener, mut scene) = listen().await;
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let code =
        format!("import socket; s = socket.socket(); s.bind(('', {port})); s.listen(); import time; time.sleep(1000)");
    let kubelet = Running::start("unshare", &["-n", "python3", "-c", &code]);
    scene.world.kubelet = process(kubelet.pid());
    let seen = look_until(&mut Healthz, &scene, |l| !l.blind.is_empty()).await;
    assert_eq!(seen.blind[0].grant.as_deref(), Some("hostNetwork: true"));
    assert!(tcp_table::listens(&scene.host, kubelet.pid(), port));
}
