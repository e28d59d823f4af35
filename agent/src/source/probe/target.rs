//! Whom the probe asks: the kubelet's own endpoint, the in-cluster Service, other API servers that the node knows of.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::certificate::Trust;
use super::proxy::{Way, way};
use crate::host::Host;
use crate::world::{Endpoint, Kubeconfig, KubeconfigState, World};

/// Other API servers that are asked at most.
const PEERS: usize = 4;
/// Where Kubernetes puts a pod's token and CA.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The system's CA bundles where Go looks for them (`crypto/x509/root_linux.go`): used where a kubeconfig names no CA.
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The in-cluster Service and the pod's service account. Token and CA are in the agent's own file system and are read
/// again for each look, because the kubelet replaces them.
#[derive(Debug, Clone)]
pub struct Service {
    /// `KUBERNETES_SERVICE_HOST`.
    pub host: String,
    /// `KUBERNETES_SERVICE_PORT`.
    pub port: u16,
    /// The token's file.
    pub token: PathBuf,
    /// The CA's file.
    pub ca: PathBuf,
    /// The agent's own file system.
    pub own: Host,
}

impl Service {
    /// The Service with the usual paths of a pod.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            token: Path::new(ACCOUNT).join("token"),
            ca: Path::new(ACCOUNT).join("ca.crt"),
            own: Host::at("/"),
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: self.host.clone(),
            port: self.port,
            path: String::new(),
        }
    }

    /// The service account's token, where there is one.
    pub(crate) fn token(&self) -> Option<Zeroizing<String>> {
        let bytes = Zeroizing::new(self.own.read(&self.token).ok()?);
        let token = std::str::from_utf8(&bytes).ok()?.trim();
        (!token.is_empty()).then(|| Zeroizing::new(token.to_owned()))
    }

    /// The plan to reach it.
    pub(crate) fn plan(&self) -> Plan {
        let ca = self.own.read(&self.ca).unwrap_or_default();
        Plan {
            target: "service",
            name: self.host.clone(),
            endpoint: self.endpoint(),
            trust: Trust::from_pem(&ca),
            way: Way::Direct,
            token: self.token(),
        }
    }
}

/// How one API server is reached.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// `kubelet`, `service` or `peer`.
    pub(crate) target: &'static str,
    pub(crate) endpoint: Endpoint,
    /// What the certificate must be for.
    pub(crate) name: String,
    pub(crate) trust: Trust,
    pub(crate) way: Way,
    /// Shown only where the certificate is good.
    pub(crate) token: Option<Zeroizing<String>>,
}

/// The kubelet's own endpoint as its kubeconfig has it; where there is none, why.
pub(crate) fn kubelet(host: &Host, world: &World) -> Result<Plan, String> {
    let kubeconfig = &world.kubeconfig;
    let Some(endpoint) = kubeconfig.server.clone() else {
        return Err(why_none(world));
    };
    Ok(Plan {
        target: "kubelet",
        name: kubeconfig.server_name.clone().unwrap_or_else(|| endpoint.host.clone()),
        trust: trust(host, kubeconfig),
        way: way(world, &endpoint),
        endpoint,
        token: None,
    })
}

/// The other API servers. They are asked directly, and held against the kubelet's CA.
pub(crate) fn peers(host: &Host, world: &World) -> Vec<Plan> {
    world
        .peers
        .iter()
        .filter(|peer| world.kubeconfig.server.as_ref() != Some(peer))
        .take(PEERS)
        .map(|peer| Plan {
            target: "peer",
            name: peer.host.clone(),
            endpoint: peer.clone(),
            trust: trust(host, &world.kubeconfig),
            way: Way::Direct,
            token: None,
        })
        .collect()
}

fn trust(host: &Host, kubeconfig: &Kubeconfig) -> Trust {
    match &kubeconfig.ca_pem {
        _ if kubeconfig.insecure => Trust::Insecure,
        Some(pem) => Trust::from_pem(pem),
        None if kubeconfig.ca_path.is_some() => Trust::Unknown,
        None => {
            let bundle = SYSTEM.iter().find_map(|path| host.read(path).ok());
            bundle.map_or(Trust::Unknown, |pem| Trust::from_pem(&pem))
        }
    }
}

fn why_none(world: &World) -> String {
    let path = match &world.kubeconfig.path {
        Some(path) => path.display().to_string(),
        None => return "the kubelet's kubeconfig was not found".into(),
    };
    let note = world.notes.iter().find(|n| n.what == path);
    let why = match (world.kubeconfig.state, note) {
        (_, Some(note)) => return format!("{path}: {}", note.why),
        (KubeconfigState::Missing, _) => "does not exist",
        (KubeconfigState::Empty, _) => "is empty",
        (KubeconfigState::Directory, _) => "is a directory",
        (KubeconfigState::Invalid, _) => "cannot be parsed",
        (KubeconfigState::Incomplete | KubeconfigState::Ok, _) => "names no server",
        (KubeconfigState::Unknown, _) => "could not be read",
    };
    format!("{path} {why}")
}
