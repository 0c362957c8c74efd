package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strings"

	"ghlsync/internal/config"
)

// Why a request is refused. See [Guard.Check].
var (
	ErrName  = errors.New("without HTTP_TOKEN only names of this machine are answered")
	ErrLogin = errors.New("the token is missing or wrong")
)

// Guard lets requests through that may see more than the probes: those with the
// token, as a bearer or by a session that it opened, or, where there is no token,
// those to a name of this machine.
type Guard struct {
	token    [sha256.Size]byte
	open     bool // there is no token
	sessions *sessions
}

func newGuard(token string) *Guard {
	return &Guard{token: sha256.Sum256([]byte(token)), open: token == "", sessions: newSessions()}
}

// Open reports whether there is no token, so that nobody logs in.
func (g *Guard) Open() bool { return g.open }

// Check returns nil, ErrName or ErrLogin.
func (g *Guard) Check(r *http.Request) error {
	switch {
	case g.open && !local(r.Host):
		// A page of another site can have its own name point to 127.0.0.1; the
		// browser then takes us for that site. The name gives it away.
		return ErrName
	case !g.open && !g.bearer(r) && !g.sessions.admit(r):
		return ErrLogin
	default:
		return nil
	}
}

// wrap guards a route of the API.
func (g *Guard) wrap(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch err := g.Check(r); {
		case err == nil:
			next(w, r)
		case errors.Is(err, ErrName):
			refuse(w, http.StatusForbidden, err.Error(), "use 127.0.0.1 or localhost, or set HTTP_TOKEN")
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="ghlsync"`)
			refuse(w, http.StatusUnauthorized, err.Error(), "send HTTP_TOKEN as 'Authorization: Bearer …'")
		}
	}
}

func (g *Guard) bearer(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && g.matches(token)
}

// matches compares hashes, so that neither content nor length of the token shows
// in the time that it takes.
func (g *Guard) matches(token string) bool {
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return config.Loopback(strings.Trim(host, "[]"))
}
