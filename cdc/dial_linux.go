package cdc

import (
	"strings"
	"syscall"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, which package syscall lacks.
const tcpUserTimeout = 0x12

// limitUnacknowledged makes the kernel give up a peer that acknowledges nothing.
// Keepalive probes do not do that while data is under way, and here there is
// always some: the status messages. A server that is only busy still
// acknowledges.
func limitUnacknowledged(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(deadPeer.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
