#!/bin/sh
# A server that sentinels make master or replica; what they decide is kept with its data.  $1 is the
# name others reach it by, $2 the master that it follows at first.
set -eu
if [ ! -s /data/redis.conf ]; then
  cat >/data/redis.conf <<CONF
appendonly yes
maxmemory-policy noeviction
requirepass $REDIS_PASSWORD
masterauth $REDIS_PASSWORD
replica-announce-ip $1
${2:+replicaof $2 6379}
CONF
fi
exec docker-entrypoint.sh redis-server /data/redis.conf
