package sandbox

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
)

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page/page.html"))

// pagePolicy lets the page load what the sandbox serves, and nothing written
// into it run.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pageRoutes are the page at / and what it is made of. Its forms work without
// its script, which only saves the reader from reloading.
func (s *Sandbox) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.serveFront)
	mux.HandleFunc("GET /sandbox/page.css", servePart("page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /sandbox/page.js", servePart("page.js", "text/javascript; charset=utf-8"))
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
	var page bytes.Buffer
	if err := pageTemplate.ExecuteTemplate(&page, "page", s.view(readSpan(r, s.opts.Now()))); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	pageHeaders(w.Header(), "text/html; charset=utf-8")
	_, _ = page.WriteTo(w)
}

func servePart(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		part, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		pageHeaders(w.Header(), contentType)
		_, _ = w.Write(part) // who has left does not hear it
	}
}

func pageHeaders(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
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
