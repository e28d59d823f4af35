//! The part of the agent that `kill.rs` kills: finds one thing after the other, stores it, says so, delivers it.
//!
//! Arguments: directory, collector's URL, number of the first change, how many. With none to find it ends when the
//! outbox is empty.

#![expect(clippy::print_stdout, reason = "what it says is what is tested")]

#[path = "sample.rs"]
mod sample;

use std::io::Write;
use std::time::Duration;

use tokio::sync::watch;
use whynotready::clock::Clock;
use whynotready::export::client::resolve::Resolver;
use whynotready::export::otlp::endpoint::{Signal, Wishes, endpoint};
use whynotready::export::otlp::logs::{Setup, Worker};
use whynotready::export::otlp::resource::{Sender, resource};
use whynotready::export::pace::Waits;
use whynotready::model::change::{ChangeKind, Tier};
use whynotready::outbox::sink::Sink;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, url, first, count] = arguments.as_slice() else {
        panic!("four arguments");
    };
    let (first, count): (usize, usize) = (first.parse().expect("a number"), count.parse().expect("a number"));
    sample::on_one_thread(find(dir.as_ref(), url, first, count));
}

async fn find(dir: &std::path::Path, url: &str, first: usize, count: usize) {
    let outbox = sample::outbox(dir, &[Sink::Otlp]);
    let wishes = Wishes {
        endpoint: Some(url.to_owned()),
        ..Wishes::default()
    };
    let worker = Worker::new(Setup {
        endpoint: endpoint(Signal::Logs, &wishes, &|_| None)
            .expect("no fault")
            .expect("on"),
        resource: resource(&Sender::default(), &|_| None),
        version: "0".to_owned(),
        resolver: Resolver::system(),
        roots: Vec::new(),
        clock: Clock::system(),
        waits: Waits {
            first: Duration::from_millis(1),
            most: Duration::from_millis(10),
            herd: Duration::ZERO,
        },
    });
    let (_stop, stopped) = watch::channel(false);
    tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
    for n in (first..).take(count) {
        let uid = format!("uid-{n}");
        let tier = outbox.store(&sample::change(&uid, ChangeKind::RootCauseFound));
        assert_ne!(tier, Tier::Memory, "{:?}", outbox.with(|o| o.trouble()));
        println!("{uid}");
        std::io::stdout().flush().expect("written");
        // Lets the worker come to its turn.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    sample::until("the outbox is empty", || outbox.with(|o| o.depth()) == 0).await;
}
