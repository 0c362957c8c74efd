package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// request is one with the cookies of an answer.
func request(after *httptest.ResponseRecorder, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://ghlsync.example.com/", http.NoBody)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if after != nil {
		for _, c := range after.Result().Cookies() {
			r.AddCookie(c)
		}
	}
	return r
}

func logIn(t *testing.T, g *Guard, token string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := g.LogIn(w, request(nil, header...), token); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestSession(t *testing.T) {
	t.Parallel()
	g := newGuard("a-token")
	now := time.Now()
	g.sessions.now = func() time.Time { return now }
	if err := g.Check(request(nil)); !errors.Is(err, ErrLogin) {
		t.Errorf("without a session: %v", err)
	}
	w := logIn(t, g, "a-token")
	header := w.Header().Get("Set-Cookie")
	for _, want := range []string{"ghlsync_session=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(header, want) {
			t.Errorf("the cookie %q lacks %s", header, want)
		}
	}
	if strings.Contains(header, "Secure") || strings.Contains(header, "a-token") {
		t.Errorf("the cookie is %q", header)
	}
	if err := g.Check(request(w)); err != nil {
		t.Errorf("with a session: %v", err)
	}
	wrong := request(nil)
	wrong.AddCookie(&http.Cookie{Name: sessionCookie, Value: "guessed"})
	if err := g.Check(wrong); !errors.Is(err, ErrLogin) {
		t.Errorf("with a guessed session: %v", err)
	}
	now = now.Add(SessionTime - time.Second)
	if err := g.Check(request(w)); err != nil {
		t.Errorf("at its end: %v", err)
	}
	now = now.Add(time.Second)
	if err := g.Check(request(w)); !errors.Is(err, ErrLogin) {
		t.Errorf("after its end: %v", err)
	}
}

func TestLogOutEndsTheSession(t *testing.T) {
	t.Parallel()
	g := newGuard("a-token")
	one, other := logIn(t, g, "a-token"), logIn(t, g, "a-token")
	w := httptest.NewRecorder()
	g.LogOut(w, request(one))
	if err := g.Check(request(one)); !errors.Is(err, ErrLogin) {
		t.Errorf("after the logout, with the old cookie: %v", err)
	}
	if err := g.Check(request(other)); err != nil {
		t.Errorf("another session: %v", err)
	}
	if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("the cookie is not taken away: %v", c)
	}
}

// Where the way to the daemon is encrypted the cookie says so, and one without the
// prefix, which anybody in between could have set, is none.
func TestSessionBehindTLS(t *testing.T) {
	t.Parallel()
	const https = "X-Forwarded-Proto: https"
	g := newGuard("a-token")
	w := logIn(t, g, "a-token", https)
	if header := w.Header().Get("Set-Cookie"); !strings.HasPrefix(header, "__Host-ghlsync_session=") || !strings.Contains(header, "Secure") {
		t.Errorf("the cookie is %q", header)
	}
	if err := g.Check(request(w, https)); err != nil {
		t.Error(err)
	}
	if err := g.Check(request(logIn(t, g, "a-token"), https)); !errors.Is(err, ErrLogin) {
		t.Errorf("with a cookie that is not of this very host: %v", err)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	g := newGuard("a-token")
	now := time.Now()
	g.sessions.now = func() time.Time { return now }
	first := logIn(t, g, "a-token")
	var last *httptest.ResponseRecorder
	for range maxSessions {
		now = now.Add(time.Second)
		last = logIn(t, g, "a-token")
	}
	if n := len(g.sessions.ends); n != maxSessions {
		t.Errorf("%d sessions are kept", n)
	}
	if g.Check(request(first)) == nil || g.Check(request(last)) != nil {
		t.Error("not the oldest session made room")
	}
}

func TestWrongTokensAreLimited(t *testing.T) {
	t.Parallel()
	g := newGuard("a-token")
	now := time.Now()
	g.sessions.now = func() time.Time { return now }
	for range 3 * wrongTokens { // right ones do not count
		logIn(t, g, "a-token")
	}
	try := func(token string) error { return g.LogIn(httptest.NewRecorder(), request(nil), token) }
	for i := range wrongTokens {
		if err := try("wrong"); !errors.Is(err, ErrLogin) {
			t.Fatalf("wrong token %d: %v", i, err)
		}
	}
	if err := try("wrong"); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
	if err := try("a-token"); !errors.Is(err, ErrTooMany) {
		t.Errorf("a right one among them tells whether it is: %v", err)
	}
	now = now.Add(time.Minute)
	if err := try("a-token"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestNobodyLogsInWithoutAToken(t *testing.T) {
	t.Parallel()
	if err := newGuard("").LogIn(httptest.NewRecorder(), request(nil), ""); !errors.Is(err, ErrLogin) {
		t.Errorf("the empty token opens a session: %v", err)
	}
}
