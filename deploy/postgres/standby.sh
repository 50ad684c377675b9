#!/bin/bash
# A standby of postgres-a: copied on its first start, followed from then on.  $1 names its slot.
set -euo pipefail
data=/var/lib/postgresql/18/docker
if [ ! -s "$data/PG_VERSION" ]; then
  install -d -m 0700 -o postgres -g postgres "$data"
  PGPASSWORD="$POSTGRES_PASSWORD" gosu postgres pg_basebackup -R -X stream -C -S "$1" -D "$data" \
    -h postgres-a -U standby
fi
exec gosu postgres postgres -D "$data"
