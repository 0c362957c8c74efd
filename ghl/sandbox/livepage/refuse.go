package livepage

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// crossOrigin knows by the browser's own headers that a page of another origin
// sends a change. Programs send no such header, and pass.
var crossOrigin = http.NewCrossOriginProtection()

// Refuse tells why a request must be answered 403: a web page elsewhere made
// somebody's browser send it.
func Refuse(r *http.Request) error {
	if !namesThisMachine(r.Host) {
		return fmt.Errorf("host %q is not this machine: call it localhost, or by its IP address", r.Host)
	}
	return crossOrigin.Check(r)
}

// namesThisMachine tells hosts that no foreign DNS answer can have led here: a
// rebound name is always a name, and localhost never is asked of DNS.
func namesThisMachine(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport // without a port
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
