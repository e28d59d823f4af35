#!/usr/bin/env bash
# Builds a real OpenTelemetry Collector (OTLP receiver, file exporter) from Go modules and prints where it is. Does nothing
# where that was done before. The modules' own builder is not used: it runs `go mod tidy`, and test-only dependencies of
# contrib modules are not to be had everywhere.
set -euo pipefail
core=v0.155.0   # go.opentelemetry.io/collector/*, 0.x modules, and contrib
stable=v1.61.0  # its 1.x modules
dir="$(cd "$(dirname "$0")/../.." && pwd)/target/otelcol-$core"
if [ ! -x "$dir/otelcol" ]; then
    work="$dir.$$"
    mkdir -p "$work"
    trap 'rm -rf "$work"' EXIT
    cat >"$work/main.go" <<'GO'
package main

import (
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func factories() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](fileexporter.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	return otelcol.Factories{
		Receivers: receivers,
		Exporters: exporters,
		Telemetry: otelconftelemetry.NewFactory(),
	}, nil
}

func main() {
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(),
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				DefaultScheme:     "file",
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
			},
		},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
GO
    (
        cd "$work"
        export GOFLAGS=-mod=mod CGO_ENABLED=0 GOTOOLCHAIN=local
        go mod init otelcol >/dev/null 2>&1
        require=()
        for module in otelcol receiver receiver/otlpreceiver exporter service; do
            case "$module" in
            receiver | exporter) version=$stable ;;
            *) version=$core ;;
            esac
            require+=("-require=go.opentelemetry.io/collector/$module@$version")
        done
        for module in component confmap confmap/provider/fileprovider; do
            require+=("-require=go.opentelemetry.io/collector/$module@$stable")
        done
        require+=("-require=github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter@$core")
        go mod edit "${require[@]}"
        go build -trimpath -ldflags '-s -w' -o otelcol . >&2
    )
    mkdir -p "$dir"
    mv "$work/otelcol" "$dir/otelcol"
fi
echo "$dir/otelcol"
