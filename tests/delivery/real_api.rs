//! Events and the condition against a real kube-apiserver and etcd. The API server is built from its Go module by
//! `apiserver.sh` where it is not there yet; `.ci/tools` has Debian's etcd.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use whynotready::clock::Clock;
use whynotready::export::client::resolve::Resolver;
use whynotready::export::client::target::Target;
use whynotready::export::client::trust::TlsFiles;
use whynotready::export::kubernetes::access::Access;
use whynotready::export::kubernetes::condition::{Standing, TYPE};
use whynotready::export::kubernetes::event::Node;
use whynotready::export::kubernetes::{condition_worker, events_worker};
use whynotready::model::change::ChangeKind;
use whynotready::model::diagnosis::HeartbeatState;
use whynotready::outbox::sink::Sink;

use crate::collector::{built, free_port};
use crate::events::gate;
use crate::sample::{change, diagnosis, on_one_thread, outbox, until};
use crate::tls::{Authority, file};

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the control plane's own programs")]
fn start(program: &Path, arguments: &[String], log: &Path) -> Process {
    let log = std::fs::File::create(log).expect("made");
    let child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Process(child.expect("started"))
}

/// As the administrator, over the same TLS.
async fn ask(access: &Access, method: &str, path: &str, kind: &str, body: Json) -> Option<Json> {
    let pem = whynotready::host::Host::at("/").text(access.tls.ca.clone()?).ok()?;
    let mut roots = rustls::RootCertStore::empty();
    let ca = rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes());
    roots.add(ca.ok()?).ok()?;
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", access.target.port))
        .await
        .ok()?;
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").ok()?;
    let stream = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
        .connect(name, stream)
        .await
        .ok()?;
    let (mut session, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, access.target.authority())
        .header(AUTHORIZATION, "Bearer admin")
        .header(CONTENT_TYPE, kind)
        .body(Full::new(Bytes::from(body.to_string())))
        .ok()?;
    let response = session.send_request(request).await.ok()?;
    let good = response.status().is_success();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    good.then(|| serde_json::from_slice(&body).unwrap_or_default())
}

/// The least that the agent's role has.
fn role() -> Json {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "agent"}, "rules": [
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ]})
}

#[test]
fn a_real_api_server_takes_events_series_and_the_condition() {
    let api_server = built("apiserver.sh");
    let etcd = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/etcd");
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (store, peers, secure) = (free_port(), free_port(), free_port());
    let _etcd = start(
        &etcd,
        &[
            format!("--data-dir={}", at("etcd")),
            format!("--listen-client-urls=http://127.0.0.1:{store}"),
            format!("--advertise-client-urls=http://127.0.0.1:{store}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
        ],
        &dir.path().join("etcd.log"),
    );
    let authority = Authority::new();
    let pair = authority.issue();
    file(
        dir.path(),
        "tokens.csv",
        "admin,admin,1,system:masters\nagent-token,agent,2\n",
    );
    let access = Access {
        target: Target::parse(&format!("https://127.0.0.1:{secure}")).expect("a URL"),
        tls: TlsFiles {
            ca: Some(file(dir.path(), "ca.crt", authority.pem())),
            ..TlsFiles::default()
        },
        token: Some(file(dir.path(), "token", "agent-token\n")),
        resolver: Resolver::system(),
        timeout: Duration::from_secs(10),
    };
    let certificate = file(dir.path(), "server.crt", &pair.certificate);
    let key = file(dir.path(), "server.key", &pair.key);
    let public = file(dir.path(), "server.pub", &pair.public);
    let _api = start(
        &api_server,
        &[
            format!("--etcd-servers=http://127.0.0.1:{store}"),
            format!("--secure-port={secure}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--tls-cert-file={}", certificate.display()),
            format!("--tls-private-key-file={}", key.display()),
            format!("--service-account-key-file={}", public.display()),
            format!("--service-account-signing-key-file={}", key.display()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            format!("--token-auth-file={}", at("tokens.csv")),
            format!("--cert-dir={}", at("certs")),
        ],
        &dir.path().join("api.log"),
    );
    on_one_thread(run(dir.path(), access));
}

/// Waits for the server; a role for the agent, and a node that is ready.
async fn prepare(dir: &Path, access: &Access) {
    let json_kind = "application/json";
    let is_up = async {
        while ask(access, "GET", "/readyz?verbose", json_kind, Json::Null)
            .await
            .is_none()
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let up = tokio::time::timeout(Duration::from_mins(1), is_up).await;
    let log = whynotready::host::Host::at(dir).text("/api.log").unwrap_or_default();
    let last: Vec<&str> = log.lines().rev().take(10).collect();
    assert!(up.is_ok(), "the API server does not come up: {last:#?}");
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "agent"}, "subjects": [{"kind": "User", "name": "agent"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "agent"}});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}});
    ask(access, "POST", &format!("{rbac}/clusterroles"), json_kind, role())
        .await
        .expect("a role");
    ask(
        access,
        "POST",
        &format!("{rbac}/clusterrolebindings"),
        json_kind,
        binding,
    )
    .await
    .expect("bound");
    ask(access, "POST", "/api/v1/nodes", json_kind, node)
        .await
        .expect("a node");
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}});
    let strategic = "application/strategic-merge-patch+json";
    ask(access, "PATCH", "/api/v1/nodes/node1/status", strategic, ready)
        .await
        .expect("ready");
}

async fn run(dir: &Path, access: Access) {
    prepare(dir, &access).await;
    let outbox = outbox(dir, &[Sink::Events, Sink::Condition]);
    let now = Clock::system().now().wall.0;
    for (uid, kind) in [
        ("uid-1", ChangeKind::RootCauseFound),
        ("uid-2", ChangeKind::RootCauseCleared),
        ("uid-3", ChangeKind::RootCauseFound),
    ] {
        outbox.store(&change(uid, kind));
    }
    let mut long = change("uid-4", ChangeKind::RiskFound);
    long.text = "ü".repeat(3000);
    outbox.store(&long);
    let named = Node {
        name: "node1".to_owned(),
        uid: None,
    };
    let (tell, told) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let gate = gate();
    let events = events_worker::Worker::new(access.clone(), gate.clone(), named, Clock::system());
    let condition = condition_worker::Worker::new(access.clone(), gate, "node1".to_owned(), Clock::system(), told);
    let tallies = [events.tally(), condition.tally()];
    tokio::task::spawn_local(events.run(outbox.clone(), stopped.clone()));
    tokio::task::spawn_local(condition.run(outbox.clone(), stopped));
    until("delivered", || outbox.with(|o| o.depth()) == 0).await;
    for tally in &tallies {
        assert_eq!(
            (tally.rejected.get(), tally.retried.get()),
            (0, 0),
            "{}",
            tally.trouble.borrow()
        );
    }
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let list = ask(&access, "GET", path, "application/json", Json::Null)
        .await
        .expect("a list");
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let ours: Vec<&Json> = items
        .iter()
        .filter(|e| e["reportingController"] == "whynotready")
        .collect();
    assert_eq!(ours.len(), 3, "{ours:#?}");
    assert_eq!(ours.iter().filter(|e| e["series"]["count"] == 2).count(), 1);
    let first = condition_of(&access).await;
    assert_eq!(
        (&first["status"], &first["reason"]),
        (&json!("True"), &json!("CauseUnknown"))
    );
    let mut recovered = diagnosis(whynotready::model::time::Timestamp(now + 60_000_000));
    recovered.verdict = whynotready::model::diagnosis::NodeVerdict::Healthy;
    recovered.heartbeat.state = HeartbeatState::Ok;
    let before = tallies[1].retried.get();
    tell.send(Some(Standing::of(&recovered))).expect("heard");
    let moved = async {
        while condition_of(&access).await["status"] != "False" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), moved).await.is_ok());
    assert_eq!(tallies[1].retried.get(), before);
    assert_ne!(
        condition_of(&access).await["lastTransitionTime"],
        first["lastTransitionTime"]
    );
    stop.send(true).expect("runs");
}

/// Ours; `Ready` must be as it was.
async fn condition_of(access: &Access) -> Json {
    let node = ask(access, "GET", "/api/v1/nodes/node1", "application/json", Json::Null)
        .await
        .expect("a node");
    let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|c| c["type"] == "Ready").expect("still there");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("True"), &json!("KubeletReady"))
    );
    conditions.into_iter().find(|c| c["type"] == TYPE).unwrap_or_default()
}
