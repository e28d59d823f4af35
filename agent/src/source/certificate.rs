//! Certificates of the kubelet in files, and the one that it serves.
//!
//! Of files that hold a private key too only the CERTIFICATE blocks are taken. Keys are opened under
//! `Allowed::as_kubelet` alone, and compared by their public half.

use std::time::Duration;

use super::look::{Look, Looking, Sampler, blocking};
use super::scene::Scene;
use crate::grammar::fact::Kind;

mod files;
mod key;
mod parsed;
mod served;

/// Looks at the certificates that kubeconfig, configuration and distribution name.
#[derive(Debug, Default)]
pub struct Certificates;

impl Certificates {
    /// A new one.
    pub fn new() -> Self {
        Self
    }
}

impl Sampler for Certificates {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::CertificateFile]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let scene = scene.clone();
            if let Some(look) = blocking(move || files::look(&scene)).await {
                look
            } else {
                let mut look = Look::default();
                look.missed(Kind::CertificateFile, "the look at the certificates broke off", None);
                look
            }
        })
    }
}

/// Looks at the certificate that the running kubelet serves.
#[derive(Debug, Default)]
pub struct ServedCertificate;

impl ServedCertificate {
    /// A new one.
    pub fn new() -> Self {
        Self
    }
}

impl Sampler for ServedCertificate {
    fn name(&self) -> &'static str {
        "served-certificate"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::ServedCertificate]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(4)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(served::look(scene))
    }
}
