//! How the API server is reached by a pod's service account (client-go, `rest.InClusterConfig`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::export::client::resolve::Resolver;
use crate::export::client::target::Target;
use crate::export::client::trust::TlsFiles;

/// Where a pod's service account is mounted.
pub const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Why there is no access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAccess {
    /// Not in a pod.
    #[error("KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set: not in a pod")]
    NotInPod,
    /// They make no address.
    #[error("KUBERNETES_SERVICE_HOST and _PORT make no address: {0}")]
    Address(String),
}

/// The API server and who asks it.
#[derive(Debug, Clone)]
pub struct Access {
    /// The server.
    pub target: Target,
    /// Whom to trust; a client certificate where there is no token.
    pub tls: TlsFiles,
    /// The token's file. It is read for every request: the kubelet renews it under a running pod.
    pub token: Option<PathBuf>,
    /// Names.
    pub resolver: Resolver,
    /// For one request: 10 s.
    pub timeout: Duration,
}

impl Access {
    /// The pod's own: by the service's address, so that no name is resolved; never through a proxy.
    pub fn in_pod(env: &dyn Fn(&str) -> Option<String>, service_account: &Path) -> Result<Self, NoAccess> {
        let named = |name| env(name).filter(|v| !v.is_empty()).ok_or(NoAccess::NotInPod);
        let (host, port) = (named("KUBERNETES_SERVICE_HOST")?, named("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let url = format!("https://{host}:{port}");
        Ok(Self {
            target: Target::parse(&url).map_err(|e| NoAccess::Address(e.to_string()))?,
            tls: TlsFiles {
                ca: Some(service_account.join("ca.crt")),
                ..TlsFiles::default()
            },
            token: Some(service_account.join("token")),
            resolver: Resolver::system(),
            timeout: Duration::from_secs(10),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_own_access() {
        let env = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        let access = Access::in_pod(&env, Path::new(SERVICE_ACCOUNT)).unwrap();
        assert_eq!((access.target.host.as_str(), access.target.port), ("fd00::1", 443));
        assert!(access.token.unwrap().ends_with("token"));
        assert_eq!(
            Access::in_pod(&|_| None, Path::new("/")).unwrap_err(),
            NoAccess::NotInPod
        );
    }
}
