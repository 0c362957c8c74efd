package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of sessions. They are in memory: a restart ends all.
const (
	SessionTime = 12 * time.Hour
	maxSessions = 64 // the oldest one makes room
	// wrongTokens is how many a minute are compared.
	wrongTokens = 10

	sessionCookie = "ghlsync_session"
)

// ErrTooMany means that wrong tokens were sent so often that none is compared now.
var ErrTooMany = errors.New("too many wrong tokens: wait a minute and try again")

// sessions are kept by the hash of their id, so that the time that a look-up takes
// tells nothing about an id.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	wrong *rate.Limiter
	ends  map[[sha256.Size]byte]time.Time
}

func newSessions() *sessions {
	return &sessions{
		now: time.Now, wrong: rate.NewLimiter(rate.Every(time.Minute/wrongTokens), wrongTokens),
		ends: make(map[[sha256.Size]byte]time.Time),
	}
}

// LogIn opens a session for who has the token, and sets its cookie. It returns
// ErrLogin for a wrong one, and ErrTooMany.
func (g *Guard) LogIn(w http.ResponseWriter, r *http.Request, token string) error {
	s := g.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong.TokensAt(s.now()) < 1 {
		return ErrTooMany
	}
	if g.open || !g.matches(token) {
		s.wrong.AllowN(s.now(), 1)
		return ErrLogin
	}
	id := rand.Text()
	s.add(sha256.Sum256([]byte(id)))
	http.SetCookie(w, cookie(r, id, int(SessionTime.Seconds())))
	return nil
}

// LogOut ends the request's session, if it has one.
func (g *Guard) LogOut(w http.ResponseWriter, r *http.Request) {
	if key, ok := keyOf(r); ok {
		g.sessions.mu.Lock()
		delete(g.sessions.ends, key)
		g.sessions.mu.Unlock()
	}
	http.SetCookie(w, cookie(r, "", -1))
}

func (s *sessions) add(key [sha256.Size]byte) {
	now := s.now()
	oldest := key
	s.ends[key] = now.Add(SessionTime)
	for k, end := range s.ends {
		if !end.After(now) {
			delete(s.ends, k)
		} else if end.Before(s.ends[oldest]) {
			oldest = k
		}
	}
	if len(s.ends) > maxSessions {
		delete(s.ends, oldest)
	}
}

func (s *sessions) admit(r *http.Request) bool {
	key, ok := keyOf(r)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ends[key].After(s.now())
}

func keyOf(r *http.Request) (key [sha256.Size]byte, ok bool) {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return key, false
	}
	return sha256.Sum256([]byte(c.Value)), true
}

func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteStrictMode,
	}
}

// cookieName has a prefix that makes browsers refuse the cookie from anybody but
// this very host, where the way to it is encrypted.
func cookieName(r *http.Request) string {
	if encrypted(r) {
		return "__Host-" + sessionCookie
	}
	return sessionCookie
}

// encrypted believes a proxy's word: who lies gets a cookie that is guarded more.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}
