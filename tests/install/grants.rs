//! What the pod's service account may do: what is switched on, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::tools::{Rendered, chart, entries, list, rendered, with};

/// Every rule as `kind namespace group/resource verb`.
fn grants(all: &Rendered) -> BTreeSet<String> {
    let mut grants = BTreeSet::new();
    for role in all.all("Role").chain(all.all("ClusterRole")) {
        let place = role["metadata"]["namespace"].as_str().unwrap_or("*");
        for rule in list(&role["rules"]) {
            for (group, resource) in list(&rule["apiGroups"])
                .iter()
                .flat_map(|g| list(&rule["resources"]).iter().map(move |r| (g, r)))
            {
                for verb in list(&rule["verbs"]) {
                    let word = |v: &Value| v.as_str().unwrap().to_owned();
                    grants.insert(format!("{place} {}/{} {}", word(group), word(resource), word(verb)));
                }
            }
        }
    }
    grants
}

fn of(sets: &[&str]) -> Vec<String> {
    grants(&with(sets)).into_iter().collect()
}

#[test]
fn by_default_it_reads_node_and_lease_and_writes_events() {
    let wanted = [
        "* /nodes get",
        "default events.k8s.io/events create",
        "default events.k8s.io/events patch",
        "kube-node-lease coordination.k8s.io/leases get",
    ];
    assert_eq!(of(&[]), wanted);
}

#[test]
fn what_is_off_grants_nothing() {
    assert_eq!(
        of(&["config.kubernetes.events=false"]),
        ["* /nodes get", "kube-node-lease coordination.k8s.io/leases get"]
    );
    let cut = with(&["config.api.enabled=false"]);
    assert!(grants(&cut).is_empty());
    assert!(
        cut.all("RoleBinding")
            .chain(cut.all("ClusterRoleBinding"))
            .next()
            .is_none()
    );
    assert_eq!(cut.pod()["automountServiceAccountToken"], false);
    assert!(of(&["rbac.create=false"]).is_empty());
}

#[test]
fn the_condition_grants_the_status_and_nothing_more() {
    let more: BTreeSet<String> = of(&["config.kubernetes.condition=true"]).into_iter().collect();
    let less: BTreeSet<String> = of(&[]).into_iter().collect();
    assert_eq!(more.difference(&less).collect::<Vec<_>>(), ["* /nodes/status patch"]);
    assert!(less.is_subset(&more));
}

#[test]
fn no_values_file_grants_more_than_that() {
    let most: BTreeSet<String> = of(&["config.kubernetes.condition=true", "openshift.enabled=true"])
        .into_iter()
        .collect();
    for file in entries(chart().join("ci"), "-values.yaml") {
        let found = grants(&rendered("1.37.2", &["--values", file.to_str().unwrap()]));
        assert!(found.is_subset(&most), "{}: {found:?}", file.display());
    }
}

#[test]
fn every_binding_is_of_its_own_account() {
    let all = with(&["openshift.enabled=true"]);
    let account = &all.one("ServiceAccount")["metadata"]["name"];
    assert_eq!(all.pod()["serviceAccountName"], *account);
    let bindings: Vec<&Value> = all.all("RoleBinding").chain(all.all("ClusterRoleBinding")).collect();
    assert_eq!(bindings.len(), 4);
    for binding in bindings {
        let subjects = list(&binding["subjects"]);
        assert_eq!(subjects.len(), 1);
        assert_eq!(
            (&subjects[0]["name"], subjects[0]["namespace"].as_str()),
            (account, Some("watch"))
        );
        let role = all
            .0
            .iter()
            .find(|o| o["kind"] == binding["roleRef"]["kind"] && o["metadata"]["name"] == binding["roleRef"]["name"]);
        assert!(role.is_some(), "{binding}");
    }
}

#[test]
fn openshift_admits_what_the_pod_is() {
    let all = with(&["openshift.enabled=true"]);
    let scc = all.one("SecurityContextConstraints");
    assert_eq!(scc["allowPrivilegedContainer"], false);
    assert_eq!(
        (&scc["allowHostNetwork"], &scc["allowHostPID"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(scc["requiredDropCapabilities"], json!(["ALL"]));
    let volumes: BTreeSet<&str> = list(&all.pod()["volumes"])
        .iter()
        .flat_map(|v| v.as_object().unwrap().keys())
        .map(String::as_str)
        .collect();
    for kind in volumes.into_iter().filter(|k| *k != "name") {
        assert!(list(&scc["volumes"]).iter().any(|v| v == kind), "{kind}");
    }
    assert_eq!(all.pod()["securityContext"]["seLinuxOptions"]["type"], "spc_t");
    assert!(with(&[]).pod()["securityContext"]["seLinuxOptions"].is_null());
}

#[test]
fn writes_to_other_nodes_can_be_refused_by_the_api_server() {
    let all = with(&["config.kubernetes.condition=true", "nodeScopedWrites.enabled=true"]);
    let policy = all.one("ValidatingAdmissionPolicy");
    assert_eq!(policy["spec"]["failurePolicy"], "Fail");
    let condition = policy["spec"]["matchConditions"][0]["expression"].as_str().unwrap();
    assert!(
        condition.contains("system:serviceaccount:watch:why-whynotready"),
        "{condition}"
    );
    let binding = all.one("ValidatingAdmissionPolicyBinding");
    assert_eq!(binding["spec"]["policyName"], policy["metadata"]["name"]);
}
