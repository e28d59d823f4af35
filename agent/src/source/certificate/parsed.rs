//! One X.509 certificate (RFC 5280) as the sources need it.

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::time::{SECOND, Timestamp};

/// What is kept of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The subject, `CN=…` first as x509 tools write it.
    pub(super) subject: String,
    /// The issuer.
    pub(super) issuer: String,
    /// The first moment at which it is valid.
    pub(super) not_before: Timestamp,
    /// The last moment.
    pub(super) not_after: Timestamp,
    /// The public key, DER `SubjectPublicKeyInfo`.
    pub(super) key: Vec<u8>,
    /// The whole certificate.
    pub(super) der: Vec<u8>,
}

impl Parsed {
    /// Reads DER; `None` where it is no certificate.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            subject: shown(&certificate.subject().to_string()),
            issuer: shown(&certificate.issuer().to_string()),
            not_before: Timestamp(validity.not_before.timestamp().saturating_mul(SECOND)),
            not_after: Timestamp(validity.not_after.timestamp().saturating_mul(SECOND)),
            key: certificate.public_key().raw.to_vec(),
            der: der.to_vec(),
        })
    }

    /// A word of the vocabulary.
    pub(super) fn validity(&self, now: Timestamp) -> &'static str {
        if now > self.not_after {
            "expired"
        } else if now < self.not_before {
            "not-yet-valid"
        } else {
            "valid"
        }
    }

    /// How much of its life is over, per cent.
    pub(super) fn spent(&self, now: Timestamp) -> i64 {
        let life = (self.not_after.0 - self.not_before.0).max(1);
        now.0.saturating_sub(self.not_before.0).saturating_mul(100) / life
    }

    /// Whether one of these certificates has signed it; `None` where none of them can be tried.
    pub(super) fn signed_by(&self, authorities: &[Parsed]) -> Option<bool> {
        let (_, mine) = X509Certificate::from_der(&self.der).ok()?;
        let mut tried = false;
        for authority in authorities {
            let Ok((_, theirs)) = X509Certificate::from_der(&authority.der) else {
                continue;
            };
            tried = true;
            // Names first: a signature costs a hundred times more.
            if mine.issuer().as_raw() == theirs.subject().as_raw()
                && mine.verify_signature(Some(theirs.public_key())).is_ok()
            {
                return Some(true);
            }
        }
        tried.then_some(false)
    }
}

/// A name as it may be shown: on one line and not without end.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// A length of time in words: the two largest units.
pub(super) fn span(micros: i64) -> String {
    let seconds = micros.unsigned_abs() / 1_000_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
