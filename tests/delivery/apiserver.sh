#!/usr/bin/env bash
# Builds a real kube-apiserver from its Go module and prints where it is. Does nothing where that was done before. Kubernetes
# names its own libraries by paths in its repository: each is replaced by the module of the same release. Nothing is
# optimised: it lives for seconds, and the compiler takes less time.
set -euo pipefail
version=1.37.2
dir="$(cd "$(dirname "$0")/../.." && pwd)/target/kube-apiserver-$version"
if [ ! -x "$dir/kube-apiserver" ]; then
    work="$dir.$$"
    mkdir -p "$work"
    trap 'rm -rf "$work"' EXIT
    (
        cd "$work"
        export GOFLAGS="-mod=mod -buildvcs=false" CGO_ENABLED=0 GOTOOLCHAIN=local
        module=k8s.io/kubernetes
        go mod init apiserver >/dev/null 2>&1
        go mod edit "-require=$module@v$version"
        printf 'package apiserver\n\nimport _ "%s/cmd/kube-apiserver/app"\n' "$module" >apiserver.go
        sources=$(go mod download -json "$module@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        replaced=()
        while read -r library; do
            replaced+=("-replace=$library=$library@v0.${version#1.}")
        done < <(sed -n 's#^\s*\(k8s.io/[a-z0-9-]*\) => ./staging.*#\1#p' "$sources/go.mod")
        go mod edit "${replaced[@]}"
        go build -gcflags 'all=-N -l -dwarf=false' -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version" \
            -o kube-apiserver "$module/cmd/kube-apiserver" >&2
    )
    mkdir -p "$dir"
    mv "$work/kube-apiserver" "$dir/kube-apiserver"
fi
echo "$dir/kube-apiserver"
