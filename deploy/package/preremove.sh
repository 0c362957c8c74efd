#!/bin/sh
# dpkg says "remove" or "upgrade", rpm how many versions will be left.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now ghlsync.service
fi
echo 'ghlsync: its replication slot is still in the database and keeps WAL there.'
echo "ghlsync: drop it with: SELECT pg_drop_replication_slot('ghlsync');"
