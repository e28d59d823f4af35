//! Clients that are slow, many or too loud. Deadlines run on tokio's own clock, which jumps ahead when nothing else is to be
//! done: nobody waits for them.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use whynotready::config::Debug;
use whynotready::http::debug::DebugListener;
use whynotready::http::metrics::MetricsListener;
use whynotready_tests::diagnoses::named;

use crate::server::{Guards, Reply, Server};
use crate::view::Fixed;

/// As many as the metrics listener takes.
const CONNECTIONS: usize = 16;

async fn metrics() -> std::net::SocketAddr {
    let listener = MetricsListener::bind(([127, 0, 0, 1], 0).into(), None, None)
        .await
        .unwrap();
    let address = listener.address().parse().unwrap();
    let view = Rc::new(Fixed::of(named("healthy")));
    spawn_local(async move { listener.serve(view, |_| {}).await });
    address
}

async fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_cut_off() {
    let test = async {
        let address = metrics().await;
        for start in ["", "G", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let began = tokio::time::Instant::now();
            let reply = Reply::of(&to_the_end(&mut stream).await);
            assert_ne!(reply.status(), 200, "{start:?}");
            assert!(
                began.elapsed() >= Duration::from_secs(5),
                "not before its time: {start:?}"
            );
        }
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_cut_off_too() {
    let test = async {
        let mut stream = TcpStream::connect(metrics().await).await.unwrap();
        let mut sent = 0;
        while stream
            .write_all(b"GET /livez HTTP/1.1\r\nX: "[sent.min(22)..][..1].as_ref())
            .await
            .is_ok()
        {
            sent += 1;
            assert!(sent < 100, "one byte a second for ever");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(sent > 2, "{sent}");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_cut_off() {
    let test = async {
        let mut view = Fixed::of(named("healthy"));
        // More than the kernel's buffers hold for a client that does not read.
        let whole = 64 << 20;
        view.bundle = Ok(vec![b'x'; whole]);
        let place = Debug::Tcp(([127, 0, 0, 1], 0).into());
        let listener = DebugListener::bind(&place).await.unwrap().unwrap();
        let address = listener.address().parse().unwrap();
        spawn_local(async move { listener.serve(Rc::new(view)).await });
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let request = b"GET /debug/bundle HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream.readable().await.unwrap();
        tokio::time::sleep(Duration::from_secs(40)).await;
        let reply = Reply::of(&to_the_end(&mut stream).await);
        assert_eq!(reply.status(), 200);
        assert!(
            reply.body.len() < whole,
            "the rest was not waited for: {}",
            reply.body.len()
        );
        // Others are served meanwhile and after.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET /debug/about HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(Reply::of(&to_the_end(&mut next).await).status(), 200);
    };
    LocalSet::new().run_until(test).await;
}

/// Real time: many open connections must not keep one more from being served, and the oldest goes.
#[tokio::test]
async fn one_connection_more_closes_the_oldest() {
    let test = async {
        let address = metrics().await;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let mut one_more = TcpStream::connect(address).await.unwrap();
        one_more
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(Reply::of(&to_the_end(&mut one_more).await).status(), 200);
        assert!(to_the_end(&mut idle[0]).await.is_empty(), "closed without a word");
        let mut last = idle.pop().unwrap();
        last.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(
            Reply::of(&to_the_end(&mut last).await).status(),
            200,
            "the youngest lives"
        );
    };
    LocalSet::new().run_until(test).await;
}

#[test]
fn heads_that_are_too_big_are_refused() {
    let server = Server::metrics(Fixed::of(named("healthy")), Guards::default());
    let long = server.get("/metrics", &[&format!("X-Long: {}", "x".repeat(20_000))]);
    assert!([431, 0].contains(&long.status()), "{long:?}");
    let many: Vec<String> = (0..100).map(|i| format!("X-{i}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(server.get("/metrics", &many).status(), 431);
    let path = server.get(&format!("/{}", "x".repeat(20_000)), &[]);
    assert!([414, 431, 0].contains(&path.status()), "{path:?}");
    for noise in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
        "GET /metrics HTTP/9.9\r\n\r\n",
    ] {
        let stream = server.connect();
        std::io::Write::write_all(&mut &stream, noise.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let reply = crate::server::exchange(stream, "");
        assert!([400, 505, 0].contains(&reply.status()), "{noise:?}: {reply:?}");
    }
    assert_eq!(server.get("/livez", &[]).status(), 200);
}

#[test]
fn a_body_is_not_read() {
    let server = Server::metrics(Fixed::of(named("healthy")), Guards::default());
    let chunked = server.say("POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(chunked.status(), 405, "answered although the body never comes");
    let get = server.say("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    assert_eq!(get.status(), 200);
    assert_eq!(get.header("connection"), Some("close"));
}
