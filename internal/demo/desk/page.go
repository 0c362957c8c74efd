package desk

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox/livepage"
)

//go:embed page
var files embed.FS

var page = livepage.Page{
	Template: template.Must(template.ParseFS(files, "page/page.html")),
	Regions:  []string{"clients", "events"},
}

// pace is how often a page that somebody watches reads the tables.
const pace = 500 * time.Millisecond

// view is all that the template reads.
type view struct {
	Events   []event
	Clients  []client
	Kinds    []string
	Beside   []Link
	Tomorrow string
}

func (d *Desk) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.serve)
	mux.HandleFunc("GET /base.css", livepage.Base)
	mux.HandleFunc("GET /live.js", livepage.Script)
	mux.HandleFunc("GET /page.css", livepage.Part(files, "page/page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /live", d.live)
	mux.HandleFunc("POST /create", form(d.create))
	mux.HandleFunc("POST /edit", form(d.edit))
	mux.HandleFunc("POST /delete", form(d.remove))
	return d.tracked(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := livepage.Refuse(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

func (d *Desk) serve(w http.ResponseWriter, r *http.Request) {
	err := d.connected(r.Context(), func(conn *pgx.Conn) error {
		v, err := d.view(r.Context(), conn)
		if err == nil {
			page.Serve(w, v)
		}
		return err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

func (d *Desk) view(ctx context.Context, conn *pgx.Conn) (v view, err error) {
	v = view{Kinds: kinds, Beside: d.beside, Tomorrow: time.Now().AddDate(0, 0, 1).Format(time.DateOnly)}
	if v.Clients, err = readClients(ctx, conn); err != nil {
		return v, err
	}
	v.Events, err = readEvents(ctx, conn)
	return v, err
}

func (d *Desk) live(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	wait := func() bool {
		select {
		case <-tick.C:
			return true
		case <-r.Context().Done():
			return false
		}
	}
	// Without a connection the stream ends at once, and the page tries again.
	_ = d.connected(r.Context(), func(conn *pgx.Conn) error {
		page.Stream(w, func() (any, error) { return d.view(r.Context(), conn) }, wait)
		return nil
	})
}

// form serves a button of the page: it does what it says and shows the page again.
func form(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			http.Error(w, fmt.Sprintf("the form was cut or is too large: %v", err), http.StatusBadRequest)
			return
		}
		if err := do(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}
