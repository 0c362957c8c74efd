package sandbox

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"

	"ghlsync/ghl/sandbox/livepage"
)

//go:embed page
var pageFiles embed.FS

var page = livepage.Page{
	Template: template.Must(template.ParseFS(pageFiles, "page/page.html")),
	Regions:  []string{"counts", "book", "violations", "log", "in-force"},
}

// pageRoutes are the page at / and what it is made of. Its forms work without
// its script, which only saves the reader from reloading.
func (s *Sandbox) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.serveFront)
	mux.HandleFunc("GET /sandbox/base.css", livepage.Base)
	mux.HandleFunc("GET /sandbox/page.css", livepage.Part(pageFiles, "page/page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /sandbox/live.js", livepage.Script)
	mux.HandleFunc("GET /sandbox/live", s.serveLive)
	mux.HandleFunc("POST /sandbox/page/preset", s.form(s.pressPreset))
	mux.HandleFunc("POST /sandbox/page/rules", s.form(s.setRules))
	mux.HandleFunc("POST /sandbox/page/well", s.form(func(*http.Request) error { return s.Set(Faults{}) }))
	mux.HandleFunc("POST /sandbox/page/remove", s.form(s.removeByHand))
	mux.HandleFunc("POST /sandbox/page/reset", s.form(func(*http.Request) error { s.Reset(); return nil }))
}

// serveFront answers browsers with the page, and everybody else with the list
// of endpoints.
func (s *Sandbox) serveFront(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, index) // who has left does not hear it
		return
	}
	page.Serve(w, s.view(readSpan(r, s.opts.Now())))
}

// form serves a button of the page: it does what it says and shows the page
// again, the same weeks of it.
func (s *Sandbox) form(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form was cut or is too large", http.StatusBadRequest)
			return
		}
		if err := do(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, readSpan(r, s.opts.Now()).URL(), http.StatusSeeOther)
	}
}

func (s *Sandbox) removeByHand(r *http.Request) error {
	if id := r.PostFormValue("id"); !s.Remove(id) {
		return fmt.Errorf("no appointment %q in the book", id)
	}
	return nil
}
