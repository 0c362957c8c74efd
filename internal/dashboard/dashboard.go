package dashboard

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"ghlsync/internal/admin"
	"ghlsync/internal/logging"
	"ghlsync/internal/operate"
	"ghlsync/internal/trend"
)

// Options set up a Dashboard. All are required.
type Options struct {
	Service *admin.Service
	Trend   *trend.Recorder
	Log     *slog.Logger
}

// Dashboard is the pages of one daemon. It is safe for concurrent use.
type Dashboard struct {
	service *admin.Service
	trend   *trend.Recorder
	log     *slog.Logger
	live    *live
	notes   notes
}

var _ admin.Pages = (*Dashboard)(nil)

// New makes a dashboard, which serves once its Handler is asked for.
func New(o Options) *Dashboard {
	d := &Dashboard{service: o.Service, trend: o.Trend, log: o.Log.With(slog.String(logging.Component, "dashboard"))}
	d.live = newLive(d.sample)
	return d
}

// Stop ends the streams, and lets none begin.
func (d *Dashboard) Stop() { d.live.stop() }

// Handler makes the routes.
func (d *Dashboard) Handler(g *admin.Guard) http.Handler {
	s := &site{Dashboard: d, guard: g}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.guarded(s.overview))
	mux.HandleFunc("GET /mappings", s.guarded(s.mappings))
	// An id is whatever Sentra's table has: also '..' and 'a//b', which are no paths.
	mux.HandleFunc("GET /event", s.guarded(s.event))
	mux.HandleFunc("GET /confirm/{verb}", s.guarded(s.confirm))
	for _, v := range []operate.Verb{operate.Retry, operate.Release, operate.Drop} {
		mux.HandleFunc("POST /do/"+string(v), s.guarded(s.do(v)))
	}
	mux.HandleFunc("POST /do/pause", s.guarded(s.pause(true)))
	mux.HandleFunc("POST /do/resume", s.guarded(s.pause(false)))
	mux.HandleFunc("GET /live", s.stream)
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("GET /assets/{name}", serveAsset)
	mux.HandleFunc("/", s.guarded(s.nothing))
	return protected(mux)
}

// site is the dashboard behind its guard.
type site struct {
	*Dashboard
	guard *admin.Guard
}

// policy lets a page use what this daemon serves, and send forms to it alone.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func protected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Without any referrer a browser sends forms with 'Origin: null', which is
		// nobody's.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// guarded sends who has not logged in to the login, and back afterwards.
func (s *site) guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch err := s.guard.Check(r); {
		case err == nil:
			next(w, r)
		case errors.Is(err, admin.ErrName):
			s.problem(w, http.StatusForbidden, err.Error()+": use 127.0.0.1 or localhost, or set HTTP_TOKEN")
		default:
			back := "/"
			if r.Method == http.MethodGet {
				back = r.URL.RequestURI()
			}
			http.Redirect(w, r, "/login?back="+queryEscape(back), http.StatusSeeOther)
		}
	}
}

// extend gives an answer that takes its time a deadline of its own.
func extend(w http.ResponseWriter, d time.Duration) {
	// A writer without deadlines answers in its own time.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}
