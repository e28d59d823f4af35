//! The metrics listener's certificate and key, read again when a file changes: cert-manager replaces them under a running
//! agent. New files that do not fit together leave the old ones in use, for they may be half written.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::export::client::trust::{Stamp, Untrusted, certificates, here, private_key, stamp};

/// Certificate and key in use.
pub(super) struct Certificate {
    files: [PathBuf; 2],
    seen: [Option<Stamp>; 2],
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// Reads the certificate with its chain, and its key, both PEM.
    pub(super) fn read(certificate: PathBuf, key: PathBuf) -> Result<Self, Untrusted> {
        let files = [certificate, key];
        Ok(Self {
            seen: stamps(&files),
            config: config(&files)?,
            files,
        })
    }

    /// For the next connection. `Err` comes once for each change of the files that could not be used: what to say about it.
    pub(super) fn acceptor(&mut self) -> (TlsAcceptor, Result<(), String>) {
        let now = stamps(&self.files);
        let mut said = Ok(());
        if now != self.seen {
            self.seen = now;
            match config(&self.files) {
                Ok(config) => self.config = config,
                Err(why) => said = Err(format!("the metrics listener keeps its old certificate: {why}")),
            }
        }
        (TlsAcceptor::from(Arc::clone(&self.config)), said)
    }
}

fn stamps(files: &[PathBuf; 2]) -> [Option<Stamp>; 2] {
    files.each_ref().map(|file| stamp(file))
}

fn config([certificate, key]: &[PathBuf; 2]) -> Result<Arc<ServerConfig>, Untrusted> {
    let wrong = |e: rustls::Error| Untrusted::Content {
        path: certificate.clone(),
        what: e.to_string(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(certificates(&here(), certificate)?, private_key(key)?)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
