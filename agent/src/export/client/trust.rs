//! TLS from files: whom to trust and what to show. The files are read again when they change (cert-manager and the
//! kubelet replace them under a running agent).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::host::{Host, Unreadable};

/// Where distributions keep the certificates that they trust (Go, `crypto/x509/root_linux.go`).
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Files for TLS; all of them may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// Certificates to trust (PEM); else the system's.
    pub ca: Option<PathBuf>,
    /// The certificate to show, with its chain (PEM).
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
}

/// Why TLS can't be set up. It may be mended by whoever writes the files, so it is no reason to give up.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// A file can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It has nothing of use in it.
    #[error("{path}: {what}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// No file of trusted certificates was named and the system has none.
    #[error("no certificate authority: name a file of trusted certificates (tls.ca)")]
    NoAuthority,
    /// Certificate and key don't fit, or only one was named.
    #[error("client certificate: {0}")]
    Client(String),
}

/// TLS settings as the files have them now.
#[derive(Debug)]
pub struct Trust {
    files: TlsFiles,
    roots: Vec<Host>,
    seen: Vec<Option<Stamp>>,
    config: Option<Arc<ClientConfig>>,
}

impl Trust {
    /// `roots`: where to look for the system's trusted certificates, the first that has some.
    pub fn new(files: TlsFiles, roots: Vec<Host>) -> Self {
        Self {
            files,
            roots,
            seen: Vec::new(),
            config: None,
        }
    }

    /// The settings, and whether they are others than at the last call.
    pub fn config(&mut self) -> Result<(Arc<ClientConfig>, bool), Untrusted> {
        let now: Vec<_> = [&self.files.ca, &self.files.certificate, &self.files.key]
            .into_iter()
            .map(|path| path.as_deref().and_then(stamp))
            .collect();
        if let Some(config) = self.config.as_ref().filter(|_| now == self.seen) {
            return Ok((config.clone(), false));
        }
        // A file that is half written fails here; the stamp is kept back so that it is tried again.
        let config = Arc::new(self.read()?);
        self.seen = now;
        self.config = Some(config.clone());
        Ok((config, true))
    }

    fn read(&self) -> Result<ClientConfig, Untrusted> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Untrusted::Client(e.to_string()))?
            .with_root_certificates(self.authorities()?);
        let mut config = match (&self.files.certificate, &self.files.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(&here(), certificate)?, private_key(key)?)
                .map_err(|e| Untrusted::Client(e.to_string()))?,
            (Some(_), None) => return Err(Untrusted::Client("no key for it".to_owned())),
            (None, Some(_)) => return Err(Untrusted::Client("a key without a certificate".to_owned())),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn authorities(&self) -> Result<RootCertStore, Untrusted> {
        let mut store = RootCertStore::empty();
        if let Some(path) = &self.files.ca {
            let (added, _) = store.add_parsable_certificates(certificates(&here(), path)?);
            if added == 0 {
                return Err(content(path, "no certificate in it that can be used"));
            }
            return Ok(store);
        }
        for host in &self.roots {
            for path in SYSTEM {
                let Ok(found) = certificates(host, Path::new(path)) else {
                    continue;
                };
                if store.add_parsable_certificates(found).0 > 0 {
                    return Ok(store);
                }
            }
        }
        Err(Untrusted::NoAuthority)
    }
}

/// Files of the agent itself, whatever the node's root is.
pub(crate) fn here() -> Host {
    Host::at("/")
}

/// The certificates of a PEM file, one at least.
pub(crate) fn certificates(host: &Host, path: &Path) -> Result<Vec<CertificateDer<'static>>, Untrusted> {
    let pem = host.read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(content(path, "no certificate in it")),
        Err(e) => Err(content(path, &e.to_string())),
    }
}

/// The first private key of a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Untrusted> {
    let pem = zeroize::Zeroizing::new(here().read(path)?);
    // The error says nothing of what is in the file.
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| content(path, "no private key in it"))
}

fn content(path: &Path, what: &str) -> Untrusted {
    Untrusted::Content {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}

/// Modification time, inode and size: another stamp is another file.
pub(crate) type Stamp = (i64, i64, u64, u64);

/// The stamp of a file; `None` where it cannot be looked at.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let of = std::fs::metadata(path).ok()?;
    Some((of.mtime(), of.mtime_nsec(), of.ino(), of.size()))
}
