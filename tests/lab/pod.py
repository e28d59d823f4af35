#!/usr/bin/env python3
"""The chart's pod on a real node: the image from the Dockerfile, the chart as Helm renders it, a fault, and what comes of it
as events and metrics. What the default pod cannot see is part of the answer.

usage: pod.py --lab-dir DIR --image ARCHIVE --helm HELM [--fault NAME ...] [--set KEY=VALUE ...] [--lab I]
ARCHIVE is made by: buildah build --isolation chroot --target prebuilt -t ghcr.io/whynotready/whynotready:0.1.0 . &&
buildah push ghcr.io/whynotready/whynotready:0.1.0 docker-archive:FILE:ghcr.io/whynotready/whynotready:0.1.0"""
import argparse, json, os, subprocess, sys, time

CHART = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "charts", "whynotready")


def get(lab, path):
    return lab.node(f"curl -s -m 5 {path}", check=False, timeout=20)


def roots(lab):
    try:
        d = json.loads(get(lab, "http://127.0.0.1:10951/debug/diagnosis"))
    except ValueError:
        return None
    return d["verdict"], [(f["cause"], f["role"], f["verdict"]) for f in d["findings"]]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("lab-dir", "image", "helm"):
        ap.add_argument("--" + name, required=True)
    ap.add_argument("--fault", action="append", default=[])
    ap.add_argument("--set", action="append", default=[])
    ap.add_argument("--lab", type=int, default=1)
    ap.add_argument("--kubelet", default="1.37")
    a = ap.parse_args()
    sys.path.insert(0, a.lab_dir)
    import lab as fault_lab
    import scenarios
    values = [x for s in a.set for x in ("--set", s)]
    for name in a.fault or ["api-down"]:
        fault, L = scenarios.ALL[name], fault_lab.Lab(a.lab, a.kubelet)
        try:
            L.network(); L.control_plane(); L.boot(); L.wait_ready()
            L.load(a.image)
            manifests = subprocess.run([a.helm, "template", "why", CHART, "--no-hooks", "--namespace", "kube-system", "--kube-version", "1.31.0"] + values,
                                       capture_output=True, text=True, check=True).stdout
            path = os.path.join(L.dir, "chart.yaml")
            with open(path, "w") as f:
                f.write(manifests)
            L.kubectl(["apply", "-n", "kube-system", "-f", path], check=False, timeout=60)
            pod = lambda: L.kubectl(["get", "pods", "-n", "kube-system", "-o", "wide"], check=False)
            try:
                L.wait(lambda: "1/1" in pod(), 120, "the pod ready")
            except RuntimeError as e:
                print(e, pod(), L.kubectl(["describe", "pods", "-n", "kube-system"], check=False)[-3000:])
                continue
            time.sleep(20)
            print(name, "before:", roots(L))
            t = time.time()
            fault.run(L)
            named = None
            while time.time() - t < 100 and not named:
                now = roots(L)
                named = now if now and any(role == "root_cause" for _, role, _ in now[1]) else None
                time.sleep(1)
            print(name, f"named after {time.time() - t:.0f} s:" if named else "not named:", named or roots(L))
            ready = L.ready() if name not in ("api-down",) else None
            print("  node then:", (ready or {}).get("status"), (ready or {}).get("reason"))
            print("  metrics:", [l for l in get(L, "http://127.0.0.1:10950/metrics").splitlines() if l.startswith(("whynotready_root_cause", "whynotready_risk", "whynotready_deliveries"))])
            if name == "api-down":
                L.apiserver()
                time.sleep(75)
            print("  events:", L.kubectl(["get", "events", "-A", "--field-selector", "reportingComponent=whynotready", "-o",
                                          "custom-columns=R:.reason,N:.message", "--no-headers"], check=False)[-900:])
            L.poweroff()
        finally:
            L.down()


if __name__ == "__main__":
    main()
