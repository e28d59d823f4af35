//! Does a private key belong to a certificate? Opened only where the operator allows it; the key never leaves this file
//! and its buffers are wiped.

use std::io::Read;
use std::path::Path;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use zeroize::Zeroizing;

use crate::host::{Host, Unreadable};

/// A key file is not longer than this; an RSA key of 16384 bits has 13 KiB.
const MOST: usize = 64 << 10;

/// Whether the first private key of the file belongs to this public key (DER `SubjectPublicKeyInfo`); `None` where the
/// file holds no key of a kind that is known.
pub(super) fn belongs(host: &Host, path: &Path, public: &[u8]) -> Result<Option<bool>, Unreadable> {
    // Read at its full length at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MOST));
    host.open(path)?
        .take(MOST as u64)
        .read_to_end(&mut text)
        .map_err(|source| Unreadable::Other {
            path: path.to_owned(),
            source,
        })?;
    Ok(compare(&text, public))
}

fn compare(text: &[u8], public: &[u8]) -> Option<bool> {
    let (label, base64) = block(text)?;
    let der = Zeroizing::new(data_encoding::BASE64.decode(&base64).ok()?);
    let key = match label {
        Label::Pkcs8 => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.as_slice())),
        Label::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der.as_slice())),
        Label::Pkcs1 => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der.as_slice())),
    };
    let signer = any_supported_type(&key).ok()?;
    let own = signer.public_key()?;
    Some(own.as_ref() == public)
}

enum Label {
    Pkcs8,
    Sec1,
    Pkcs1,
}

/// The first private key's block without line ends.
fn block(text: &[u8]) -> Option<(Label, Zeroizing<Vec<u8>>)> {
    let mut base64 = Zeroizing::new(Vec::with_capacity(MOST));
    let mut label = None;
    for line in text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        match line {
            b"-----BEGIN PRIVATE KEY-----" => label = Some(Label::Pkcs8),
            b"-----BEGIN EC PRIVATE KEY-----" => label = Some(Label::Sec1),
            b"-----BEGIN RSA PRIVATE KEY-----" => label = Some(Label::Pkcs1),
            _ if label.is_none() => {}
            _ if line.starts_with(b"-----END ") => return label.map(|l| (l, base64)),
            _ => base64.extend_from_slice(line),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::certificate::parsed::Parsed;

    #[test]
    fn its_own_another_s_and_none() {
        let key = rcgen::KeyPair::generate().unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new())
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let public = Parsed::of(certificate.der()).unwrap().key;
        let both = format!("{}{}", certificate.pem(), key.serialize_pem());
        assert_eq!(compare(both.as_bytes(), &public), Some(true));
        assert_eq!(compare(other.serialize_pem().as_bytes(), &public), Some(false));
        assert_eq!(compare(certificate.pem().as_bytes(), &public), None);
        assert_eq!(
            compare(b"-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n", &public),
            None
        );
    }
}
