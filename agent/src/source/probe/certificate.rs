//! What is to be said of the certificate that a server shows, in Go's order (`crypto/x509` `Certificate.Verify`): its
//! dates, its names, then who signed it. The chain is judged by webpki; it is kept whatever comes out.

use std::net::IpAddr;
use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fault::{Stage, classify};
use crate::grammar::fact::{Fact, Kind};
use crate::model::time::{SECOND, Timestamp};

/// Certificates of a CA bundle that are looked at, at most.
const ROOTS: usize = 512;
/// Names of a certificate that are shown at most.
const NAMES: usize = 12;

/// Whom the server's certificate is held against.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// These CAs.
    Roots(Vec<CertificateDer<'static>>),
    /// `insecure-skip-tls-verify`.
    Insecure,
    /// The CA could not be read.
    Unknown,
}

impl Trust {
    /// The CA bundle's certificates; what is no certificate is left out.
    pub(crate) fn from_pem(pem: &[u8]) -> Self {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(pem).flatten().take(ROOTS).collect();
        if roots.is_empty() {
            Self::Unknown
        } else {
            Self::Roots(roots)
        }
    }
}

/// A chain, judged.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) leaf: Option<Leaf>,
    pub(crate) validity: &'static str,
    pub(crate) trust: &'static str,
    pub(crate) host_match: bool,
    /// What Go's TLS client would end the handshake with.
    pub(crate) error: Option<&'static str>,
    /// Seconds since the epoch at which it was judged.
    now: i64,
}

/// The server's own certificate.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    /// Seconds since the epoch.
    pub(crate) not_before: i64,
    /// Seconds since the epoch.
    pub(crate) not_after: i64,
    subject: String,
    issuer: String,
    names: Vec<String>,
}

/// Judges a chain, the server's own certificate first. `now` is the node's wall time in seconds since the epoch.
pub(crate) fn judge(chain: &[CertificateDer<'_>], trust: &Trust, name: &ServerName<'_>, now: i64) -> Judged {
    let mut judged = Judged {
        leaf: chain.first().and_then(leaf),
        validity: "valid",
        trust: "unknown",
        host_match: false,
        error: None,
        now,
    };
    let (Some(first), Some(leaf)) = (chain.first(), judged.leaf.as_ref()) else {
        judged.error = Some("x509-other");
        return judged;
    };
    judged.validity = validity(leaf, now);
    // A chain is judged at a time at which the server's own certificate is valid, so that dates and trust are told apart.
    let when = now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before));
    let parsed = ParsedCertificate::try_from(first);
    judged.host_match = parsed.as_ref().is_ok_and(|p| verify_server_name(p, name).is_ok());
    let signed = match trust {
        Trust::Roots(roots) => Some(signed(chain, roots, when)),
        Trust::Insecure | Trust::Unknown => None,
    };
    judged.trust = match signed {
        Some(Ok(())) => "trusted",
        // An expired CA is known all the same.
        Some(Err("x509-expired" | "x509-not-yet-valid")) => "trusted",
        Some(Err(_)) => "unknown-authority",
        None => "unknown",
    };
    if !matches!(trust, Trust::Insecure) {
        judged.error = match judged.validity {
            "expired" => Some("x509-expired"),
            "not-yet-valid" => Some("x509-not-yet-valid"),
            _ if !judged.host_match => Some("x509-wrong-host"),
            _ => signed.and_then(Result::err),
        };
    }
    judged
}

/// Whether the roots have signed it. Go holds a root's own dates against it, webpki does not; and Go takes a certificate
/// for its own root that is in the bundle itself.
fn signed(chain: &[CertificateDer<'_>], roots: &[CertificateDer<'static>], when: i64) -> Result<(), &'static str> {
    let Some((first, rest)) = chain.split_first() else {
        return Err("x509-other");
    };
    if roots.iter().any(|root| root == first) {
        return Ok(());
    }
    let valid: Vec<_> = roots
        .iter()
        .filter(|r| leaf(r).is_none_or(|r| validity(&r, when) == "valid"))
        .cloned()
        .collect();
    let parsed = ParsedCertificate::try_from(first).map_err(|_| "x509-other")?;
    let by = |roots: &[CertificateDer<'static>]| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let time = UnixTime::since_unix_epoch(Duration::from_secs(when.max(0) as u64));
        let algorithms = rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &store, rest, time, algorithms)
    };
    match by(&valid) {
        Ok(()) => Ok(()),
        Err(_) if valid.len() < roots.len() && by(roots).is_ok() => Err(outdated(roots, when)),
        Err(e) => Err(class(&e)),
    }
}

/// Which way the CA's certificates are out of their dates.
fn outdated(roots: &[CertificateDer<'static>], when: i64) -> &'static str {
    let early = roots
        .iter()
        .filter_map(leaf)
        .all(|root| validity(&root, when) != "expired");
    if early { "x509-not-yet-valid" } else { "x509-expired" }
}

fn class(e: &rustls::Error) -> &'static str {
    match e {
        rustls::Error::InvalidCertificate(
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => "x509-insecure",
        // A signature that does not fit: another CA of the same name.
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => "x509-unknown-authority",
        e => classify(e, Stage::Tls),
    }
}

fn validity(leaf: &Leaf, now: i64) -> &'static str {
    if now < leaf.not_before {
        "not-yet-valid"
    } else if now > leaf.not_after {
        "expired"
    } else {
        "valid"
    }
}

fn leaf(der: &CertificateDer<'_>) -> Option<Leaf> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|san| san.value.general_names.iter().filter_map(name).take(NAMES).collect());
    Some(Leaf {
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names: names.unwrap_or_default(),
    })
}

fn name(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|b| IpAddr::from(b).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|b| IpAddr::from(b).to_string()),
            _ => None,
        },
        _ => None,
    }
}

impl Judged {
    /// The certificate as a fact and in words.
    pub(crate) fn fact(&self, host: &str) -> Option<(String, Fact, Option<Timestamp>)> {
        let leaf = self.leaf.as_ref()?;
        let at = |seconds: i64| Timestamp(seconds.saturating_mul(SECOND));
        let names = leaf.names.join(", ");
        let fact = Fact::new(Kind::ApiCertificate)
            .with("validity", self.validity)
            .with("trust", self.trust)
            .with("host_match", if self.host_match { "yes" } else { "no" })
            .with_int("expires_in_s", leaf.not_after.saturating_sub(self.now))
            .with_text("not_after", at(leaf.not_after).rfc3339())
            .with_text("not_before", at(leaf.not_before).rfc3339())
            .with_text("subject", &*leaf.subject)
            .with_text("issuer", &*leaf.issuer)
            .with_text("names", &*names);
        let dates = match self.validity {
            "expired" => format!("expired {}", at(leaf.not_after)),
            "not-yet-valid" => format!("valid only from {}", at(leaf.not_before)),
            _ => format!("valid to {}", at(leaf.not_after).date()),
        };
        let mut text = format!("{host}: certificate {dates}, issued by {}", leaf.issuer);
        match (self.trust, self.error) {
            ("unknown-authority", _) => text.push_str(", not signed by the kubelet's CA"),
            ("trusted", Some("x509-expired")) if self.validity == "valid" => {
                text.push_str(", whose certificate has expired");
            }
            _ => {}
        }
        if !self.host_match {
            text.push_str(&format!(", not for this host but for {names}"));
        }
        let began = match self.validity {
            "expired" => Some(at(leaf.not_after)),
            _ => None,
        };
        Some((text, fact, began))
    }
}
