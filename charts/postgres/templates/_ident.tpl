{{/* postgres.ident is pg_ident.conf: it maps the common name of a client certificate to a role. */}}
{{- define "postgres.ident" -}}
# For each line of the map `shop`, postgres.sh creates a role and a schema with the name of the role.
# map   certificate's common name   role
owner   /^.*$                       postgres
{{- range .Values.roles }}
shop    {{ printf "%-27s %s" .service .role }}
{{- end }}
{{ end -}}
