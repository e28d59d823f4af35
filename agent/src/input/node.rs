//! The node's name out of what its kubelet asks the API server for.

use memchr::memmem::Finder;

use super::api::{NodeName, NodeNameFrom};

/// The best name so far.
#[derive(Debug)]
pub(super) struct Names {
    lease: Finder<'static>,
    node: Finder<'static>,
    pub(super) best: Option<NodeName>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            lease: Finder::new("/kube-node-lease/leases/"),
            node: Finder::new("/api/v1/nodes/"),
            best: None,
        }
    }
}

impl Names {
    /// Whether nothing better can be found.
    pub(super) fn settled(&self) -> bool {
        self.rank() == Some(NodeNameFrom::LeaseUrl)
    }

    /// A line of the kubelet.
    pub(super) fn kubelet(&mut self, text: &str) {
        if self.rank() < Some(NodeNameFrom::LeaseUrl) {
            self.url(text, true);
        }
        if self.rank() < Some(NodeNameFrom::NodeUrl) {
            self.url(text, false);
        }
    }

    /// The host's name.
    pub(super) fn host(&mut self, name: &str) {
        if self.best.is_none() {
            self.set(name, NodeNameFrom::Hostname);
        }
    }

    fn rank(&self) -> Option<NodeNameFrom> {
        self.best.as_ref().map(|b| b.from)
    }

    fn url(&mut self, text: &str, lease: bool) {
        let (finder, from) = if lease {
            (&self.lease, NodeNameFrom::LeaseUrl)
        } else {
            (&self.node, NodeNameFrom::NodeUrl)
        };
        if let Some(at) = finder.find(text.as_bytes()) {
            let rest = &text[at + finder.needle().len()..];
            let end = rest
                .find(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '-'))
                .unwrap_or(rest.len());
            self.set(&rest[..end], from);
        }
    }

    fn set(&mut self, name: &str, from: NodeNameFrom) {
        if !name.is_empty() && name.len() <= 253 {
            self.best = Some(NodeName {
                name: name.to_owned(),
                from,
            });
        }
    }
}
