#!/bin/sh
# A sentinel that watches the server called `exchange`; which one that is by now, it keeps.  $1 is the
# name others reach it by.
set -eu
if [ ! -s /data/sentinel.conf ]; then
  cat >/data/sentinel.conf <<CONF
port 26379
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $1
sentinel monitor exchange redis-a 6379 2
sentinel auth-pass exchange $REDIS_PASSWORD
sentinel down-after-milliseconds exchange 3000
sentinel failover-timeout exchange 20000
CONF
fi
exec docker-entrypoint.sh redis-server /data/sentinel.conf --sentinel
