#!/bin/sh
# init:  make the data folder where there is none, and what is missing of database, roles and schemas.
# serve: run the server.
# Each may run any number of times. Environment: PGDATA; PGHOST, the socket's folder; SETTINGS, the folder of this file; TLS_DIR.
set -eu

settings="-c config_file=$SETTINGS/postgresql.conf -c hba_file=$SETTINGS/pg_hba.conf -c ident_file=$SETTINGS/pg_ident.conf
-c unix_socket_directories=$PGHOST
-c ssl_cert_file=$TLS_DIR/tls.crt -c ssl_key_file=$TLS_DIR/tls.key -c ssl_ca_file=$TLS_DIR/ca.crt"
database=shop

# PostgreSQL sees a second server on one folder by process id and shared memory; pods share neither. This lock is the kernel's, and lasts as
# long as any process of the server.
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
    rm -rf "$PGDATA.new" # of an init that was killed
    initdb -D "$PGDATA.new" -U postgres --auth=reject --encoding=UTF8 --locale=C.UTF-8 --no-instructions
    mv "$PGDATA.new" "$PGDATA"
  fi
  pg_ctl -D "$PGDATA" -w -o "$(echo $settings) -c listen_addresses=''" start
  make_database
  pg_ctl -D "$PGDATA" -w -m fast stop
}

# The server reads a renewed certificate only when told to.
watch_certificate() {
  exec 9>&-
  before=$(cksum "$TLS_DIR/tls.crt")
  while sleep "${TLS_EVERY:-10}"; do
    now=$(cksum "$TLS_DIR/tls.crt") || continue
    [ "$now" = "$before" ] || kill -HUP "$1"
    before=$now
  done
}

serve() {
  lock
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
