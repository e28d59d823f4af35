{{- define "whynotready.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "whynotready.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- $name := include "whynotready.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Names of cluster-scoped objects carry the namespace: two releases of one name do not fight. */}}
{{- define "whynotready.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "whynotready.fullname" .) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "whynotready.selectorLabels" -}}
app.kubernetes.io/name: {{ include "whynotready.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "whynotready.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "whynotready.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "whynotready.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "whynotready.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "whynotready.image" -}}
{{- $repository := .Values.image.repository }}
{{- with .Values.image.registry }}{{ $repository = printf "%s/%s" . $repository }}{{ end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* The switches of the agent's configuration that decide what else is rendered: "true" or "". */}}
{{- define "whynotready.api" -}}
{{- if dig "api" "enabled" true .Values.config }}true{{ end }}
{{- end }}
{{- define "whynotready.events" -}}
{{- if and (include "whynotready.api" .) (dig "kubernetes" "events" false .Values.config) }}true{{ end }}
{{- end }}
{{- define "whynotready.condition" -}}
{{- if and (include "whynotready.api" .) (dig "kubernetes" "condition" false .Values.config) }}true{{ end }}
{{- end }}
{{- define "whynotready.dbus" -}}
{{- if dig "dbus" "enabled" false .Values.config }}true{{ end }}
{{- end }}
{{- define "whynotready.cri" -}}
{{- if dig "cri" "enabled" false .Values.config }}true{{ end }}
{{- end }}
{{- define "whynotready.asKubelet" -}}
{{- if dig "probe" "as_kubelet" false .Values.config }}true{{ end }}
{{- end }}

{{- /* What the platform's distribution keeps where: files/platforms.yaml. */}}
{{- define "whynotready.platform" -}}
{{- $all := .Files.Get "files/platforms.yaml" | fromYaml }}
{{- merge (deepCopy (index $all.platforms .Values.platform | default dict)) $all.default | toYaml }}
{{- end }}

{{- /* Every path of the node that is mounted, as a list under `paths`: {path, type, propagation}. */}}
{{- define "whynotready.hostPaths" -}}
{{- $platform := include "whynotready.platform" . | fromYaml }}
{{- $paths := list }}
{{- range tuple "/proc" "/sys/fs/cgroup" "/sys/devices" "/sys/class/net" "/sys/class/block" "/sys/dev/block" "/var/log" }}
{{- $paths = append $paths (dict "path" . "type" "Directory") }}
{{- end }}
{{- $runLog := .Values.hostPaths.runLog }}
{{- if kindIs "invalid" $runLog }}{{ $runLog = eq $platform.journal "systemd" }}{{ end }}
{{- if $runLog }}{{ $paths = append $paths (dict "path" "/run/log" "type" "Directory") }}{{ end }}
{{- if .Values.hostPaths.etc }}{{ $paths = append $paths (dict "path" "/etc" "type" "Directory") }}{{ end }}
{{- $paths = concat $paths $platform.paths .Values.hostPaths.extra }}
{{- if .Values.kubeletPki.enabled }}
{{- if .Values.kubeletPki.path }}
{{- $paths = append $paths (dict "path" .Values.kubeletPki.path "type" "Directory") }}
{{- else }}
{{- $paths = concat $paths $platform.pki (ternary $platform.keys list (eq "true" (include "whynotready.asKubelet" .))) }}
{{- end }}
{{- end }}
{{- if include "whynotready.dbus" . }}{{ $paths = append $paths (dict "path" .Values.dbus.directory "type" "Directory") }}{{ end }}
{{- if include "whynotready.cri" . }}
{{- /* containerd mounts every container's root below that directory: without propagation the pod would hold all of them. */}}
{{- $paths = append $paths (dict "path" (default $platform.cri .Values.cri.directory) "type" "Directory" "propagation" "HostToContainer") }}
{{- end }}
{{- $seen := dict }}
{{- $once := list }}
{{- range $paths }}
{{- if not (hasKey $seen .path) }}{{ $_ := set $seen .path true }}{{ $once = append $once . }}{{ end }}
{{- end }}
{{- dict "paths" $once | toYaml }}
{{- end }}

{{- /* A volume's name from its path: at most 63 characters, no two alike. */}}
{{- define "whynotready.volumeName" -}}
{{- printf "host-%s-%s" (regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-" | trunc 40 | trimAll "-") (. | sha256sum | trunc 6) }}
{{- end }}

{{- /* The agent's configuration file. */}}
{{- define "whynotready.config" -}}
{{- $listen := dict "debug" .Values.debug.listen }}
{{- if .Values.metrics.tlsSecret }}
{{- $_ := set $listen "tls" (dict "certificate" "/etc/whynotready-tls/tls.crt" "key" "/etc/whynotready-tls/tls.key") }}
{{- end }}
{{- if .Values.metrics.tokenSecret.name }}
{{- $_ := set $listen "token_file" (printf "/etc/whynotready-token/%s" .Values.metrics.tokenSecret.key) }}
{{- end }}
{{- $own := dict }}
{{- if .Values.otlp.tlsSecret }}
{{- $tls := dict "ca" "/etc/whynotready-otlp/ca.crt" }}
{{- if .Values.otlp.mtls }}
{{- $tls = merge $tls (dict "certificate" "/etc/whynotready-otlp/tls.crt" "key" "/etc/whynotready-otlp/tls.key") }}
{{- end }}
{{- $own = dict "otlp" (dict "tls" $tls) }}
{{- end }}
{{- if not (include "whynotready.api" .) }}
{{- $own = mergeOverwrite $own (dict "kubernetes" (dict "events" false)) }}
{{- end }}
{{- $config := mergeOverwrite (deepCopy .Values.config) $own (dict "host_root" "/host" "state_dir" "/var/lib/whynotready" "listen" $listen) }}
{{- toYaml $config }}
{{- end }}

{{- /* What contradicts itself is refused before it reaches the cluster. */}}
{{- define "whynotready.check" -}}
{{- if and (include "whynotready.asKubelet" .) (not .Values.kubeletPki.enabled) }}
{{- fail "config.probe.as_kubelet reads the kubelet's private key: say so with kubeletPki.enabled=true" }}
{{- end }}
{{- if and (include "whynotready.asKubelet" .) (not (include "whynotready.api" .)) }}
{{- fail "config.probe.as_kubelet asks the API server, which config.api.enabled=false forbids" }}
{{- end }}
{{- if and (dig "kubernetes" "condition" false .Values.config) (not (include "whynotready.api" .)) }}
{{- fail "config.kubernetes.condition needs the API server, which config.api.enabled=false forbids" }}
{{- end }}
{{- if and .Values.nodeScopedWrites.enabled (not (include "whynotready.condition" .)) }}
{{- fail "nodeScopedWrites.enabled limits what config.kubernetes.condition grants, which is off" }}
{{- end }}
{{- if and .Values.otlp.mtls (not .Values.otlp.tlsSecret) }}
{{- fail "otlp.mtls needs otlp.tlsSecret" }}
{{- end }}
{{- if and .Values.priorityClassQuota.enabled (not .Values.priorityClassName) }}
{{- fail "priorityClassQuota.enabled needs priorityClassName" }}
{{- end }}
{{- range .Values.hostPaths.extra }}
{{- if has (.path | trimSuffix "/") (list "/" "/run" "/var/run" "/run/systemd" "/run/containerd" "/run/crio" "/var/lib/kubelet" "/var/lib/kubelet/pods" "") }}
{{- fail (printf "hostPaths.extra: %s holds sockets that are root on the node, or the secrets of all its pods: name what is below it" .path) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "whynotready.testContainer" -}}
image: {{ include "whynotready.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources:
  requests: {cpu: 10m, memory: 16Mi}
  limits: {memory: 64Mi}
securityContext:
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsUser: {{ ternary .Values.securityContext.runAsUser 65532 (hasPrefix "unix:" .Values.debug.listen) }}
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: config
    mountPath: /etc/whynotready
    readOnly: true
  {{- if hasPrefix "unix:" .Values.debug.listen }}
  - name: state
    mountPath: /var/lib/whynotready
    readOnly: true
  {{- end }}
{{- end }}
