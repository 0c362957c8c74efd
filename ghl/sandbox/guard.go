package sandbox

import (
	"net/http"
	"strings"

	"ghlsync/ghl/sandbox/livepage"
)

// foreign tells why a request has no business with the sandbox's own endpoints.
// GHL's endpoints are open to everybody, as GHL's are.
func foreign(r *http.Request) error {
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/sandbox/") {
		return nil
	}
	return livepage.Refuse(r)
}
