package dashboard

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"ghlsync/internal/logging"
	"ghlsync/internal/operate"
)

// actTimeout is for what goes through many rows.
const actTimeout = 10 * time.Minute

// shownRefusals is how many a page names.
const shownRefusals = 5

// do does what a form asks of one mapping, or of all that qualify.
func (s *site) do(v operate.Verb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		extend(w, actTimeout)
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		var sel operate.Selection
		switch id := r.PostFormValue("id"); {
		case id != "":
			sel.IDs = []string{id}
		case v == operate.Retry:
			sel.Failed = r.PostFormValue("all") != ""
		default:
			sel.All = r.PostFormValue("all") != ""
		}
		report, err := s.service.Do(r.Context(), v, sel)
		if report.Done > 0 {
			s.logAct(string(v), report.Done)
		}
		if err != nil && wrongRequest(err) {
			s.fail(w, r, err)
			return
		}
		s.back(w, r, told(v, report, err))
	}
}

// pause pauses delivery, or lets it go on.
func (s *site) pause(pause bool) http.HandlerFunc {
	verb, text := "resume", "Delivery goes on."
	if pause {
		verb, text = "pause", "Delivery is paused: calls in flight end, and no further one leaves until you resume it. Changes are still captured."
	}
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		extend(w, actTimeout)
		p, err := s.service.SetPaused(r.Context(), pause)
		n := note{Kind: "done", Text: text}
		switch {
		case err != nil:
			n = note{Kind: "error", Text: sentence(err.Error())}
		case !p.Changed:
			n.Text = "Nothing to do: delivery was not paused."
			if pause {
				n.Text = "Nothing to do: delivery was paused before."
			}
		default:
			s.logAct(verb, 1)
		}
		s.back(w, r, n)
	}
}

func (s *site) logAct(verb string, n int) {
	s.log.Info("operator acted from a page", slog.String(logging.Operation, verb), slog.Int(logging.Count, n))
}

// back goes to the page that the form was on, with a note.
func (s *site) back(w http.ResponseWriter, r *http.Request, n note) {
	u, err := url.Parse(within(r.PostFormValue("back")))
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	q := u.Query()
	q.Set("note", s.notes.put(n))
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
}

// told puts a report into words.
func told(v operate.Verb, r operate.Report, err error) note {
	n := note{Kind: "done", Text: doneText(v, int64(r.Done)), Refused: r.Refused[:min(len(r.Refused), shownRefusals)]}
	if r.Left > 0 {
		n.Text += " " + plural(int64(r.Left), "was", "were") + " left as " + map[bool]string{true: "it is", false: "they are"}[r.Left == 1] + ":"
	}
	if err != nil {
		n.Kind = "error"
		n.Text = sentence(err.Error()) + " Before that: " + n.Text
	}
	return n
}

func doneText(v operate.Verb, n int64) string {
	if n == 0 {
		return "Nothing was changed."
	}
	switch v {
	case operate.Retry:
		return plural(n, "event is", "events are") + " tried again."
	case operate.Release:
		return plural(n, "deletion goes", "deletions go") + " out to GHL."
	default:
		return plural(n, "deletion was", "deletions were") + " dropped: what is in GHL stays."
	}
}

// question is the body of a page that asks before something is done that cannot be
// taken back.
type question struct {
	Verb         string
	ID           string // "": all
	Text, Button string
	Back         string
}

func (s *site) confirm(w http.ResponseWriter, r *http.Request) {
	v := operate.Verb(r.PathValue("verb"))
	if v != operate.Release && v != operate.Drop {
		s.nothing(w, r)
		return
	}
	f, err := s.live.current(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	q := question{Verb: string(v), ID: r.URL.Query().Get("id"), Back: within(r.URL.Query().Get("back"))}
	what := "1 held deletion"
	if q.ID == "" {
		what = plural(f.Status.Mappings.Held, "held deletion", "held deletions")
	}
	if v == operate.Release {
		q.Text = fmt.Sprintf("Release %s? The appointments are deleted in GHL, which cannot be taken back.", what)
		q.Button = "Release " + what
	} else {
		q.Text = fmt.Sprintf("Drop %s? The appointments stay in GHL, although their events are gone from Sentra.", what)
		q.Button = "Drop " + what
	}
	s.show(w, r, "confirm", "Confirm", q)
}
