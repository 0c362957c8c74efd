#!/bin/sh
# The state stays at a removal, for the next install. A purge (dpkg alone has it) takes it away: it holds clients' data.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rm -rf /var/lib/ghlsync
fi
