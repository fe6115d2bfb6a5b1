{{/* postgres.ident is pg_ident.conf: which role a client gets by the common name of its certificate. */}}
{{- define "postgres.ident" -}}
# The list of services: postgres.sh makes a role and a schema of that name for each line of the map `shop`.
# map   certificate's common name   role
owner   /^.*$                       postgres
{{- range .Values.roles }}
shop    {{ printf "%-27s %s" .service .role }}
{{- end }}
{{ end -}}
