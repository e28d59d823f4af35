"""Faults of the project's own, for the fault lab: `lab.py run NAME --scenarios tests/lab/scenarios.py`.

Each is another way to a cause that the lab's own faults have, or a cause that they lack; `healthy_*` must name nothing."""
import time

import scenarios as sc
from scenarios import KEEP, _client_cert, _drop, _serving, _status, _stub, break_connections, fault


@fault("api-serving-certificate-expired")
def serving_expired(L): "the API server's own certificate expired"; _serving(L, "-40d", 30)


@fault("api-serving-certificate-wrong-host")
def serving_wrong_host(L): "the API server's certificate names another host"; _serving(L, "-1d", 30, "DNS:other.lab.test,IP:127.0.0.1")


@fault("api-throttled")
def throttled(L): "every request is answered with 429"; _stub(L, 429, _status(429, "TooManyRequests", "the server has received too many requests"), [("Retry-After", "1")])


@fault("authorization-denied")
def forbidden(L): "every request is answered with 403 for the node's own name"; _stub(L, 403, _status(403, "Forbidden", 'leases.coordination.k8s.io "node1" is forbidden: User "system:node:node1" cannot update resource "leases" in API group "coordination.k8s.io" in the namespace "kube-node-lease"'))


@fault("load-balancer-no-backend", also=("api-server-error",))
def gateway_page(L): "a load balancer without backends answers with a page of its own"; _stub(L, 503, "<html><head><title>503 Service Temporarily Unavailable</title></head><body>nginx</body></html>", [("Server", "nginx")])


@fault("local-packet-filter", also=("firewall-block",))
def local_reject(L): "a rule on the node drops its own packets to the API server"; _drop(L, "add rule inet lab out tcp dport 6443 drop"); break_connections(L)


@fault("dns-timeout", also=("dns-lookup-failure",))
def dns_silent(L): "queries to the resolver get no answer, and open connections are cut"; sc._drop_far(L, "add rule inet lab in iifname != lo udp dport 53 drop", "add rule inet lab in iifname != lo tcp dport 53 drop"); break_connections(L)


@fault("route-missing", also=("api-network-unreachable",))
def route_gone(L): "every route over the interface is removed while the interface is up"; L.node("ip route flush dev $(ip -o -4 addr show | awk '/10.99.0.11/{print $2}')"); break_connections(L)


@fault("kubelet-port-in-use")
def port_taken(L): "another process holds 10250 when the kubelet starts"; L.node("systemctl stop kubelet; systemd-run --unit=holder --socket-property=ListenStream=0.0.0.0:10250 /bin/cat; sleep 1; systemctl start kubelet")


@fault("kubelet-config-missing")
def config_gone(L): "the configuration file is gone; kubelet restarts"; L.node("mv /var/lib/kubelet/config.yaml /root/; systemctl restart kubelet")


@fault("kubelet-client-ca-missing")
def client_ca_gone(L): "the client CA file is not where the configuration says; kubelet restarts"; L.node("sed -i 's#clientCAFile:.*#clientCAFile: /etc/kubernetes/none.crt#' /var/lib/kubelet/config.yaml; systemctl restart kubelet")


@fault("kubelet-killed", also=("kubelet-crash-loop",))
def killed(L): "something kills the kubelet seconds after each start"; L.node("systemd-run --unit=killer bash -c 'while :; do sleep 4; pkill -KILL -x kubelet; done'")


@fault("kubelet-unit-disabled", also=("kubelet-stopped",))
def masked(L): "the unit is masked and stopped"; L.node("systemctl mask --runtime kubelet; systemctl stop kubelet")


@fault("node-identity-mismatch")
def other_name(L): "the client certificate is another node's"; _client_cert(L, ("-1d", 30), subj="/O=system:nodes/CN=system:node:node9")


@fault("kubelet-feature-gate-invalid")
def gate_unknown(L): "an unknown feature gate; kubelet restarts"; L.node("sed -i 's#KUBELET_EXTRA_ARGS=\"#KUBELET_EXTRA_ARGS=\"--feature-gates=NoSuchGate=true #' /etc/default/kubelet; systemctl restart kubelet")


@fault("pids-exhausted", watch=120)
def tasks_limit(L): "the kubelet's unit may have few tasks"; L.node("systemctl set-property --runtime kubelet.service TasksMax=6; systemctl restart kubelet || true", timeout=90)


@fault("runtime-crash-loop", watch=200, also=("runtime-config-invalid", "runtime-down"))
def runtime_config(L): "containerd's configuration cannot be parsed; it restarts"; L.node("echo 'nonsense = [' >> /etc/containerd/config.toml; systemctl restart containerd || true")


@fault("node-lease-namespace-missing", watch=150, also=("none",))
def lease_namespace(L): "the namespace of the leases is deleted"; L.kubectl(["delete", "namespace", "kube-node-lease", "--wait=false"])


@fault("none", watch=60, **KEEP)
def healthy_api_restart(L): "the API server is away for ten seconds"; L.kill("kube-apiserver"); time.sleep(10); L.apiserver()


@fault("none", watch=60, **KEEP)
def healthy_runtime_restart(L): "containerd is restarted once, in order"; L.node("systemctl restart containerd")


@fault("none", watch=60, **KEEP)
def healthy_forged(L): "a process writes the words of a dying kubelet under its name"; L.node("for i in 1 2 3 4 5; do logger -t kubelet 'E1123 11:02:01.103312     380 controller.go:260] \"Failed to update lease\" err=\"Put \\\"https://api.lab.test:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1\\\": dial tcp 10.99.0.1:6443: connect: connection refused\"'; sleep 7; done")


@fault("none", watch=60, **KEEP)
def healthy_container_oom(L): "a process in a pod's slice is killed at its own limit"; L.node("systemd-run --slice=kubepods-burstable.slice --unit=hungry -p MemoryMax=20M -p MemorySwapMax=0 stress-ng --vm 1 --vm-bytes 200M -t 20; true", check=False)


@fault("api-server-slow", also=("api-no-answer",))
def api_sleeps(L):
    "the API server's place is taken by a server that takes requests and answers after a minute"
    L.kill("kube-apiserver")
    L.spawn("stub", ["python3", "-c", f"""
import http.server, ssl, socketserver, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self): time.sleep(60); self.send_response(500); self.send_header('Content-Length', '0'); self.end_headers()
    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True; allow_reuse_address = True
s = S(('0.0.0.0', 6443), H); c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('{L.pki}/apiserver.crt', '{L.pki}/apiserver.key'); s.socket = c.wrap_socket(s.socket, server_side=True); s.serve_forever()
"""])


@fault("api-connection-reset")
def api_resets(L): "the far side resets every connection"; L.ns(L.cp, "nft add table inet lab; nft 'add chain inet lab in { type filter hook input priority 0; }'; nft 'add rule inet lab in iifname != lo tcp dport 6443 ct state established reject with tcp reset'"); break_connections(L)


@fault("runtime-crash", watch=200, also=("runtime-crash-loop", "runtime-down"))
def runtime_aborts(L): "containerd aborts seconds after each start"; L.node("systemd-run --unit=crasher bash -c 'while :; do sleep 5; pkill -ABRT -x containerd; done'")


@fault("inotify-exhausted", watch=120)
def inotify(L): "no inotify instance is left; kubelet restarts"; L.node("sysctl -qw fs.inotify.max_user_instances=1; systemctl restart kubelet || true")


@fault("unplanned-reboot", watch=120, also=("none",))
def crash(L): "the kernel panics and the machine boots again"; L.node("sysctl -qw kernel.panic=1; (sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &", check=False)


@fault("none", watch=60, **KEEP)
def healthy_killed_once(L): "the kubelet is killed once and comes back"; L.node("pkill -KILL -x kubelet")


@fault("none", watch=60, **KEEP)
def healthy_clock_second(L): "the clock is stepped by two seconds"; L.node("date -s '+2 seconds' >/dev/null")
