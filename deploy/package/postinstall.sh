#!/bin/sh
# After the files are in place, at an install and at an upgrade alike; again does no harm.
set -e

if ! getent group ghlsync >/dev/null; then
	groupadd --system ghlsync
fi
if ! getent passwd ghlsync >/dev/null; then
	useradd --system --gid ghlsync --home-dir /var/lib/ghlsync --no-create-home --shell /usr/sbin/nologin ghlsync
fi
# The secrets are for root to write and for the daemon to read, and for nobody else.
chown root:ghlsync /etc/ghlsync /etc/ghlsync/.env
chmod 0750 /etc/ghlsync
chmod 0640 /etc/ghlsync/.env

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# Only where it runs: before the first start somebody has to write the settings.
	systemctl try-restart ghlsync.service
fi
