//! The server's HTTP/2 SETTINGS (RFC 9113 §6.5), which hyper keeps to itself: the first bytes that the server sends are
//! copied as they are read.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are kept: the server's first SETTINGS frame is 9 bytes and 6 for each setting.
const KEPT: usize = 512;
/// Frame type SETTINGS.
const SETTINGS: u8 = 4;
/// `SETTINGS_MAX_CONCURRENT_STREAMS`.
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// The first bytes of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preface(Arc<Mutex<Vec<u8>>>);

impl Preface {
    /// The stream limit that the server names; `None` where it names none or has not spoken yet.
    pub(crate) fn max_streams(&self) -> Option<u32> {
        max_streams(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
    }
}

/// The server's preface is a SETTINGS frame (RFC 9113 §3.4); frames before it would be an error.
fn max_streams(bytes: &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_at_checked(9)?;
    let length = u32::from_be_bytes([0, *head.first()?, *head.get(1)?, *head.get(2)?]) as usize;
    if *head.get(3)? != SETTINGS {
        return None;
    }
    let body = rest.get(..length.min(rest.len()))?;
    body.chunks_exact(6).find_map(|setting| match setting {
        [a, b, value @ ..] if u16::from_be_bytes([*a, *b]) == MAX_CONCURRENT_STREAMS => {
            value.try_into().ok().map(u32::from_be_bytes)
        }
        _ => None,
    })
}

/// A stream whose first bytes are copied.
#[derive(Debug)]
pub(crate) struct Tap<S> {
    pub(crate) stream: S,
    pub(crate) preface: Preface,
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.preface.keep(buf.filled().get(before..).unwrap_or_default());
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_found_among_other_settings() {
        let frame = [
            0, 0, 12, 4, 0, 0, 0, 0, 0, // 12 bytes of SETTINGS
            0, 5, 0, 0, 64, 0, // MAX_FRAME_SIZE
            0, 3, 0, 0, 0, 5,
        ];
        assert_eq!(max_streams(&frame), Some(5));
        assert_eq!(max_streams(&frame[..15]), None, "cut off before it");
        assert_eq!(max_streams(b"HTTP/1.1 400 Bad Request"), None);
        assert_eq!(max_streams(&[0, 0, 0, 4, 0, 0, 0, 0, 0]), None, "no limit named");
    }

    #[test]
    fn no_more_is_kept_than_needed() {
        let preface = Preface::default();
        preface.keep(&[0; 4096]);
        assert_eq!(preface.0.lock().unwrap().len(), KEPT);
    }
}
