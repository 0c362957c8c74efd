package dashboard

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"

	"ghlsync/internal/logging"
	"ghlsync/state"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = loadPages()

func loadPages() map[string]*template.Template {
	all := make(map[string]*template.Template)
	base := template.Must(template.New("").Funcs(funcs).ParseFS(pageFiles, "pages/base.html", "pages/parts.html"))
	for _, name := range []string{"overview", "mappings", "event", "confirm", "login", "problem"} {
		all[name] = template.Must(template.Must(base.Clone()).ParseFS(pageFiles, "pages/"+name+".html"))
	}
	return all
}

// page is what every page shows around its body.
type page struct {
	Title  string
	Here   string // the entry of the navigation
	Frame  *frame // nil: nothing is known
	LogOut bool   // there is somebody to log out
	Note   *note
	Charts bool
	Fresh  bool // the script fetches the page anew when something has changed
	Body   any
}

// show renders a page around body.
func (s *site) show(w http.ResponseWriter, r *http.Request, name, title string, body any) {
	f, err := s.live.current(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	st, ok := body.(story)
	s.render(w, http.StatusOK, name, page{
		Fresh: ok && st.Word == string(state.Pending),
		Title: title, Here: name, Frame: f, LogOut: !s.guard.Open(), Charts: name == "overview",
		Note: s.notes.take(r.URL.Query().Get("note")), Body: body,
	})
}

// render writes a whole page or none.
func (s *site) render(w http.ResponseWriter, code int, name string, p page) {
	var out bytes.Buffer
	if err := pages[name].ExecuteTemplate(&out, "base", p); err != nil {
		s.log.Error("page cannot be made", slog.String(logging.Path, name), slog.Any(logging.Error, err))
		http.Error(w, "the page cannot be made; see the daemon's log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes()) // who left has no use for an error
}

// problem is a page that says what is wrong.
func (s *site) problem(w http.ResponseWriter, code int, what string) {
	s.render(w, code, "problem", page{Title: http.StatusText(code), Body: what})
}

func (s *site) nothing(w http.ResponseWriter, _ *http.Request) {
	s.problem(w, http.StatusNotFound, "There is nothing at this address.")
}

// fail makes a page of an error.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to be answered
	}
	if wrongRequest(err) {
		s.problem(w, http.StatusBadRequest, err.Error())
		return
	}
	s.log.Error("request failed", slog.String(logging.Path, r.Pattern), slog.Any(logging.Error, err))
	s.problem(w, http.StatusInternalServerError, err.Error())
}

// within is a path of this site that may be gone back to; "/" for anything else.
func within(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || len(path) < 1 || path[0] != '/' ||
		len(path) > 1 && (path[1] == '/' || path[1] == '\\') {
		return "/"
	}
	return path
}

func queryEscape(s string) string { return url.QueryEscape(s) }

// eventURL is the page of one event.
func eventURL(id string) string { return "/event?id=" + queryEscape(id) }
