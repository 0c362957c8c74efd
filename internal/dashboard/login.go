package dashboard

import (
	"errors"
	"log/slog"
	"net/http"

	"ghlsync/internal/admin"
	"ghlsync/internal/logging"
)

// maxForm bounds what is posted.
const maxForm = 64 << 10

// door is the body of the login.
type door struct {
	Back    string
	Problem string
}

func (s *site) loginPage(w http.ResponseWriter, r *http.Request) {
	back := within(r.URL.Query().Get("back"))
	if s.guard.Check(r) == nil {
		http.Redirect(w, r, back, http.StatusSeeOther)
		return
	}
	s.render(w, http.StatusOK, "login", page{Title: "Log in", Body: door{Back: back}})
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	back := within(r.PostFormValue("back"))
	err := s.guard.LogIn(w, r, r.PostFormValue("token"))
	if err == nil {
		http.Redirect(w, r, back, http.StatusSeeOther)
		return
	}
	code := http.StatusUnauthorized
	if errors.Is(err, admin.ErrTooMany) {
		code = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "60")
	}
	s.log.Warn("login refused", slog.String(logging.Reason, err.Error()))
	s.render(w, code, "login", page{Title: "Log in", Body: door{Back: back, Problem: sentence(err.Error())}})
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	s.guard.LogOut(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
