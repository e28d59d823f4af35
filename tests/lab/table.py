#!/usr/bin/env python3
"""Runs faults of the lab one after the other with `whynotready diagnose` and writes what it named as a table.

usage: table.py --out DIR [--lab-dir DIR --agent FILE] [--kubelet 1.37] [--lab N] [--queue FILE] [NAME…]

--lab-dir is where lab.py and scenarios.py are; LAB_BASE (environment) is where its setup.sh put the machines. With
--queue the names are taken from the top of that file, one a line, until it is empty: names may be added while it
runs, and a second table.py with another --lab shares the queue. Each run keeps OUT/NAME/{meta.json,agent/,disk/,run.bundle};
the text of a report is what `whynotready replay` makes of the bundle. After each, and by itself where nothing is to be run, OUT/table.tsv
is written anew from all that is in OUT: one line a fault.

It names no lab and changes none: what a fault does is in lab.py's scenarios.py and the one beside this file.
"""
import argparse
import base64
import fcntl
import glob
import json
import os
import shutil
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = ("fault", "expected", "named", "judged", "verdict", "roles", "risks", "ended", "also right", "node", "note")
# In memory: no fault fills it or takes the right to write.
BUNDLE = "/run/run.bundle"


def take(queue):
    "the first name of the queue, taken off it"
    with open(queue, "r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        names = f.read().split()
        f.seek(0)
        f.truncate()
        f.write("".join(n + "\n" for n in names[1:]))
    return names[0] if names else None


def lineage(cause):
    "the cause, its parent and so on, by the catalog"
    while cause:
        yield cause
        files = glob.glob(f"{HERE}/../../agent/catalog/causes/*/{cause}.toml")
        with open(files[0], "rb") if files else open(os.devnull, "rb") as f:
            cause = tomllib.load(f).get("parent")


def judged(expected, also, named, risks, ended):
    if expected == "none":
        return "right" if named in ("none", *also) else "wrong"
    if named == expected:
        return "right"
    if expected in lineage(named):
        return "finer"
    if named in also:
        return "kin"
    if named != "none":
        return "wrong"
    # Right where the heartbeat is never lost, or is well again; where it is not, the column of the node's states says so.
    for word, causes in (("risk", risks), ("ended", ended)):
        if {expected, *also} & set(causes):
            return word
    return "not named"


def row(out, name):
    "the table's line of one run"
    with open(f"{out}/{name}/meta.json") as f:
        meta = json.load(f)
    node = " ".join(f"{t['status']}@{t['at_s']:.0f}" for t in meta["transitions"])
    try:
        with open(f"{out}/{name}/agent/diagnose.json") as f:
            d = json.load(f)
    except (OSError, ValueError) as e:
        return dict(zip(COLUMNS, (name, meta["cause"], "", "no answer", "", "", "", "", "", node, meta.get("error") or str(e))))
    roots = [f["cause"] for f in d["findings"] if f["role"] == "root_cause"]
    first = roots[0] if roots else "none"
    roles = " ".join(f"{f['role']}:{f['cause']}({f['verdict']})" for f in d["findings"] if f["role"] != "risk")
    risks = [f["cause"] for f in d["findings"] if f["role"] == "risk"]
    ended = [f["cause"] for e in d["episodes"] if e["state"] == "ended" for f in e["findings"] if f["role"] == "root_cause"]
    note = "" if meta["ok"] else meta["error"]
    if len(roots) > 1:
        note = "several roots " + note
    return dict(zip(COLUMNS, (name, meta["cause"], first, judged(meta["cause"], meta["also_right"], first, risks, ended), d["verdict"], roles, " ".join(risks), " ".join(ended), " ".join(meta["also_right"]), node, note)))


def table(out):
    names = sorted(os.path.basename(os.path.dirname(m)) for m in glob.glob(f"{out}/*/meta.json"))
    lines = ["\t".join(COLUMNS)]
    for line in (row(out, n) for n in names):
        lines.append("\t".join(" ".join(line[c].split()) for c in COLUMNS))
    with open(f"{out}/table.{os.getpid()}", "w") as f:
        f.write("\n".join(lines) + "\n")
    os.replace(f.name, f"{out}/table.tsv")


def watched(lab):
    "lab.py's machine, which looks once, leaves a bundle, and is switched off without ceremony: its disk is of no further use"
    class Recorded(lab.Lab):
        bundle = b""

        def node(self, cmd, *args, **kwargs):
            if cmd.startswith("whynotready diagnose --format json"):
                answer = super().node(cmd.replace("diagnose", f"diagnose --record {BUNDLE}", 1), *args, **kwargs)
                Recorded.bundle = base64.b64decode(super().node(f"base64 -w0 {BUNDLE}", check=False))
                return answer
            if cmd.startswith("whynotready diagnose"):
                return "see the bundle\n"
            return super().node(cmd, *args, **kwargs)

        def wait(self, f, secs, what):
            return super().wait(f, 3 * secs, what)  # a machine with other work to do

        def poweroff(self):
            self.node("journalctl --sync; sync", check=False)
            self.kill("qemu")
    return Recorded


def run(lab, a, name):
    sys.argv = ["lab.py", "run", name, "--kubelet", a.kubelet, "--lab", str(a.lab), "--agent", a.agent, "--out", a.out, "--scenarios", f"{HERE}/scenarios.py"]
    lab.Lab.bundle = b""
    lab.main()
    with open(f"{a.out}/{name}/run.bundle", "wb") as f:
        f.write(lab.Lab.bundle)
    for image in glob.glob(f"{lab.BASE}/run{a.lab}/*.qcow2") + glob.glob(f"{lab.BASE}/run{a.lab}/journal.raw"):
        os.remove(image)
    shutil.rmtree(f"{lab.BASE}/run{a.lab}/etcd", ignore_errors=True)
    table(a.out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--lab-dir")
    ap.add_argument("--agent")
    ap.add_argument("--kubelet", default="1.37")
    ap.add_argument("--lab", type=int, default=1)
    ap.add_argument("--queue")
    ap.add_argument("names", nargs="*")
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    if not a.names and not a.queue:
        return table(a.out)
    if not a.lab_dir or not a.agent:
        ap.error("a run needs --lab-dir and --agent")
    sys.path.insert(0, a.lab_dir)
    import lab
    lab.Lab = watched(lab)
    for name in a.names:
        run(lab, a, name)
    while a.queue and (name := take(a.queue)):
        run(lab, a, name)


if __name__ == "__main__":
    main()
