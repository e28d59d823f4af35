#!/usr/bin/env bash
# What `whynotready run` costs beside `journalctl -f`, both following the same journal in one run: CPU time, anonymous and
# peak memory. RATE entries a second (200) for SECONDS (60), after SETTLE seconds (30) for the look-back and the first looks.
# PEER="command" replaces journalctl; %d in it is the journal's directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
rate=${RATE:-200} seconds=${SECONDS_OF_RUN:-60} settle=${SETTLE:-30}
[ -n "${AGENT:-}" ] || cargo build --release --locked -q -p whynotready
agent=${AGENT:-${CARGO_TARGET_DIR:-target}/release/whynotready}

dir=$(mktemp -d)
trap 'pkill -P $$ || true; sleep 1; rm -rf "$dir"' EXIT
machine=6adcb811a5e1475fa502330321c5cf86
journal=$dir/node/var/log/journal/$machine
mkdir -p "$journal" "$dir/node/proc/sys/kernel/random" "$dir/node/etc" "$dir/state"
cp /proc/sys/kernel/random/boot_id "$dir/node/proc/sys/kernel/random/"

python3 - "$rate" "$machine" <<'PY' | /lib/systemd/systemd-journal-remote -o "$journal/system.journal" - 2>/dev/null &
import sys, time
rate, machine = int(sys.argv[1]), sys.argv[2]
boot = open("/proc/sys/kernel/random/boot_id").read().strip().replace("-", "")
start, n = time.monotonic(), 0
out = sys.stdout
while True:
    now, mono = int(time.time() * 1e6), int(time.monotonic() * 1e6)
    text = f'I1125 15:00:00.000000     370 pod_startup_latency_tracker.go:104] "Observed pod startup duration" pod="default/p-{n}" n={n}'
    if n % 50 == 0:
        text = f'E1125 15:00:00.000000     370 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"c\\" with CrashLoopBackOff" pod="default/p-{n}"'
    out.write(f"__REALTIME_TIMESTAMP={now}\n__MONOTONIC_TIMESTAMP={mono}\n_BOOT_ID={boot}\n_MACHINE_ID={machine}\n"
              f"_SYSTEMD_UNIT=kubelet.service\n_COMM=kubelet\n_UID=0\n_PID=370\nMESSAGE={text}\n\n")
    n += 1
    if n % 20 == 0:
        out.flush()
        time.sleep(max(0, start + n / rate - time.monotonic()))
PY
sleep 3
"$agent" run --host-root="$dir/node" --state-dir="$dir/state" --node=node1 --listen-metrics=127.0.0.1:0 --listen-debug=off \
    --api-enabled=false --dbus-enabled=false >/dev/null 2>"$dir/agent.err" &
ours=$!
peer=${PEER:-journalctl -D %d -f -o cat -n 0}
${peer//%d/$journal} >/dev/null 2>&1 &
theirs=$!
sleep "$settle"

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
memory() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; }
a=$(ticks "$ours") b=$(ticks "$theirs")
sleep "$seconds"
a=$(($(ticks "$ours") - a)) b=$(($(ticks "$theirs") - b))
hz=$(getconf CLK_TCK)
printf '%-22s %10s %12s %12s\n' "$rate entries/s, ${seconds}s" 'CPU s' 'RssAnon kB' 'VmHWM kB'
printf '%-22s %10s %12s %12s\n' 'whynotready run' "$(awk "BEGIN { print $a / $hz }")" "$(memory "$ours" RssAnon)" "$(memory "$ours" VmHWM)"
printf '%-22s %10s %12s %12s\n' "${peer%% *}" "$(awk "BEGIN { print $b / $hz }")" "$(memory "$theirs" RssAnon)" "$(memory "$theirs" VmHWM)"
