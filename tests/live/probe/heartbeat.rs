//! The Lease and the Node through the API, as a pod and as the kubelet.

use data_encoding::BASE64;
use whynotready::clock::{Clock, Now};
use whynotready::grammar::fact::Kind;
use whynotready::host::Host;
use whynotready::model::time::Timestamp;
use whynotready::source::lease::sampler::Heartbeat;
use whynotready::source::probe::target::Service;
use whynotready::source::scene::Scene;
use whynotready::world::Credentials;

use crate::scenes::{Files, blind, endpoint, fact, facts, look, says, scene, text};
use crate::servers::{Authority, FORBIDDEN, Reply, Seen, Server, VALID};

const LEASE: &str = r#"{"kind":"Lease","metadata":{"name":"node1"},"spec":{"holderIdentity":"node1","leaseDurationSeconds":40,"renewTime":"2026-11-23T11:06:44.481563Z"}}"#;
const NODE: &str = r#"{"kind":"Node","metadata":{"name":"node1"},"spec":{"unschedulable":true},"status":{
    "conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown","message":"Kubelet stopped posting node status.","lastTransitionTime":"2026-11-23T11:07:30Z"}],
    "nodeInfo":{"machineID":"0123abc","bootID":"f00d"}}}"#;
const GONE: &str =
    r#"{"kind":"Status","message":"leases.coordination.k8s.io \"node1\" not found","reason":"NotFound","code":404}"#;
const LEASE_PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1";

fn objects(seen: &Seen) -> Reply {
    let date = "Mon, 23 Nov 2026 11:06:50 GMT";
    if seen.path.starts_with(LEASE_PATH) {
        Reply::Dated(200, LEASE, date)
    } else {
        Reply::Dated(200, NODE, date)
    }
}

/// Five seconds after the renewal, or later.
fn at(scene: &mut Scene, seconds: i64) {
    let wall = Timestamp(1_795_432_004_481_563 + seconds * 1_000_000);
    scene.clock = Clock::fixed(Now { wall, ..Now::default() });
}

struct Stand {
    ca: Authority,
    server: Server,
    files: Files,
    own: Files,
}

impl Stand {
    async fn new(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let ca = Authority::new(VALID);
        let server = Server::https("127.0.0.1:0", &ca.issue(&["127.0.0.1"], VALID), 9, handler).await;
        let client = ca.issue(&["system:node:node1"], VALID);
        let both = format!("{}{}", client.certificate_pem, client.key_pem);
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- {{name: c, context: {{cluster: k, user: u}}}}\nusers:\n- name: u\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
            BASE64.encode(client.certificate_pem.as_bytes()),
            BASE64.encode(client.key_pem.as_bytes())
        );
        let files = Files::new(&[
            ("var/lib/kubelet/pki/kubelet-client-current.pem", &both),
            ("etc/kubernetes/kubelet.conf", &config),
            ("etc/machine-id", "0123abc\n"),
            ("proc/sys/kernel/random/boot_id", "beef\n"),
        ]);
        let own = Files::new(&[("sa/token", "secret-token\n"), ("sa/ca.crt", &ca.pem)]);
        Self { ca, server, files, own }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the samplers take it")]
    fn service(&self) -> Option<Service> {
        Some(Service {
            token: "/sa/token".into(),
            ca: "/sa/ca.crt".into(),
            own: Host::at(self.own.path()),
            ..Service::new("127.0.0.1", self.server.port)
        })
    }

    fn scene(&self, as_kubelet: bool) -> Scene {
        let mut scene = scene(&self.files, Some(endpoint("127.0.0.1", self.server.port)), &self.ca.pem);
        scene.allowed.as_kubelet = as_kubelet;
        let pem = "/var/lib/kubelet/pki/kubelet-client-current.pem";
        scene.world.kubeconfig.credentials = Credentials::Files {
            certificate: pem.into(),
            key: pem.into(),
        };
        at(&mut scene, 5);
        scene
    }
}

#[tokio::test]
async fn a_pod_reads_both() {
    let stand = Stand::new(objects).await;
    let mut scene = stand.scene(false);
    let fresh = look(&mut Heartbeat::new(stand.service()), &scene).await;
    assert_eq!(
        says(fact(&fresh, Kind::Lease), &["state", "age_s", "duration_s", "node"]),
        "fresh 5 40 node1"
    );
    let node = says(
        fact(&fresh, Kind::NodeObject),
        &["state", "ready", "reason", "machine_id", "boot_id", "unschedulable"],
    );
    assert_eq!(node, "present unknown NodeStatusUnknown own foreign yes");
    assert_eq!(
        blind(&fresh, Kind::Identity),
        "the kubelet's own credentials may not be used"
    );
    assert!(!format!("{fresh:?}").contains("secret-token"));
    assert!(
        stand
            .server
            .seen()
            .iter()
            .all(|s| !s.certified && s.authorization.as_deref() == Some("Bearer secret-token"))
    );
    // With a clock that is ten minutes further the server's says that it is fresh; without its word it is stale.
    at(&mut scene, 600);
    let later = look(&mut Heartbeat::new(stand.service()), &scene).await;
    assert_eq!(fact(&later, Kind::Lease).text("state"), Some("fresh"));
}

#[tokio::test]
async fn a_lease_that_is_not_renewed() {
    let stand = Stand::new(|_| Reply::Dated(200, LEASE, "Mon, 23 Nov 2026 11:16:50 GMT")).await;
    let mut scene = stand.scene(true);
    at(&mut scene, 600);
    let look = look(&mut Heartbeat::light(None), &scene).await;
    assert_eq!(says(fact(&look, Kind::Lease), &["state", "age_s"]), "stale 600");
    assert_eq!(
        text(&look, Kind::Lease),
        "lease node1 was renewed 600 s ago, lasts 40 s"
    );
    // What a light look leaves out is no gap: the whole look before it has said what there is to say.
    assert!(
        look.blind.iter().all(|b| b.kind != Kind::NodeObject),
        "{:?}",
        look.blind
    );
    let seen = stand.server.seen();
    assert_eq!((stand.server.connections(), seen.len()), (1, 1));
    assert_eq!(seen[0].path, format!("{LEASE_PATH}?resourceVersion=0"));
}

#[tokio::test]
async fn the_kubelets_own_certificate() {
    let stand = Stand::new(objects).await;
    let mut scene = stand.scene(true);
    for credentials in [
        scene.world.kubeconfig.credentials.clone(),
        Credentials::Embedded {
            certificate_pem: Vec::new(),
        },
    ] {
        scene.world.kubeconfig.credentials = credentials;
        let look = look(&mut Heartbeat::new(None), &scene).await;
        assert_eq!(says(fact(&look, Kind::Identity), &["ok", "status"]), "yes 200");
        assert_eq!(fact(&look, Kind::Lease).text("state"), Some("fresh"));
    }
    assert!(
        stand
            .server
            .seen()
            .iter()
            .all(|s| s.certified && s.authorization.is_none())
    );
    assert_eq!(stand.server.seen().len(), 4);
}

#[tokio::test]
async fn credentials_that_are_not_accepted() {
    let unauthorized = Stand::new(|_| Reply::Answer(401, r#"{"kind":"Status","message":"Unauthorized"}"#)).await;
    let refused = look(&mut Heartbeat::new(None), &unauthorized.scene(true)).await;
    assert_eq!(
        says(fact(&refused, Kind::Identity), &["ok", "error", "status"]),
        "no unauthorized 401"
    );
    assert_eq!(blind(&refused, Kind::Lease), "the API server did not say");
    let pod = look(&mut Heartbeat::new(unauthorized.service()), &unauthorized.scene(false)).await;
    assert_eq!(
        blind(&pod, Kind::Lease),
        "the service account's token is not accepted (401, get leases)"
    );
    assert_eq!(facts(&pod, Kind::Identity).len(), 0, "that is not the kubelet");
    let forbidden = Stand::new(|_| Reply::Answer(403, FORBIDDEN)).await;
    let refused = look(&mut Heartbeat::new(None), &forbidden.scene(true)).await;
    assert_eq!(
        says(fact(&refused, Kind::Identity), &["ok", "error", "status"]),
        "no forbidden 403"
    );
    assert!(text(&refused, Kind::Identity).contains("cannot get resource"));
}

#[tokio::test]
async fn objects_that_are_gone() {
    let stand = Stand::new(|_| Reply::Answer(404, GONE)).await;
    let look = look(&mut Heartbeat::new(None), &stand.scene(true)).await;
    assert_eq!(fact(&look, Kind::Lease).text("state"), Some("missing"));
    assert_eq!(fact(&look, Kind::NodeObject).text("state"), Some("missing"));
    assert_eq!(fact(&look, Kind::Identity).text("ok"), Some("yes"));
    let other = Stand::new(|_| Reply::Answer(404, "<html>nothing here</html>")).await;
    let look = crate::scenes::look(&mut Heartbeat::new(None), &other.scene(true)).await;
    assert_eq!(
        facts(&look, Kind::Lease).len(),
        0,
        "a web server knows nothing of leases"
    );
}

#[tokio::test]
async fn what_the_kubelet_gets_instead_of_an_answer() {
    let etcd = r#"{"kind":"Status","message":"etcdserver: request timed out","code":500}"#;
    for (status, body, error) in [
        (500, etcd, "etcd"),
        (429, "too many", "too-many-requests"),
        (503, "", "unavailable"),
    ] {
        let stand = Stand::new(move |_| Reply::Answer(status, body)).await;
        let look = look(&mut Heartbeat::new(None), &stand.scene(true)).await;
        let probe = facts(&look, Kind::Probe)[0];
        assert_eq!(
            says(probe, &["target", "ok", "stage", "error"]),
            format!("kubelet no done {error}")
        );
        assert!(blind(&look, Kind::Lease).starts_with("reading lease node1 as the kubelet"));
    }
    let throttled = Stand::new(|_| Reply::Answer(429, "too many")).await;
    let look = look(&mut Heartbeat::new(throttled.service()), &throttled.scene(false)).await;
    assert_eq!(look.readings, [], "the service account has a share of its own");
}

#[tokio::test]
async fn nothing_is_shown_to_a_server_that_is_not_trusted() {
    let stand = Stand::new(objects).await;
    let mut scene = stand.scene(true);
    scene.world.kubeconfig.ca_pem = Some(Authority::new(VALID).pem.into_bytes());
    let refused = look(&mut Heartbeat::new(None), &scene).await;
    assert!(
        blind(&refused, Kind::Lease).contains("x509 unknown authority"),
        "{refused:#?}"
    );
    stand.own.put("sa/ca.crt", &Authority::new(VALID).pem);
    let pod = look(&mut Heartbeat::new(stand.service()), &stand.scene(false)).await;
    assert!(blind(&pod, Kind::Lease).contains("no credential is shown"), "{pod:#?}");
    assert_eq!(stand.server.seen().len(), 0);
}

#[tokio::test]
async fn where_there_is_nothing_to_show() {
    let stand = Stand::new(objects).await;
    let without = look(&mut Heartbeat::new(None), &stand.scene(false)).await;
    let lease = without.blind.iter().find(|b| b.kind == Kind::Lease).expect("blind");
    assert_eq!(
        lease.grant.as_deref(),
        Some("probe.as_kubelet, or a service account that may get leases and nodes")
    );
    let mut scene = stand.scene(true);
    scene.world.kubeconfig.credentials = Credentials::Exec {
        command: "aws-iam-authenticator".into(),
    };
    let exec = look(&mut Heartbeat::new(None), &scene).await;
    assert!(blind(&exec, Kind::Identity).contains("aws-iam-authenticator, which is not run"));
    scene.allowed.api = false;
    let off = look(&mut Heartbeat::new(stand.service()), &scene).await;
    assert_eq!((off.readings.len(), off.blind.len()), (0, 3));
    assert_eq!(stand.server.connections(), 0, "no key, no connection");
}
