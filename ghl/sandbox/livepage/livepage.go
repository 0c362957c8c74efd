package livepage

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
)

//go:embed base.css live.js
var parts embed.FS

// Base is the style of all pages, and Script what keeps them live.
var (
	Base   = Part(parts, "base.css", "text/css; charset=utf-8")
	Script = Part(parts, "live.js", "text/javascript; charset=utf-8")
)

// policy lets a page load what its server sends, and nothing written into it run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Headers sets what belongs to every part of a page.
func Headers(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// Part serves one file of a page.
func Part(files fs.FS, name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		part, err := fs.ReadFile(files, name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		Headers(w.Header(), contentType)
		_, _ = w.Write(part) // who has left does not hear it
	}
}

// Page is a template "page" and the names of those templates in it that change.
type Page struct {
	Template *template.Template
	Regions  []string
}

// Serve answers with the whole page.
func (p Page) Serve(w http.ResponseWriter, data any) {
	var page bytes.Buffer
	if err := p.Template.ExecuteTemplate(&page, "page", data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	Headers(w.Header(), "text/html; charset=utf-8")
	_, _ = page.WriteTo(w) // who has left does not hear it
}

// Stream sends the regions as server-sent events: all at first, then those that
// changed, as a JSON list of HTML. look gives the data of the template; wait
// returns when it is worth another look, or false at the end. Stream returns
// then, when the reader has left, and when look fails.
func (p Page) Stream(w http.ResponseWriter, look func() (any, error), wait func() bool) {
	Headers(w.Header(), "text/event-stream")
	connection := http.NewResponseController(w)
	sent := make(map[string]string)
	for {
		data, err := look()
		if err != nil {
			return // the reader asks again, and is told that nobody answers
		}
		frame, err := p.frame(data, sent)
		if err != nil {
			return // the templates are part of the program: the page itself tells
		}
		if _, err := w.Write(frame); err != nil || connection.Flush() != nil {
			return
		}
		if !wait() {
			return
		}
	}
}

// frame is an event with the regions that are not as they were sent, or nothing
// where all are.
func (p Page) frame(data any, sent map[string]string) ([]byte, error) {
	var changed []string
	for _, region := range p.Regions {
		var html bytes.Buffer
		if err := p.Template.ExecuteTemplate(&html, region, data); err != nil {
			return nil, fmt.Errorf("write region %s: %w", region, err)
		}
		if sent[region] != html.String() {
			sent[region] = html.String()
			changed = append(changed, html.String())
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	var event bytes.Buffer
	_, _ = io.WriteString(&event, "data: ") // a buffer takes all
	enc := json.NewEncoder(&event)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(changed); err != nil { // one line, as an event needs it
		return nil, fmt.Errorf("write a frame: %w", err)
	}
	event.WriteByte('\n')
	return event.Bytes(), nil
}
