package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"ghlsync/internal/config"
)

// guard lets requests through that may see more than the probes.
type guard struct {
	token [sha256.Size]byte
	open  bool // there is no token
}

func newGuard(token string) guard {
	return guard{token: sha256.Sum256([]byte(token)), open: token == ""}
}

func (g guard) wrap(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case g.open && !local(r.Host):
			// A page of another site can have its own name point to 127.0.0.1; the
			// browser then takes us for that site. The name gives it away.
			refuse(w, http.StatusForbidden, "without HTTP_TOKEN only names of this machine are answered", "use 127.0.0.1 or localhost, or set HTTP_TOKEN")
		case !g.open && !g.admits(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="ghlsync"`)
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong", "send HTTP_TOKEN as 'Authorization: Bearer …'")
		default:
			next(w, r)
		}
	}
}

// admits compares hashes, so that neither content nor length of the token shows
// in the time that it takes.
func (g guard) admits(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return config.Loopback(strings.Trim(host, "[]"))
}
