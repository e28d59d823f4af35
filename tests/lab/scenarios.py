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
def route_gone(L):
    "every route over the interface is removed, again and again, while the interface is up: a route left over the gateway alone would do"
    L.node("i=$(ip -o -4 addr show | awk '/10.99.0.11/{print $2}'); systemd-run --unit=noroute bash -c \"while :; do ip route flush dev $i; sleep 0.5; done\""); time.sleep(2); break_connections(L)


@fault("kubelet-port-in-use")
def port_taken(L): "another process holds 10250 when the kubelet starts"; L.node("systemctl stop kubelet; systemd-run --unit=holder --socket-property=ListenStream=10250 /bin/cat; sleep 1; systemctl start kubelet")


@fault("kubelet-config-missing")
def config_gone(L): "the configuration file is gone; kubelet restarts"; L.node("mv /var/lib/kubelet/config.yaml /root/; systemctl restart kubelet")


@fault("kubelet-client-ca-missing")
def client_ca_gone(L): "the client CA file is not where the configuration says; kubelet restarts"; L.node("sed -i 's#clientCAFile: *[^,} ]*#clientCAFile: /etc/kubernetes/none.crt#' /var/lib/kubelet/config.yaml; systemctl restart kubelet")


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


# -- for the agent's own eyes: what the log alone can't tell, or tells wrongly

def _edit(L, what, then="systemctl restart kubelet || true"): L.node(f"{what}; {then}")
def _flag(L, flag): _edit(L, f"sed -i 's#KUBELET_EXTRA_ARGS=\"#KUBELET_EXTRA_ARGS=\"{flag} #' /etc/default/kubelet")
def _freeze(L, name):
    import os, signal
    os.killpg(L.procs[name].pid, signal.SIGSTOP)


@fault("packet-loss", watch=200, also=("api-connection-timeout", "api-no-answer", "tls-handshake-timeout"))
def packet_loss(L):
    "most packets to and from the API server are lost on the way"
    sc._drop_far(L, "add rule inet lab in iifname != lo tcp dport 6443 numgen random mod 100 < 60 drop", "add chain inet lab out { type filter hook output priority 0; }", "add rule inet lab out oifname != lo tcp sport 6443 numgen random mod 100 < 60 drop")


@fault("mtu-black-hole", watch=140, also=("tls-handshake-timeout",))
def mtu_hole(L): "large packets to the API server are lost, small ones pass"; sc._drop_far(L, "add rule inet lab in iifname != lo tcp dport 6443 meta length > 700 drop"); break_connections(L)


@fault("proxy-misconfigured")
def proxy_refuses(L): "the unit's HTTPS proxy refuses connections"; L.node("mkdir -p /etc/systemd/system/kubelet.service.d; printf '[Service]\\nEnvironment=HTTPS_PROXY=http://10.99.0.1:3128\\n' > /etc/systemd/system/kubelet.service.d/proxy.conf; systemctl daemon-reload; systemctl restart kubelet")


@fault("dns-lookup-failure")
def dns_refuses(L): "the resolver refuses to answer, and open connections are cut"; L.dns("address=/other.lab.test/10.99.0.9\n"); time.sleep(1); break_connections(L)


@fault("kubelet-unit-frozen", also=("kubelet-hung",))
def unit_frozen(L): "the kubelet's cgroup is frozen"; L.node("systemctl freeze kubelet")


@fault("machine-paused", watch=120, also=("none",))
def vm_paused(L): "the machine is paused for a minute"; L.monitor("stop"); time.sleep(60); L.monitor("cont")


@fault("client-certificate-expired", watch=150)
def cert_expires(L): "the client certificate expires while the kubelet runs"; _client_cert(L, ("-86350s", 1))


@fault("swap-enabled", also=("api-connection-refused",))
def swap_and_api(L): "two at once: swap is on when the kubelet restarts, and the API server is gone"; L.kill("kube-apiserver"); L.node("dd if=/dev/zero of=/swap bs=1M count=128 2>/dev/null; chmod 600 /swap; mkswap /swap >/dev/null; swapon /swap; systemctl restart kubelet")


@fault("api-endpoint-wrong", also=("api-no-route-to-host", "api-connection-timeout"))
def api_moved(L): "the kubeconfig names an address at which nobody is"; _edit(L, "sed -i 's#https://api.lab.test:6443#https://10.99.0.99:6443#' /etc/kubernetes/kubelet.conf")


@fault("api-connection-refused", also=("api-endpoint-wrong",))
def api_port(L): "the kubeconfig names a port on which nothing listens"; _edit(L, "sed -i 's#api.lab.test:6443#api.lab.test:6444#' /etc/kubernetes/kubelet.conf")


@fault("ephemeral-ports-exhausted")
def ports_used(L): "no local port is left for the API server's address"; L.node("sysctl -qw net.ipv4.ip_local_port_range='61000 61003'; systemd-run --unit=hog bash -c 'for i in 1 2 3 4 5 6; do eval \"exec $((i+3))<>/dev/tcp/10.99.0.1/6443\"; done; sleep 600'; sleep 1; ss -K dst 10.99.0.1 sport \\< 61000 >/dev/null 2>&1; true")


@fault("cpu-starvation", watch=160, also=("host-stall",))
def rt_hog(L): "real-time tasks take almost all CPU time"; L.node("sysctl -qw kernel.sched_rt_runtime_us=990000; systemd-run --unit=hog chrt -f 50 stress-ng --cpu 3 -t 300", check=False)


@fault("runtime-down", watch=160, also=("runtime-endpoint-invalid",))
def socket_gone(L): "containerd's socket is removed under it; kubelet restarts"; _edit(L, "rm -f /run/containerd/containerd.sock")


@fault("runtime-endpoint-invalid", watch=140, also=("runtime-down",))
def endpoint_wrong(L): "the kubelet is given a CRI socket that does not exist"; _flag(L, "--container-runtime-endpoint=unix:///run/none/containerd.sock")


@fault("tls-handshake-timeout", also=("api-no-answer", "api-server-slow"))
def api_frozen(L): "the API server's process is frozen; the kernel accepts connections for it"; _freeze(L, "kube-apiserver"); break_connections(L)


@fault("etcd-unavailable", also=("etcd-unhealthy", "api-server-slow", "api-no-answer"))
def etcd_frozen(L): "etcd is frozen: the API server answers late or with errors"; _freeze(L, "etcd")


@fault("systemd-dependency-stop", also=("runtime-down", "kubelet-stopped"))
def bound_to_runtime(L): "the kubelet's unit is bound to containerd's, which is stopped"; L.node("mkdir -p /etc/systemd/system/kubelet.service.d; printf '[Unit]\\nBindsTo=containerd.service\\nAfter=containerd.service\\n' > /etc/systemd/system/kubelet.service.d/bind.conf; systemctl daemon-reload; systemctl stop containerd")


@fault("kubelet-binary-missing")
def binary_mode(L): "the kubelet's binary may not be executed"; _edit(L, "chmod 000 /usr/bin/kubelet")


@fault("admission-webhook-denied", watch=120)
def webhook(L):
    "an admission webhook that nobody serves is asked about every lease and node status"
    import json, subprocess
    hook = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "lab"}, "webhooks": [{
        "name": "lab.example.test", "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        "clientConfig": {"url": "https://10.99.0.1:9999/validate"},
        "rules": [{"operations": ["*"], "apiGroups": ["coordination.k8s.io", ""], "apiVersions": ["*"], "resources": ["leases", "nodes", "nodes/status"]}]}]}
    with open(f"{L.dir}/hook.json", "w") as f: json.dump(hook, f)
    L.kubectl(["create", "-f", f"{L.dir}/hook.json"])


@fault("clock-skew")
def clock_forward(L): "the node's clock jumps a year ahead; kubelet restarts"; L.node("systemctl stop chrony systemd-timesyncd 2>/dev/null; date -s '+400 days' >/dev/null; systemctl restart kubelet")


@fault("network-interface-down", also=("nic-failure",))
def cable_pulled(L): "the interface loses its carrier: the cable, or the switch's port"; L.monitor("set_link n0 off")


@fault("disk-io-stalled", watch=200, also=("disk-io-slow", "hung-task"))
def disk_stalled(L):
    "the root disk does two operations a second, while a log is written and the kubelet starts anew"
    L.node("systemd-run --unit=writer bash -c 'while :; do head -c 65536 /dev/urandom >> /var/lib/kubelet/noise; sync /var/lib/kubelet/noise; sleep 0.2; done'; systemd-run --on-active=5 systemctl restart kubelet")
    L.monitor("block_set_io_throttle root 0 0 0 2 0 0")


@fault("none", watch=70, **KEEP)
def healthy_load(L): "every CPU is busy with ordinary work"; L.node("systemd-run --unit=busy nice -n 10 stress-ng --cpu 3 -t 120", check=False)


@fault("none", watch=70, **KEEP)
def healthy_memory(L): "most memory is used, and used well"; L.node("systemd-run --unit=big stress-ng --vm 1 --vm-bytes 55% --vm-keep --vm-hang 0 -t 120", check=False)


@fault("none", watch=70, **KEEP)
def healthy_dns_blip(L): "the resolver is away for five seconds"; L.kill("dns"); time.sleep(5); L.dns()


@fault("none", watch=70, **KEEP)
def healthy_disk_90(L): "the root filesystem is nine tenths full"; L.node("a=$(df -B1 --output=avail / | tail -1); fallocate -l $((a*7/10)) /fill || true")
