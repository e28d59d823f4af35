//! Stage three: the TLS handshake. The server's chain is kept even where it is no good, and the handshake goes on, so that
//! the request can still be tried: without any credential.
//!
//! Where a client certificate is to be shown the handshake ends at a chain that is no good, as the kubelet's does.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::budget::Budget;
use super::certificate::{Judged, Trust, judge};
use super::fault::{Fault, Stage};
use crate::model::time::SECOND;

/// Certificates of a chain that are kept at most.
const CHAIN: usize = 16;

/// A client certificate with its key.
#[derive(Debug)]
pub(crate) struct ClientCertificate(pub(crate) Arc<CertifiedKey>);

/// What the handshake gave. The certificate is judged even where the handshake failed after it was shown.
#[derive(Debug)]
pub(crate) struct Shaken {
    pub(crate) judged: Option<Judged>,
    pub(crate) result: Result<(TlsStream<TcpStream>, u64), Fault>,
}

/// The name that the certificate must be for.
pub(crate) fn server_name(name: &str) -> Option<ServerName<'static>> {
    match name.parse::<IpAddr>() {
        Ok(ip) => Some(ServerName::from(ip)),
        Err(_) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
    }
}

/// Shakes hands. `client` is shown only to a server whose chain is good.
pub(crate) async fn handshake(
    stream: TcpStream,
    name: &ServerName<'static>,
    trust: &Trust,
    client: Option<ClientCertificate>,
    budget: &Budget,
) -> Shaken {
    let now = budget.clock().now().wall.0.div_euclid(SECOND);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let keeper = Arc::new(Keeper {
        provider: provider.clone(),
        chain: Mutex::default(),
        strict: client.is_some().then(|| (trust.clone(), now)),
    });
    let Some(config) = config(provider, keeper.clone(), client) else {
        let fault = Fault::new(Stage::Tls, "x509-other", 0);
        return Shaken {
            judged: None,
            result: Err(fault),
        };
    };
    let connector = TlsConnector::from(Arc::new(config));
    let result = budget.run(Stage::Tls, connector.connect(name.clone(), stream)).await;
    let chain = keeper.chain.lock().unwrap_or_else(PoisonError::into_inner);
    let judged = (!chain.is_empty()).then(|| judge(&chain, trust, name, now));
    let result = result.map_err(|fault| match judged.as_ref().and_then(|j| j.error) {
        // What Go says, not what rustls made of our own refusal.
        Some(error) => Fault { error, ..fault },
        None => fault,
    });
    Shaken { judged, result }
}

fn config(
    provider: Arc<CryptoProvider>,
    keeper: Arc<Keeper>,
    client: Option<ClientCertificate>,
) -> Option<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(keeper);
    let mut config = match client {
        Some(client) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client.0))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Each look is a new connection from the start.
    config.resumption = rustls::client::Resumption::disabled();
    Some(config)
}

/// Keeps the chain and, unless it is strict, lets the handshake go on. It still checks that the server has the key.
#[derive(Debug)]
struct Keeper {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
    strict: Option<(Trust, i64)>,
}

impl ServerCertVerifier for Keeper {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain: Vec<_> = std::iter::once(end_entity)
            .chain(intermediates)
            .take(CHAIN)
            .map(|c| c.clone().into_owned())
            .collect();
        let refused = match &self.strict {
            Some((trust, now)) => !is_good(&judge(&chain, trust, server_name, *now), trust),
            None => false,
        };
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        if refused {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a credential may be shown: the chain is good, or the operator's kubeconfig says not to look at it.
pub(crate) fn is_good(judged: &Judged, trust: &Trust) -> bool {
    match trust {
        Trust::Insecure => true,
        Trust::Roots(_) => judged.error.is_none(),
        Trust::Unknown => false,
    }
}
