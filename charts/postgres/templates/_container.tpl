{{- define "postgres.container" -}}
name: {{ .name }}
image: {{ .image }}
imagePullPolicy: IfNotPresent
command: [sh, /etc/postgres/postgres.sh, {{ .name }}]
env:
  - {name: PGDATA, value: /data/main}
  - {name: PGHOST, value: /run/postgresql}
  - {name: SETTINGS, value: /etc/postgres}
  - {name: TLS_DIR, value: /etc/sandbox/tls}
  - {name: TLS_IN_USE, value: /run/tls}
resources: {{- toYaml .context.Values.resources | nindent 2 }}
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: settings, mountPath: /etc/postgres, readOnly: true}
  - {name: tls, mountPath: /etc/sandbox/tls, readOnly: true}
  - {name: tls-in-use, mountPath: /run/tls}
  - {name: socket, mountPath: /run/postgresql}
  - {name: tmp, mountPath: /tmp}
{{- end }}
