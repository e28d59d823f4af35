#!/usr/bin/env bash
# Measures `whynotready analyze` against `journalctl -o cat` on the same files, in one run: time by hyperfine, anonymous
# memory by the kernel's count. Prints the figures; fails where a limit is not kept.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in hyperfine jq /lib/systemd/systemd-journal-remote journalctl; do
    command -v "$tool" >/dev/null || missing+=" ${tool##*/}"
done
if [ -n "${missing:-}" ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends hyperfine jq systemd systemd-journal-remote
fi

cargo build --release --locked -p whynotready
cargo build --release --locked -p whynotready-tests --example generate
release=${CARGO_TARGET_DIR:-target}/release

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for size in 100000 1000000; do
    mkdir "$dir/$size"
    # journal-remote rotates at a size that it takes from the file system; all of the files are measured.
    "$release/examples/generate" "$size" | /lib/systemd/systemd-journal-remote -o "$dir/$size/node.journal" - 2>/dev/null
done

# The answer is exit code 3 or 4, hence --ignore-failure.
hyperfine --ignore-failure --shell none --warmup 1 --runs "${RUNS:-5}" --export-json "$dir/times.json" \
    "journalctl -D $dir/1000000 -o cat" "$release/whynotready analyze $dir/1000000" \
    "journalctl -D $dir/100000 -o cat" "$release/whynotready analyze $dir/100000"

# RssAnon of a running process, as often as the shell can look.
"$release/whynotready" analyze "$dir/1000000" >/dev/null &
pid=$!
peak=0
while anon=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null) && [ -n "$anon" ]; do
    if [ "$anon" -gt "$peak" ]; then peak=$anon; fi
done
code=0
wait "$pid" || code=$?
case $code in 3 | 4) ;; *) echo "analyze ended with $code" >&2; exit 1 ;; esac

jq -r --argjson peak "$peak" '
    [.results[].median] as [$theirs, $ours, $their_tenth, $our_tenth]
    | { entries_per_second: (1000000 / $ours | floor), times_as_fast_as_journalctl: ($theirs / $ours),
        tenth_takes_one_of: ($ours / $our_tenth), rss_anon_kib: $peak }
    | ., if .times_as_fast_as_journalctl < 2 or .tenth_takes_one_of < 8 or .tenth_takes_one_of > 12 or $peak > 65536
         then error("a limit is not kept") else "all limits are kept" end' "$dir/times.json"
