//! The kubelet's own client certificate and key, opened only where the operator allows it (`probe.as_kubelet`).
//!
//! What was read is wiped as soon as the signing key is made of it; that one lives for one handshake. An exec plugin is
//! never run.

use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use crate::host::Host;
use crate::world::{Credentials, World};

/// What is shown to the API server.
#[derive(Debug)]
pub(super) enum Shown {
    Certificate(Arc<CertifiedKey>),
    Token(Zeroizing<String>),
}

/// What of a kubeconfig holds credentials (`k8s.io/client-go/tools/clientcmd/api/v1`).
#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "current-context")]
    current: String,
    #[serde(default)]
    contexts: Vec<Named>,
    #[serde(default)]
    users: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
    #[serde(default)]
    context: Option<Context>,
    #[serde(default)]
    user: Option<User>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    user: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    client_certificate_data: String,
    client_key_data: Zeroizing<String>,
    token: Zeroizing<String>,
    #[serde(rename = "tokenFile")]
    token_file: String,
}

/// The kubelet's own credentials; why not, where they cannot be had.
pub(super) fn of_kubelet(host: &Host, world: &World) -> Result<Shown, String> {
    match &world.kubeconfig.credentials {
        Credentials::Files { certificate, key } => {
            let chain = read(host, certificate)?;
            let key = read(host, key)?;
            certified(&chain, &key).map(Shown::Certificate)
        }
        Credentials::Embedded { .. } => {
            let user = user(host, world)?;
            let chain = decoded(&user.client_certificate_data)?;
            let key = decoded(&user.client_key_data)?;
            certified(&chain, &key).map(Shown::Certificate)
        }
        Credentials::Token => token(host, &user(host, world)?).map(Shown::Token),
        Credentials::Exec { command } => Err(format!(
            "the kubelet's credentials come from {command}, which is not run"
        )),
        Credentials::None => Err("the kubelet's kubeconfig has no credentials".into()),
    }
}

fn read(host: &Host, path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    host.read(path).map(Zeroizing::new).map_err(|e| e.to_string())
}

fn decoded(data: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let compact: Zeroizing<String> = Zeroizing::new(data.split_whitespace().collect());
    BASE64
        .decode(compact.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| "the credentials in the kubeconfig are not base64".into())
}

fn certified(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).flatten().take(16).collect();
    if chain.is_empty() {
        return Err("the kubelet's client certificate is missing in its file".into());
    }
    let mut key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the kubelet's key is missing in its file")?;
    let signing = any_supported_type(&key).map_err(|_| "the kubelet's key is of no known kind".to_owned());
    key.zeroize();
    Ok(Arc::new(CertifiedKey::new(chain, signing?)))
}

fn token(host: &Host, user: &User) -> Result<Zeroizing<String>, String> {
    let token = if user.token.is_empty() && !user.token_file.is_empty() {
        let bytes = read(host, Path::new(&user.token_file))?;
        Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned())
    } else {
        Zeroizing::new(user.token.trim().to_owned())
    };
    if token.is_empty() {
        Err("the kubelet's token is empty".into())
    } else {
        Ok(token)
    }
}

fn user(host: &Host, world: &World) -> Result<User, String> {
    let path = world
        .kubeconfig
        .path
        .as_deref()
        .ok_or("the kubelet's kubeconfig was not found")?;
    let bytes = read(host, path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is no text", path.display()))?;
    // The parser's own words may quote the file.
    let config: Config = serde_saphyr::from_str(text).map_err(|_| format!("{} cannot be parsed", path.display()))?;
    let context = config
        .contexts
        .into_iter()
        .find(|c| c.name == config.current)
        .and_then(|c| c.context);
    let name = context.map(|c| c.user).unwrap_or_default();
    let user = config.users.into_iter().find(|u| u.name == name).and_then(|u| u.user);
    user.ok_or_else(|| format!("{} has no user for its current context", path.display()))
}
