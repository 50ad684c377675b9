#!/bin/bash
# What an empty PostgreSQL needs before `exchange migrate`: a database and a role for each service,
# a role that may only read reports, and one for standbys.  Run by the image once, or by hand with
# psql's variables in the environment.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -U postgres <<SQL
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
