//! Who sends: resource attributes by the semantic conventions 1.44 (`service`, `host`, `k8s`).

use uuid::Uuid;

use super::message::{AnyValue, InstrumentationScope, KeyValue, Resource};
use crate::export::client::proxy::percent_decoded;

/// Which conventions the names follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";
/// The namespace that the conventions give for `service.instance.id`.
const INSTANCES: Uuid = Uuid::from_u128(0x4d63_009a_8d0f_11ee_aad7_4c79_6ed8_e320);

/// What is known of the sender.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// This program's version.
    pub version: String,
    /// The node's name.
    pub node: String,
    /// `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// The node's host name.
    pub host_name: Option<String>,
    /// Namespace and name of the agent's own pod.
    pub pod: Option<(String, String)>,
}

/// The resource. `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` win over what is known here, because whoever sets
/// them means it.
pub fn resource(sender: &Sender, env: &dyn Fn(&str) -> Option<String>) -> Resource {
    let mut attributes = vec![
        ("service.name".to_owned(), "whynotready".to_owned()),
        ("service.version".to_owned(), sender.version.clone()),
        ("service.instance.id".to_owned(), instance(sender)),
        ("k8s.node.name".to_owned(), sender.node.clone()),
        ("telemetry.sdk.language".to_owned(), "rust".to_owned()),
    ];
    let optional = [("host.id", &sender.machine_id), ("host.name", &sender.host_name)];
    attributes.extend(
        optional
            .into_iter()
            .filter_map(|(k, v)| Some((k.to_owned(), v.clone()?))),
    );
    if let Some((namespace, pod)) = &sender.pod {
        attributes.push(("k8s.namespace.name".to_owned(), namespace.clone()));
        attributes.push(("k8s.pod.name".to_owned(), pod.clone()));
    }
    for (key, value) in env("OTEL_RESOURCE_ATTRIBUTES").iter().flat_map(|list| pairs(list)) {
        set(&mut attributes, key, value);
    }
    if let Some(name) = env("OTEL_SERVICE_NAME").filter(|n| !n.is_empty()) {
        set(&mut attributes, "service.name".to_owned(), name);
    }
    Resource {
        attributes: attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| KeyValue {
                key,
                value: Some(AnyValue::text(value)),
            })
            .collect(),
    }
}

/// The scope of all that is sent.
pub(super) fn scope(version: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: "whynotready".to_owned(),
        version: version.to_owned(),
    }
}

/// `k=v,k2=v2`, percent-encoded, as in the `OTEL_…` variables; what has no `=` is left out.
pub(super) fn pairs(list: &str) -> Vec<(String, String)> {
    list.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .filter(|(key, _)| !key.is_empty())
        .collect()
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_decoded(text.trim())).into_owned()
}

fn set(attributes: &mut Vec<(String, String)>, key: String, value: String) {
    match attributes.iter_mut().find(|(k, _)| *k == key) {
        Some(there) => there.1 = value,
        None => attributes.push((key, value)),
    }
}

/// The same machine is the same instance after a restart: in Loki the id is a stream's label.
fn instance(sender: &Sender) -> String {
    let stable = sender.machine_id.as_deref().filter(|id| !id.is_empty());
    Uuid::new_v5(&INSTANCES, stable.unwrap_or(&sender.node).as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::message::Value;
    use super::*;

    fn named(resource: &Resource, key: &str) -> Option<String> {
        let found = resource.attributes.iter().find(|a| a.key == key)?;
        match found.value.as_ref()?.value.as_ref()? {
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    #[test]
    fn a_machine_keeps_its_instance_and_the_environment_wins() {
        let sender = Sender {
            version: "0.1.0".into(),
            node: "node1".into(),
            machine_id: Some("a2f0a7c1b1c94d1c9b1b4f0f0d1e2c3b".into()),
            ..Sender::default()
        };
        let plain = resource(&sender, &|_| None);
        assert_eq!(named(&plain, "service.name").as_deref(), Some("whynotready"));
        assert_eq!(named(&plain, "k8s.node.name").as_deref(), Some("node1"));
        let id = named(&plain, "service.instance.id").unwrap();
        assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 5);
        assert_eq!(named(&resource(&sender, &|_| None), "service.instance.id"), Some(id));
        let set = resource(&sender, &|name| match name {
            "OTEL_RESOURCE_ATTRIBUTES" => Some("k8s.cluster.name=prod%2C1, service.name=a,junk".into()),
            "OTEL_SERVICE_NAME" => Some("b".into()),
            _ => None,
        });
        assert_eq!(named(&set, "k8s.cluster.name").as_deref(), Some("prod,1"));
        assert_eq!(named(&set, "service.name").as_deref(), Some("b"));
        let keys: std::collections::HashSet<_> = set.attributes.iter().map(|a| &a.key).collect();
        assert_eq!(keys.len(), set.attributes.len());
    }
}
