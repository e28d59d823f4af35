//! A listener on a thread of its own, as the daemon runs it, and a client that says exactly what it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tokio::task::LocalSet;
use whynotready::config::Debug;
use whynotready::http::debug::DebugListener;
use whynotready::http::metrics::MetricsListener;
use whynotready::http::view::View;

use crate::view::Fixed;

/// TLS files and token of a metrics listener.
#[derive(Default)]
pub(crate) struct Guards {
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) token_file: Option<PathBuf>,
}

/// A running listener; it ends with the value.
pub(crate) struct Server {
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn metrics(view: Fixed, guards: Guards) -> Self {
        Self::start(view, |view, bound| async move {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = MetricsListener::bind(any, guards.tls, guards.token_file).await.unwrap();
            bound.send(listener.address()).unwrap();
            listener.serve(view, |_| {}).await;
        })
    }

    pub(crate) fn debug(view: Fixed, place: Debug) -> Self {
        Self::start(view, |view, bound| async move {
            let listener = DebugListener::bind(&place).await.unwrap().expect("it is on");
            bound.send(listener.address()).unwrap();
            listener.serve(view).await;
        })
    }

    /// On a loopback port that is free.
    pub(crate) fn debug_anywhere(view: Fixed) -> Self {
        Self::debug(view, Debug::Tcp(([127, 0, 0, 1], 0).into()))
    }

    fn start<F: Future<Output = ()> + 'static>(
        view: Fixed,
        serve: impl FnOnce(Rc<dyn View>, std::sync::mpsc::SyncSender<String>) -> F + Send + 'static,
    ) -> Self {
        let (bound, address) = sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            LocalSet::new().block_on(&runtime, async {
                let serving = tokio::task::spawn_local(serve(Rc::new(view), bound));
                let _ = stopped.await;
                serving.abort();
                let _ = serving.await;
            });
        });
        Self {
            address: address.recv().expect("it is bound"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// One request with these header lines beside `Host: localhost`.
    pub(crate) fn get(&self, path: &str, headers: &[&str]) -> Reply {
        let mut lines = vec!["Host: localhost"];
        lines.extend(headers);
        self.say(&format!("GET {path} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n")))
    }

    /// These bytes, and what comes back until the server closes.
    pub(crate) fn say(&self, request: &str) -> Reply {
        exchange(self.connect(), request)
    }
}

/// Sends, and reads to the end.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &str) -> Reply {
    // A server that refuses may close before it has everything.
    let _ = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    Reply::of(&bytes)
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
        Self {
            head: String::from_utf8_lossy(&bytes[..at]).into_owned(),
            body: bytes.get(at + 4..).unwrap_or_default().to_vec(),
        }
    }

    /// 0 where there was no answer.
    pub(crate) fn status(&self) -> u16 {
        let word = self.head.split(' ').nth(1).unwrap_or_default();
        word.parse().unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut fields = lines.filter_map(|l| l.split_once(": "));
        fields.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}
