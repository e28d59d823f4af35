//! A CA, and certificates by it, as files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// Certificate and key, PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// The public half of the key.
    pub(crate) public: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "delivery test");
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// For a server at 127.0.0.1 and a client alike.
    pub(crate) fn issue(&self) -> Pair {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("params");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        Pair {
            certificate: params.signed_by(&key, &self.issuer).expect("signed").pem(),
            key: key.serialize_pem(),
            public: key.public_key_pem(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
pub(crate) fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    // As cert-manager and the kubelet do it: a new file in the old one's place.
    let path = dir.join(name);
    let new = dir.join(format!("{name}.new"));
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, &path).expect("renamed");
    path
}
