{{/* The container of the sidecar. Its node is named namespace/pod, as the control plane expects. */}}
{{- define "grpcservice.envoy" -}}
- name: envoy
  image: {{ .Values.envoyImage }}
  imagePullPolicy: IfNotPresent
  args: [--config-path, /etc/envoy/envoy.yaml, --service-node, $(POD_NAMESPACE)/$(POD_NAME), --service-cluster, {{ .Release.Name }}]
  env:
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: POD_NAMESPACE
      valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {memory: 128Mi}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  volumeMounts:
    - {name: tls, mountPath: /etc/sandbox/tls, readOnly: true}
    - {name: envoy, mountPath: /etc/envoy, readOnly: true}
{{- end }}
