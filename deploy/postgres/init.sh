#!/bin/bash
# What an empty PostgreSQL needs before `exchange migrate`: a database and a role for each service,
# a role that may only read reports, and one for standbys.  Run by the image once, or by hand with
# psql's variables in the environment; the settings come into force when the server is next started,
# and standbys, which must have the same, copy them.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -U postgres <<SQL
ALTER SYSTEM SET max_connections = 500;
ALTER SYSTEM SET wal_log_hints = on;
ALTER SYSTEM SET hot_standby_feedback = on;
ALTER SYSTEM SET max_slot_wal_keep_size = '8GB';
ALTER SYSTEM SET idle_in_transaction_session_timeout = '60s';
ALTER SYSTEM SET jit = off;
ALTER SYSTEM SET max_parallel_workers_per_gather = 0;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
\c template1
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE ROLE analytics LOGIN PASSWORD '${ANALYTICS_PASSWORD}';
ALTER ROLE analytics SET timezone = 'UTC';
CREATE ROLE standby LOGIN REPLICATION PASSWORD '${POSTGRES_PASSWORD}';
SQL
for name in gateway tracker accounting mailer; do
  password="${name^^}_PASSWORD"
  psql -v ON_ERROR_STOP=1 -U postgres <<SQL
CREATE ROLE ${name} LOGIN PASSWORD '${!password}';
GRANT pg_monitor TO ${name};
CREATE DATABASE ${name} OWNER ${name} TEMPLATE template1;
REVOKE ALL ON DATABASE ${name} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${name} TO analytics;
SQL
done
if [ -n "${PGDATA:-}" ]; then
  echo "host replication standby all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
