//! The certificate that the kubelet's own server shows, against the one on disk: a kubelet that has not taken up a renewed
//! certificate serves the old one.
//!
//! Whatever it shows is accepted: it is looked at, nothing is sent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::files;
use super::parsed::{Parsed, span};
use crate::grammar::fact::{Fact, Kind};
use crate::model::time::Timestamp;
use crate::source::look::{Look, blocking};
use crate::source::scene::Scene;

/// What would let the agent reach the kubelet's server.
const GRANT: &str = "hostNetwork, and a kubelet that runs";

pub(super) async fn look(scene: &Scene) -> Look {
    let mut look = Look::default();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), scene.world.settings.port);
    match timeout(scene.allowed.stage, shown(address)).await {
        Err(_) => look.missed(
            Kind::ServedCertificate,
            format!("{address} did not shake hands in {:?}", scene.allowed.stage),
            Some(GRANT),
        ),
        Ok(Err(why)) => look.missed(Kind::ServedCertificate, format!("{address}: {why}"), Some(GRANT)),
        Ok(Ok(served)) => {
            let disk = scene.clone();
            let disk = blocking(move || files::serving_on_disk(&disk)).await.flatten();
            say(&mut look, &served, disk.as_ref(), address, scene.clock.now().wall);
        }
    }
    look
}

/// The leaf that a TLS server shows.
async fn shown(address: SocketAddr) -> Result<Parsed, String> {
    let tcp = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything(provider)))
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(|e| e.to_string())?;
    let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
    chain
        .first()
        .and_then(|leaf| Parsed::of(leaf))
        .ok_or_else(|| "it shows no certificate that can be read".into())
}

fn say(look: &mut Look, served: &Parsed, disk: Option<&Parsed>, address: SocketAddr, now: Timestamp) {
    let validity = served.validity(now);
    let against = match disk {
        None => "unknown",
        Some(disk) if disk.der == served.der => "same",
        Some(disk) if served.not_before < disk.not_before => "older",
        Some(disk) if served.not_before > disk.not_before => "newer",
        Some(_) => "other",
    };
    let until = served.not_after;
    let age = span(until.0 - now.0);
    let dates = if validity == "expired" {
        format!("expired {} ({age} ago)", until.date())
    } else {
        format!("valid until {} ({age})", until.date())
    };
    let words = match against {
        "same" => "the one on disk".to_owned(),
        "unknown" => "the one on disk is not known".into(),
        word => format!("{word} than the one on disk").replace("other than", "not"),
    };
    let fact = Fact::new(Kind::ServedCertificate)
        .with("validity", validity)
        .with("against_disk", against)
        .with_text("not_after", until.rfc3339());
    look.saw(format!("{address} serves {}  {dates}  {words}", served.subject), fact);
}

/// Accepts whatever is shown.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
