//! Writes N journal entries of a node in export format: 95 % routine, 5 % of them failures; the same for the same N.

use std::io::Write;

const START: u64 = 1_763_800_000_000_000;
/// Mean distance of entries: a million span ten hours.
const STEP: u64 = 36_000;
const IDS: &str =
    "_BOOT_ID=25de2b4e04ed4535af50abe158681f42\n_MACHINE_ID=6adcb811a5e1475fa502330321c5cf86\n_HOSTNAME=worker-7\n";

/// The fields that journald sets for a service, in its order.
struct Unit {
    name: &'static str,
    comm: &'static str,
    exe: &'static str,
    command: &'static str,
    pid: u32,
    invocation: &'static str,
}

const KUBELET: Unit = Unit {
    name: "kubelet.service",
    comm: "kubelet",
    exe: "/usr/bin/kubelet",
    command: "/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml",
    pid: 3710,
    invocation: "7c1f0f0f6a0c4a6e8e0c5f4b2d8a9e01",
};
const CONTAINERD: Unit = Unit {
    name: "containerd.service",
    comm: "containerd",
    exe: "/usr/bin/containerd",
    command: "/usr/bin/containerd",
    pid: 701,
    invocation: "0b9d3c5e7f1a4b2c8d6e9f0a1b2c3d4e",
};
const SSHD: Unit = Unit {
    name: "ssh.service",
    comm: "sshd",
    exe: "/usr/sbin/sshd",
    command: "\"sshd: [accepted]\"",
    pid: 90_211,
    invocation: "5e6f7a8b9c0d4e1f2a3b4c5d6e7f8a9b",
};
const MANAGER: Unit = Unit {
    name: "init.scope",
    comm: "systemd",
    exe: "/usr/lib/systemd/systemd",
    command: "/sbin/init",
    pid: 1,
    invocation: "",
};

struct Generator {
    random: fastrand::Rng,
    micros: u64,
    text: String,
}

impl Generator {
    fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[self.random.usize(..16)]))
            .collect()
    }

    fn pod(&mut self) -> String {
        let name = self.random.choice([
            "coredns-668d6bf9bc",
            "web-7d4b9c6f5d",
            "kube-proxy",
            "metrics-server-8467fcc7b7",
        ]);
        let space = self.random.choice(["kube-system", "default", "shop", "monitoring"]);
        format!(
            "{}/{}-{}",
            space.unwrap_or_default(),
            name.unwrap_or_default(),
            self.hex(5)
        )
    }

    fn uid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|n| self.hex(n)).join("-")
    }

    /// Time of day as klog and logrus write it: the record lies within one day or runs over midnight, as real ones do.
    fn clock(&self) -> (u64, u64, u64, u64, u64) {
        let seconds = (START + self.micros) / 1_000_000;
        let day = 22 + (seconds / 86_400 - START / 86_400_000_000);
        (
            day,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            (START + self.micros) % 1_000_000,
        )
    }

    fn klog(&mut self, level: char, place: &str, rest: &str) {
        let (day, hour, minute, second, micros) = self.clock();
        self.text = format!("{level}11{day} {hour:02}:{minute:02}:{second:02}.{micros:06}    3710 {place}] {rest}");
    }

    fn logrus(&mut self, level: &str, rest: &str) {
        let (day, hour, minute, second, micros) = self.clock();
        self.text =
            format!("time=\"2025-11-{day}T{hour:02}:{minute:02}:{second:02}.{micros:06}123Z\" level={level} {rest}");
    }

    fn routine_kubelet(&mut self) {
        let (pod, uid, id) = (self.pod(), self.uid(), self.hex(64));
        match self.random.u8(..6) {
            0 => self.klog('I', "reconciler_common.go:251", &format!("\"operationExecutor.VerifyControllerAttachedVolume started for volume \\\"kube-api-access-{}\\\" (UniqueName: \\\"kubernetes.io/projected/{uid}-kube-api-access\\\") pod \\\"{}\\\" (UID: \\\"{uid}\\\") \" pod=\"{pod}\"", &id[..5], &pod[4..])),
            1 => self.klog('I', "pod_startup_latency_tracker.go:104", &format!("\"Observed pod startup duration\" pod=\"{pod}\" podStartSLOduration={}.{} podStartE2EDuration=\"3.1s\" podCreationTimestamp=\"2025-11-22 08:26:40 +0000 UTC\"", self.micros % 9, self.micros % 997)),
            2 => self.klog('I', "kubelet.go:2569", &format!("\"SyncLoop (PLEG): event for pod\" pod=\"{pod}\" event={{\"ID\":\"{uid}\",\"Type\":\"ContainerStarted\",\"Data\":\"{id}\"}}")),
            3 => self.klog('I', "kubelet.go:2537", &format!("\"SyncLoop UPDATE\" source=\"api\" pods=[\"{pod}\"]")),
            4 => self.klog('I', "scope.go:117", &format!("\"RemoveContainer\" containerID=\"{id}\"")),
            _ => self.klog('I', "operation_generator.go:614", &format!("\"MountVolume.SetUp succeeded for volume \\\"config-volume\\\" (UniqueName: \\\"kubernetes.io/configmap/{uid}-config-volume\\\") pod \\\"{}\\\" (UID: \\\"{uid}\\\") \" pod=\"{pod}\"", &pod[4..])),
        }
    }

    fn routine_containerd(&mut self) {
        let (pod, id) = (self.pod(), self.hex(64));
        match self.random.u8(..4) {
            0 => self.logrus("info", &format!("msg=\"CreateContainer within sandbox \\\"{id}\\\" for container &ContainerMetadata{{Name:{},Attempt:0,}}\"", &pod[4..])),
            1 => self.logrus("info", &format!("msg=\"StartContainer for \\\"{id}\\\" returns successfully\"")),
            2 => self.logrus("info", &format!("msg=\"shim disconnected\" id={id} namespace=k8s.io")),
            _ => self.logrus("info", &format!("msg=\"ImageUpdate event name:\\\"registry.example/shop/web@sha256:{id}\\\" labels:{{key:\\\"io.cri-containerd.image\\\" value:\\\"managed\\\"}}\"")),
        }
    }

    fn failure(&mut self) -> &'static Unit {
        match self.random.u8(..10) {
            0..4 => self.klog('E', "controller.go:195", "\"Failed to update lease\" err=\"Put \\\"https://10.0.0.10:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-7?timeout=10s\\\": dial tcp 10.0.0.10:6443: connect: connection refused\""),
            4..6 => self.klog('E', "kubelet_node_status.go:549", "\"Error updating node status, will retry\" err=\"error getting node \\\"worker-7\\\": Get \\\"https://10.0.0.10:6443/api/v1/nodes/worker-7?timeout=10s\\\": dial tcp 10.0.0.10:6443: connect: connection refused\""),
            6 => self.klog('E', "reflector.go:200", "\"Failed to watch\" err=\"failed to list *v1.Service: Get \\\"https://10.0.0.10:6443/api/v1/services?limit=500&resourceVersion=0\\\": dial tcp 10.0.0.10:6443: connect: connection refused\" logger=\"UnhandledError\" reflector=\"k8s.io/client-go/informers/factory.go:160\" type=\"*v1.Service\""),
            7 => {
                let (pod, uid) = (self.pod(), self.uid());
                self.klog('E', "pod_workers.go:1301", &format!("\"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \\\"web\\\" with CrashLoopBackOff: \\\"back-off 5m0s restarting failed container=web pod={}\\\"\" pod=\"{pod}\" podUID=\"{uid}\"", &pod[4..]));
            }
            8 => self.klog('W', "watcher.go:93", "Error while processing event (\"/sys/fs/cgroup/system.slice/run.mount\": 0x40000100 == IN_CREATE|IN_ISDIR): inotify_add_watch /sys/fs/cgroup/system.slice/run.mount: no such file or directory"),
            _ => {
                let id = self.hex(64);
                self.logrus("error", &format!("msg=\"ExecSync for \\\"{id}\\\" failed\" error=\"rpc error: code = DeadlineExceeded desc = failed to exec in container: timeout 1s exceeded: context deadline exceeded\""));
                return &CONTAINERD;
            }
        }
        &KUBELET
    }

    fn service(unit: &Unit, out: &mut impl Write) -> std::io::Result<()> {
        let Unit {
            name,
            comm,
            exe,
            command,
            pid,
            invocation,
        } = unit;
        write!(
            out,
            "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER={comm}\n_TRANSPORT=stdout\n_UID=0\n_GID=0\n_CAP_EFFECTIVE=1ffffffffff\n\
             _COMM={comm}\n_EXE={exe}\n_CMDLINE={command}\n_PID={pid}\n_SYSTEMD_UNIT={name}\n_SYSTEMD_SLICE=system.slice\n\
             _SYSTEMD_CGROUP=/system.slice/{name}\n_SYSTEMD_INVOCATION_ID={invocation}\n_STREAM_ID={invocation}\n_SELINUX_CONTEXT=unconfined\n"
        )
    }

    fn entry(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        self.micros += self.random.u64(1..2 * STEP);
        let (wall, monotonic) = (START + self.micros, 40_000_000 + self.micros);
        write!(
            out,
            "__REALTIME_TIMESTAMP={wall}\n__MONOTONIC_TIMESTAMP={monotonic}\n{IDS}"
        )?;
        match self.random.u8(..100) {
            0..5 => {
                let unit = self.failure();
                Self::service(unit, out)?;
            }
            5..60 => {
                self.routine_kubelet();
                Self::service(&KUBELET, out)?;
            }
            60..85 => {
                self.routine_containerd();
                Self::service(&CONTAINERD, out)?;
            }
            85..93 => {
                self.text = format!(
                    "run-containerd-runc-k8s.io-{}-runc.{}.mount: Deactivated successfully.",
                    self.hex(64),
                    self.hex(6)
                );
                write!(
                    out,
                    "MESSAGE_ID=7ad2d189f7e94e70a38c781354912448\nCODE_FILE=src/core/unit.c\nCODE_LINE=5702\nCODE_FUNC=unit_log_success\nUNIT=run-containerd-runc.mount\nINVOCATION_ID={}\n",
                    CONTAINERD.invocation
                )?;
                Self::service(&MANAGER, out)?;
            }
            93..96 => {
                let (port, veth) = (self.random.u8(1..40), self.hex(8));
                self.text = format!("cni0: port {port}(veth{veth}) entered forwarding state");
                write!(
                    out,
                    "_TRANSPORT=kernel\nPRIORITY=6\nSYSLOG_FACILITY=0\nSYSLOG_IDENTIFIER=kernel\n_SOURCE_MONOTONIC_TIMESTAMP={monotonic}\n"
                )?;
            }
            _ => {
                let port = self.random.u16(1024..);
                self.text = format!("Connection closed by 10.0.0.4 port {port} [preauth]");
                Self::service(&SSHD, out)?;
            }
        }
        write!(out, "MESSAGE={}\n\n", self.text)
    }
}

fn main() -> anyhow::Result<()> {
    let count: u64 = std::env::args().nth(1).unwrap_or_default().parse()?;
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut generator = Generator {
        random: fastrand::Rng::with_seed(1095),
        micros: 0,
        text: String::new(),
    };
    for _ in 0..count {
        generator.entry(&mut out)?;
    }
    Ok(out.flush()?)
}
