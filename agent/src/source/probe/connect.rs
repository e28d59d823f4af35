//! Stage two: a TCP connection to one of the addresses.
//!
//! Go dials the addresses in their order and begins with the next one when one fails, or with the other family after
//! 300 ms (RFC 8305). Here all are dialled at once, so that one that is dead costs no stage; which one is used follows Go.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;

use super::budget::{Budget, Timed};
use super::fault::{Fault, Stage};

/// How long an address that answers waits for one before it in the list.
const PREFERENCE: Duration = Duration::from_millis(300);

/// A connection, and where it leads.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) took: u64,
}

/// One address.
pub(crate) async fn one(address: SocketAddr, budget: &Budget) -> Timed<TcpStream> {
    let (stream, took) = budget.run(Stage::Connect, TcpStream::connect(address)).await?;
    // As Go does.
    let _ = stream.set_nodelay(true);
    Ok((stream, took))
}

/// The first of the addresses that answers; where none does, what the first of the list failed with, and its address.
pub(crate) async fn first(addresses: &[SocketAddr], budget: &Budget) -> Result<Connected, (Option<SocketAddr>, Fault)> {
    let mut dialled: FuturesUnordered<_> = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| async move { (at, *address, one(*address, budget).await) })
        .collect();
    let mut pending: Vec<usize> = (0..addresses.len()).collect();
    let mut best: Option<(usize, Connected)> = None;
    let mut failed: Option<(usize, SocketAddr, Fault)> = None;
    while let Some((at, address, result)) = next(&mut dialled, best.is_some()).await {
        pending.retain(|p| *p != at);
        match result {
            Ok((stream, took)) if best.as_ref().is_none_or(|(b, _)| at < *b) => {
                best = Some((at, Connected { stream, address, took }));
            }
            Ok(_) => {}
            Err(fault) if failed.as_ref().is_none_or(|(f, ..)| at < *f) => failed = Some((at, address, fault)),
            Err(_) => {}
        }
        if best.as_ref().is_some_and(|(b, _)| pending.iter().all(|p| p > b)) {
            break;
        }
    }
    match (best, failed) {
        (Some((_, connected)), _) => Ok(connected),
        (None, Some((_, address, fault))) => Err((Some(address), fault)),
        (None, None) => Err((None, Fault::new(Stage::Resolve, "no-such-host", 0))),
    }
}

async fn next<T: Future>(dialled: &mut FuturesUnordered<T>, found: bool) -> Option<T::Output> {
    if found {
        tokio::time::timeout(PREFERENCE, dialled.next()).await.ok().flatten()
    } else {
        dialled.next().await
    }
}
