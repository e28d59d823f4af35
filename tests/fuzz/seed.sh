#!/usr/bin/env bash
# Fills corpus/ from the fixtures: the used part of each journal, and a line of each log.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p corpus/journal corpus/grammar
for file in ../fixtures/journals/*-compact*.journal.zst; do
    # The part that journald allocates in advance is of no interest; the hash tables and the first entries are.
    zstd -dcq "$file" | head -c 393216 >"corpus/journal/$(basename "$file" .journal.zst)" || true
done
zstd -dcq ../fixtures/journals/252-compact1-keyed1-none.export.zst | grep -a '^MESSAGE=' | sed 's/^MESSAGE=//' |
    split -l 1 - corpus/grammar/message-
grep -hE '^ *(lines?|text) *= ' -A 3 ../../agent/catalog/causes/*/*.toml | grep -E "[\"']" | split -l 1 -a 4 - corpus/grammar/catalog-
