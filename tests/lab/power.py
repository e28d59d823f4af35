#!/usr/bin/env python3
"""Power loss: the agent, installed as the systemd unit, finds a root cause while the collector is away; the VM is cut off at
once; after it has booted again the collector has to get what was found before, once by id, with its original times.

usage: power.py --lab-dir DIR --agent BINARY --collector OTELCOL [--lab I] [--kubelet MINOR]
DIR is the fault lab's directory (lab.py); OTELCOL is what tests/delivery/collector.sh prints."""
import argparse, glob, json, os, sys, time

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "systemd")


def install(lab, agent):
    "the unit as an operator installs it, sending to a collector that is not there yet"
    lab.put(agent, "/usr/local/bin/whynotready")
    for name, to in (("whynotready.service", "/etc/systemd/system/"), ("whynotready.slice", "/etc/systemd/system/")):
        lab.put(os.path.join(UNIT, name), to + name)
    lab.node("chmod 755 /usr/local/bin/whynotready; mkdir -p /etc/whynotready; "
             "printf 'node: node1\\notlp: { endpoint: http://10.99.0.1:4318 }\\n' > /etc/whynotready/config.yaml; "
             "whynotready config check && systemctl daemon-reload && systemctl enable --now whynotready")


def said(lab):
    "the agent's events, as it wrote them to the journal"
    out = lab.node("journalctl -u whynotready -o cat --no-pager", check=False)
    lines = [json.loads(l) for l in out.splitlines() if l.startswith("{")]
    return [l for l in lines if "event" in l]


def wait(what, seconds, holds):
    end = time.time() + seconds
    while time.time() < end:
        try:
            got = holds()
        except Exception:
            got = None
        if got:
            return got
        time.sleep(2)
    sys.exit(f"{what}: not within {seconds} s")


def collected(directory):
    "event records that the collector has: uid, event, cause, time"
    found = []
    for path in glob.glob(directory + "/*.json"):
        for line in open(path):
            for resource in json.loads(line).get("resourceLogs", []):
                for scope in resource["scopeLogs"]:
                    for r in scope["logRecords"]:
                        a = {x["key"]: list(x["value"].values())[0] for x in r["attributes"]}
                        found.append((a.get("log.record.uid"), r.get("eventName"), a.get("whynotready.cause"), int(r["timeUnixNano"]) / 1e9))
    return found


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("lab-dir", "agent", "collector"):
        ap.add_argument("--" + name, required=True)
    ap.add_argument("--lab", type=int, default=1)
    ap.add_argument("--kubelet", default="1.37")
    a = ap.parse_args()
    sys.path.insert(0, a.lab_dir)
    import lab as fault_lab
    L = fault_lab.Lab(a.lab, a.kubelet)
    out = os.path.join(L.dir, "collector")
    os.makedirs(out, exist_ok=True)
    for path in glob.glob(out + "/*"):
        os.remove(path)
    try:
        L.network(); L.control_plane(); L.boot(); L.wait_ready()
        install(L, a.agent)
        time.sleep(20)
        L.kill("kube-apiserver")
        found = wait("a root cause", 120, lambda: [e for e in said(L) if e["event"] == "root_cause_found"])
        before = said(L)
        print("found:", found[0]["cause"], "tier", found[0]["tier"], "at", found[0]["time"])
        command = L.procs["qemu"].args[4:]
        L.kill("qemu", sig=9)
        print("power cut")
        time.sleep(3)
        with open(out + "/config.yaml", "w") as f:
            f.write("receivers: {otlp: {protocols: {http: {endpoint: '10.99.0.1:4318'}}}}\n"
                    f"exporters: {{file: {{path: {out}/logs.json}}}}\n"
                    "service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [otlp], exporters: [file]}}}\n")
        L.spawn("collector", [a.collector, "--config", out + "/config.yaml"])
        for name in ("mon.sock", "qmp.sock"):
            if os.path.exists(f"{L.dir}/{name}"):
                os.remove(f"{L.dir}/{name}")
        L.ssh = f"{L.dir}/ssh-{os.getpid()}-again"
        L.spawn("qemu", command, ns=L.sw)
        wait("the node's second boot", 180, lambda: L.node("echo up", check=False, timeout=20).strip() == "up")
        wanted = {e["uid"] for e in before}
        got = wait("what was found before", 180, lambda: (lambda g: g if wanted <= {x[0] for x in g} else None)(collected(out)))
        L.apiserver()
        time.sleep(60)
        got = collected(out)
        uids = [x[0] for x in got]
        print(f"collector: {len(uids)} records, {len(set(uids))} ids; of the {len(wanted)} from before the power loss "
              f"{len(wanted & set(uids))}; doubles {len(uids) - len(set(uids))}")
        for uid, event, cause, at in sorted(got, key=lambda x: x[3]):
            print(f"  {time.strftime('%H:%M:%S', time.gmtime(at))} {event} {cause or ''}")
        L.poweroff()
    finally:
        L.down()


if __name__ == "__main__":
    main()
