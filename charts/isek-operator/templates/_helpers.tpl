{{/* Name of everything that belongs to the operator: release "isek" makes "isek-operator". */}}
{{- define "isek.name" -}}
{{- $name := .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- hasSuffix "operator" $name | ternary $name (printf "%s-operator" $name) -}}
{{- end }}

{{- define "isek.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What `helm test` runs is no operator. */}}
{{- define "isek.testLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "isek.labels" -}}
{{ include "isek.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: isek
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* An image: include "isek.image" (list $ .Values.nodeImage) */}}
{{- define "isek.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* Rules of a NetworkPolicy. */}}
{{- define "isek.toDNS" -}}
# DNS, which some clusters have on the machines and not in pods
- ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
# OpenShift's
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: openshift-dns
  ports:
    - protocol: UDP
      port: 5353
    - protocol: TCP
      port: 5353
{{- end }}

{{/* What every pod gives up (Pod Security, profile "restricted"). */}}
{{- define "isek.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "isek.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Who is bound to the operator's roles. */}}
{{- define "isek.subjects" -}}
- kind: ServiceAccount
  name: {{ include "isek.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
