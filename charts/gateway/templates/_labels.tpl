{{- define "gateway.labels" -}}
app.kubernetes.io/name: {{ .Release.Name }}
app.kubernetes.io/part-of: sandbox
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
