#!/bin/sh
# init:  create the data folder, the database, the roles and the schemas that do not exist yet.
# serve: run the server.
# Both are idempotent. Environment variables: PGDATA; PGHOST, the folder of the Unix socket; SETTINGS, the folder of this file; TLS_DIR, where tls.crt,
# tls.key and ca.crt are mounted; TLS_IN_USE, a folder for the copy that the server reads; TLS_EVERY, the seconds between checks of TLS_DIR.
set -eu

settings="-c config_file=$SETTINGS/postgresql.conf -c hba_file=$SETTINGS/pg_hba.conf -c ident_file=$SETTINGS/pg_ident.conf
-c unix_socket_directories=$PGHOST
-c ssl_cert_file=$TLS_IN_USE/current/tls.crt -c ssl_key_file=$TLS_IN_USE/current/tls.key -c ssl_ca_file=$TLS_IN_USE/current/ca.crt"
database=shop

# PostgreSQL detects a second server on its data folder by process id and shared memory, which pods do not share. This file lock works across pods,
# and the kernel releases it when the last process of the server ends.
lock() {
  exec 9>"$PGDATA.lock"
  flock 9
}

query() {
  psql --no-psqlrc --quiet --tuples-only -v ON_ERROR_STOP=1 -v database="$database" -U postgres "$@"
}

make_database() {
  if [ -z "$(query -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$database'")" ]; then
    query -d postgres -c "CREATE DATABASE $database"
  fi
  query -d postgres -c "REVOKE ALL ON DATABASE $database FROM PUBLIC"
  while read -r map _ role _; do
    if [ "$map" = shop ]; then
      PGOPTIONS="-c client_min_messages=warning" query -d "$database" -v role="$role" -f "$SETTINGS/role.sql" </dev/null
    fi
  done <"$SETTINGS/pg_ident.conf"
}

init() {
  lock
  if [ ! -e "$PGDATA" ]; then
    rm -rf "$PGDATA.new" # left by an init that was killed
    initdb -D "$PGDATA.new" -U postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --no-instructions
    mv "$PGDATA.new" "$PGDATA"
  fi
  pg_ctl -D "$PGDATA" -w -o "$(echo $settings) -c listen_addresses='' -c ssl=off" start
  make_database
  pg_ctl -D "$PGDATA" -w -m fast stop
}

digest() {
  cat "$1/tls.crt" "$1/tls.key" "$1/ca.crt" 2>&1 | cksum
}

# why_unusable prints why the server must not use the certificate in a folder, or nothing if it may.
why_unusable() {
  if [ "$(openssl x509 -in "$1/tls.crt" -noout -pubkey 2>&1)" != "$(openssl pkey -in "$1/tls.key" -pubout 2>&1)" ]; then
    echo "tls.key does not belong to tls.crt"
    return
  fi
  # Check dates, signatures and the chain up to a root in ca.crt. Roots of the system are not accepted.
  openssl verify -no-CApath -no-CAstore -CAfile "$1/ca.crt" -untrusted "$1/tls.crt" -purpose sslserver "$1/tls.crt" 2>&1 >/dev/null | tr '\n' ' '
}

# take_certificate atomically replaces the copy that the server reads with the mounted certificate, if it is usable. The server itself would load an
# expired certificate, or one that no client trusts, without an error.
in_use="" refused=""
take_certificate() {
  why=""
  next=$(mktemp -d "$TLS_IN_USE/copy.XXXXXX")
  if cp "$TLS_DIR/tls.crt" "$TLS_DIR/tls.key" "$TLS_DIR/ca.crt" "$next" && why=$(why_unusable "$next") && [ -z "$why" ]; then
    in_use=$(digest "$next")
    old=$(readlink "$TLS_IN_USE/current" || true)
    ln -s "$next" "$next.link"
    mv -T "$next.link" "$TLS_IN_USE/current"
    rm -rf "$old"
    return 0
  fi
  now=$(digest "$next")
  [ "$now" = "$refused" ] || echo "postgres.sh: keeping the last good certificate: ${why:-a file is missing}" >&2
  refused=$now
  rm -rf "$next"
  return 1
}

# The server reads a renewed certificate and changed roots only on SIGHUP. A refused certificate is checked again every time: it may become valid.
watch_certificate() {
  exec 9>&-
  while sleep "${TLS_EVERY:-2}"; do
    if [ "$(digest "$TLS_DIR")" != "$in_use" ] && take_certificate; then
      kill -HUP "$1"
    fi
  done
}

serve() {
  lock
  umask 077
  for left in "$TLS_IN_USE"/copy.*; do # left by a server that was killed
    [ "$left" = "$(readlink "$TLS_IN_USE/current" || true)" ] || rm -rf "$left"
  done
  until take_certificate || [ -e "$TLS_IN_USE/current/tls.crt" ]; do
    sleep "${TLS_EVERY:-2}"
  done
  watch_certificate $$ &
  exec postgres -D "$PGDATA" $settings
}

case "$1" in
init) init ;;
serve) serve ;;
*)
  echo "postgres.sh: $1 is neither init nor serve" >&2
  exit 2
  ;;
esac
