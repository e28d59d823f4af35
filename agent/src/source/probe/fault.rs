//! What failed and in which stage: the class of an error by walking its chain of sources down to the kernel's number.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// A stage of the way to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Resolve,
    Connect,
    Proxy,
    Tls,
    Request,
    Done,
}

impl Stage {
    /// The word of the vocabulary.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Request => "request",
            Self::Done => "done",
        }
    }
}

/// A failure: where, and what class of `ERRORS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) stage: Stage,
    pub(crate) error: &'static str,
    /// Microseconds until it was known.
    pub(crate) after: u64,
}

impl Fault {
    pub(crate) fn new(stage: Stage, error: &'static str, after: u64) -> Self {
        Self { stage, error, after }
    }

    /// The class in a person's words.
    pub(crate) fn words(&self) -> String {
        match self.error {
            "timed-out" | "tls-handshake-timeout" | "dns-timeout" => "timed out".into(),
            "tls-not-tls" => "answered by something that speaks no TLS".into(),
            "tls-alert" => "ended by an alert".into(),
            "eof" => "closed by the other side".into(),
            "dns-server-failure" => "server failure".into(),
            "dns-refused" => "refused by the name server".into(),
            error => error.replace('-', " "),
        }
    }
}

/// The class of an error that arose in `stage`.
pub(crate) fn classify(error: &(dyn Error + 'static), stage: Stage) -> &'static str {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(class) = one(e, stage) {
            return class;
        }
        // `io::Error::source` skips what it wraps.
        next = match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => e.source(),
        };
    }
    "other"
}

fn one(e: &(dyn Error + 'static), stage: Stage) -> Option<&'static str> {
    if let Some(e) = e.downcast_ref::<io::Error>() {
        return errno(e).or_else(|| io_kind(e, stage));
    }
    if let Some(e) = e.downcast_ref::<rustls::Error>() {
        return Some(tls(e));
    }
    if let Some(e) = e.downcast_ref::<h2::Error>() {
        return http2(e);
    }
    let e = e.downcast_ref::<hyper::Error>()?;
    match () {
        () if e.is_incomplete_message() => Some("eof"),
        () if e.is_timeout() => Some("timed-out"),
        // With a cause it says more; these two have none.
        () if e.source().is_none() && (e.is_closed() || e.is_canceled()) => Some("closed-connection"),
        () => None,
    }
}

/// errno(3). `prohibit` routes give EACCES, `blackhole` routes EINVAL (Linux `net/ipv4/fib_semantics.c`).
fn errno(e: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_raw_os_error(e.raw_os_error()?) {
        Errno::CONNREFUSED => "refused",
        Errno::TIMEDOUT => "timed-out",
        Errno::HOSTUNREACH | Errno::HOSTDOWN => "no-route",
        Errno::NETUNREACH | Errno::NETDOWN => "unreachable",
        Errno::INVAL => "invalid-argument",
        Errno::ADDRNOTAVAIL => "address-not-available",
        Errno::PERM => "not-permitted",
        Errno::ACCESS => "permission-denied",
        Errno::CONNRESET => "reset",
        Errno::PIPE => "broken-pipe",
        Errno::CONNABORTED => "aborted",
        Errno::MFILE => "too-many-open-files",
        Errno::NFILE => "file-table-full",
        Errno::NOSPC => "no-space",
        Errno::AGAIN => "try-again",
        Errno::NOMEM | Errno::NOBUFS => "out-of-memory",
        Errno::IO => "io-error",
        _ => return None,
    })
}

fn io_kind(e: &io::Error, stage: Stage) -> Option<&'static str> {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => Some("eof"),
        io::ErrorKind::TimedOut => Some(elapsed(stage)),
        io::ErrorKind::BrokenPipe => Some("broken-pipe"),
        io::ErrorKind::ConnectionReset => Some("reset"),
        io::ErrorKind::ConnectionRefused => Some("refused"),
        _ => None,
    }
}

fn tls(e: &rustls::Error) -> &'static str {
    use rustls::{CertificateError, Error as Tls, InvalidMessage};
    match e {
        Tls::AlertReceived(_) => "tls-alert",
        // Whatever does not begin with a TLS record: HTTP, a banner, another protocol.
        Tls::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            "tls-not-tls"
        }
        Tls::InvalidCertificate(c) => match c {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "x509-expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "x509-not-yet-valid",
            CertificateError::UnknownIssuer => "x509-unknown-authority",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "x509-wrong-host",
            _ => "x509-other",
        },
        _ => "other",
    }
}

fn http2(e: &h2::Error) -> Option<&'static str> {
    if let Some(io) = e.get_io() {
        return errno(io).or_else(|| io_kind(io, Stage::Request));
    }
    match e.reason() {
        Some(h2::Reason::REFUSED_STREAM) => Some("http2-refused-stream"),
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Some("http2-too-many-requests"),
        _ if e.is_go_away() && e.is_remote() => Some("http2-goaway"),
        _ => None,
    }
}

/// The class of a stage that ran out of time.
pub(crate) fn elapsed(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "dns-timeout",
        Stage::Tls => "tls-handshake-timeout",
        _ => "timed-out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn the_chain_is_walked_down_to_the_number() {
        for (number, class) in [
            (111, "refused"),
            (113, "no-route"),
            (101, "unreachable"),
            (1, "not-permitted"),
            (24, "too-many-open-files"),
            (22, "invalid-argument"),
        ] {
            let e = Wrapped(io::Error::other(io::Error::from_raw_os_error(number)));
            assert_eq!(classify(&e, Stage::Connect), class);
        }
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        assert_eq!(
            classify(&io::Error::new(io::ErrorKind::InvalidData, alert), Stage::Tls),
            "tls-alert"
        );
        assert_eq!(classify(&Wrapped(io::Error::other("?")), Stage::Tls), "other");
    }

    #[test]
    fn every_class_is_a_word_of_the_vocabulary() {
        for stage in [Stage::Resolve, Stage::Connect, Stage::Tls, Stage::Request] {
            assert!(crate::grammar::vocabulary::ERRORS.contains(&elapsed(stage)));
        }
        for number in 1..134 {
            let class = classify(&io::Error::from_raw_os_error(number), Stage::Connect);
            assert!(crate::grammar::vocabulary::ERRORS.contains(&class), "{class}");
        }
    }
}
