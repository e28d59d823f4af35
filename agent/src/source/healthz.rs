//! The kubelet's health endpoint, asked as a health monitor asks it.
//!
//! Whoever does not answer on the loopback interface of a machine that can still run this is stuck: that is said only
//! after two connections went unanswered.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::look::{Look, Looking, Sampler, blocking};
use super::scene::Scene;
use super::tcp_table;
use crate::grammar::fact::{Fact, Kind};

/// The second connection is tried so long after the first.
const SECOND: Duration = Duration::from_secs(1);
/// Of an answer no more than 64 KiB is read.
const BODY: usize = 64 << 10;
/// Of a failed check's name and of all of them together: characters that are kept.
const CHECKS: usize = 400;

/// Asks the kubelet for its health.
#[derive(Debug, Default)]
pub struct Healthz;

impl Sampler for Healthz {
    fn name(&self) -> &'static str {
        "healthz"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::KubeletHealth]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(6)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(look(scene))
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Status { code: u16, failed: Vec<String> },
    Refused,
    Reset,
    Silent,
    Other(String),
}

async fn look(scene: &Scene) -> Look {
    let mut look = Look::default();
    let (host, port) = &scene.world.settings.healthz;
    if *port == 0 {
        let why = "the kubelet's health endpoint is switched off (healthzPort 0)";
        look.missed(
            Kind::KubeletHealth,
            why,
            Some("healthzPort in the kubelet's configuration"),
        );
        return look;
    }
    let Some(address) = address(host, *port) else {
        let why = format!("healthzBindAddress {host} is no address");
        look.missed(Kind::KubeletHealth, why, None);
        return look;
    };
    let began = scene.clock.now();
    let limit = scene.allowed.stage;
    let answer = asked(address, limit).await;
    let took = scene.clock.since(began) / 1000;
    if answer == Answer::Refused && listens_elsewhere(scene, *port).await {
        let why = format!("the kubelet listens on port {port} in another network name space than this process");
        look.missed(Kind::KubeletHealth, why, Some("hostNetwork: true"));
        return look;
    }
    let (text, fact) = told(&answer, took, limit);
    look.saw(
        format!("http://{address}/healthz  {text}"),
        fact.with_int("ms", took as i64).with_int("port", i64::from(*port)),
    );
    look
}

/// Where to connect to: a wildcard is reached on the loopback interface.
fn address(host: &str, port: u16) -> Option<SocketAddr> {
    let ip = match host {
        "" | "0.0.0.0" | "localhost" => "127.0.0.1",
        "::" | "[::]" => "::1",
        other => other.trim_start_matches('[').trim_end_matches(']'),
    };
    Some(SocketAddr::new(ip.parse().ok()?, port))
}

/// Two connections, the second a second after the first: the first answer counts, and silence only of both.
async fn asked(address: SocketAddr, limit: Duration) -> Answer {
    let first = attempt(address, limit);
    let second = async {
        sleep(SECOND).await;
        attempt(address, limit).await
    };
    tokio::pin!(first, second);
    tokio::select! {
        biased;
        answer = &mut first => match answer {
            Answer::Silent => second.await,
            answer => answer,
        },
        answer = &mut second => match answer {
            Answer::Silent | Answer::Other(_) => first.await,
            answer => answer,
        },
    }
}

async fn attempt(address: SocketAddr, limit: Duration) -> Answer {
    timeout(limit, exchange(address)).await.unwrap_or(Answer::Silent)
}

async fn exchange(address: SocketAddr) -> Answer {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(e) => return failed(&e),
    };
    let (mut sender, connection) = match hyper::client::conn::http1::handshake(TokioIo::new(stream)).await {
        Ok(both) => both,
        Err(e) => return broken(&e),
    };
    let driving = tokio::spawn(connection);
    let request = Request::get("/healthz")
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let answer = match request {
        Ok(request) => sender.send_request(request).await,
        Err(e) => return Answer::Other(e.to_string()),
    };
    let answer = match answer {
        Ok(response) => {
            let code = response.status().as_u16();
            let body = Limited::new(response.into_body(), BODY).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Answer::Status {
                code,
                failed: failed_checks(&String::from_utf8_lossy(&body)),
            }
        }
        Err(e) => broken(&e),
    };
    driving.abort();
    answer
}

/// The lines `[-]name failed: …` of the answer (`healthz.go` of k8s.io/apiserver).
fn failed_checks(body: &str) -> Vec<String> {
    body.lines()
        .filter_map(|l| l.strip_prefix("[-]")?.split_whitespace().next())
        .map(|name| name.chars().take(CHECKS).collect())
        .collect()
}

fn failed(error: &std::io::Error) -> Answer {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Answer::Refused,
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => Answer::Reset,
        std::io::ErrorKind::TimedOut => Answer::Silent,
        _ => Answer::Other(error.to_string()),
    }
}

fn broken(error: &hyper::Error) -> Answer {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref() {
            return failed(io);
        }
        source = inner.source();
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return Answer::Reset;
    }
    Answer::Other(error.to_string())
}

fn told(answer: &Answer, took: u64, limit: Duration) -> (String, Fact) {
    let fact = Fact::new(Kind::KubeletHealth);
    match answer {
        Answer::Status { code, failed } => {
            let word = match code {
                200..=299 => "ok",
                500..=599 => "failed",
                _ => "other",
            };
            let mut fact = fact.with("result", word).with_int("status", i64::from(*code));
            let mut text = format!("{code} in {took} ms");
            if !failed.is_empty() {
                let checks: String = failed.join(",").chars().take(CHECKS).collect();
                let _ = write!(text, ", failed: {checks}");
                fact = fact.with_text("failed_checks", checks);
            }
            (text, fact)
        }
        Answer::Refused => ("connection refused".to_owned(), fact.with("result", "refused")),
        Answer::Reset => ("closed without an answer".to_owned(), fact.with("result", "reset")),
        Answer::Silent => (
            format!("no answer within {limit:?} on two connections"),
            fact.with("result", "timed-out"),
        ),
        Answer::Other(why) => (why.clone(), fact.with("result", "other")),
    }
}

/// Whether the kubelet's own network name space has a listener on the port that just refused.
async fn listens_elsewhere(scene: &Scene, port: u16) -> bool {
    let Some(pid) = scene.world.kubelet.as_ref().map(|p| p.pid) else {
        return false;
    };
    let host = scene.host.clone();
    blocking(move || tcp_table::listens(&host, pid, port))
        .await
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_are_named() {
        let body =
            "[+]ping ok\n[-]syncloop failed: reason withheld\n[-]log failed: reason withheld\nhealthz check failed\n";
        assert_eq!(failed_checks(body), ["syncloop", "log"]);
        assert!(failed_checks("ok").is_empty());
    }

    #[test]
    fn wildcards_are_reached_on_loopback() {
        assert_eq!(address("0.0.0.0", 1).unwrap().to_string(), "127.0.0.1:1");
        assert_eq!(address("::", 1).unwrap().to_string(), "[::1]:1");
        assert_eq!(address("10.0.0.7", 1).unwrap().to_string(), "10.0.0.7:1");
        assert_eq!(address("node", 1), None);
    }
}
