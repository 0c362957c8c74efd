package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"ghlsync/internal/calendars"
	"ghlsync/internal/logging"
	"ghlsync/internal/pipeline"
)

// Works does what takes long, one at a time. See [pipeline.Capture] for the
// errors.
type Works interface {
	Reconcile(ctx context.Context, o pipeline.ReconcileOptions) (pipeline.Reconciliation, error)
	// Compare compares the mappings with GHL's calendars; nil where GHL is not
	// reached by its calendar API.
	Compare(ctx context.Context, o calendars.Options) (*calendars.Report, error)
	Backfill(ctx context.Context, o pipeline.BackfillOptions) (pipeline.BackfillReport, error)
}

// Reconcile is the body of a request to reconcile.
type Reconcile struct {
	DryRun      bool `json:"dry_run"`
	AdoptByTime bool `json:"adopt_by_time"`
}

// Reconciliation is what a reconcile found: between Sentra and the mappings, and
// then between those and GHL.
type Reconciliation struct {
	pipeline.Reconciliation
	GHL *calendars.Report `json:"ghl,omitempty"`
}

// Backfill is the body of a request to backfill.
type Backfill struct {
	Which  pipeline.Backfill `json:"which"` // upcoming or all
	DryRun bool              `json:"dry_run"`
}

// Line is a line of the answer to what takes long. The last one has a report or
// an error.
type Line struct {
	Progress *Progress       `json:"progress,omitempty"`
	Report   json.RawMessage `json:"report,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// Progress tells how far something is: so many of about so many.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// progressEvery is how often a line of progress is worth sending.
const progressEvery = 100 * time.Millisecond

func (h *handler) reconcile(w http.ResponseWriter, r *http.Request) {
	var body Reconcile
	if err := decode(w, r, &body, `{"dry_run":true}`); err != nil {
		h.fail(w, r, err)
		return
	}
	h.work(w, r, func(works Works, progress func(int64, int64)) (any, error) {
		found, err := works.Reconcile(r.Context(), pipeline.ReconcileOptions{DryRun: body.DryRun, Progress: progress})
		if err != nil {
			return nil, err
		}
		report := Reconciliation{Reconciliation: found}
		report.GHL, err = works.Compare(r.Context(), calendars.Options{DryRun: body.DryRun, AdoptByTime: body.AdoptByTime, Progress: progress})
		return report, err
	})
}

func (h *handler) backfill(w http.ResponseWriter, r *http.Request) {
	var body Backfill
	if err := decode(w, r, &body, `{"which":"upcoming","dry_run":true}`); err != nil {
		h.fail(w, r, err)
		return
	}
	h.work(w, r, func(works Works, progress func(int64, int64)) (any, error) {
		return works.Backfill(r.Context(), pipeline.BackfillOptions{Which: body.Which, DryRun: body.DryRun, Progress: progress})
	})
}

// decode reads a body. Its error tells what one looks like, not what it held.
func decode(w http.ResponseWriter, r *http.Request, into any, example string) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil || !errors.Is(dec.Decode(new(any)), io.EOF) {
		return fmt.Errorf("%w: the body is not like %s", ErrRequest, example)
	}
	return nil
}

// work does something and answers line by line. What fails before the first line
// is answered like any other error.
func (h *handler) work(w http.ResponseWriter, r *http.Request, do func(Works, func(int64, int64)) (any, error)) {
	if h.service.Works == nil {
		h.fail(w, r, fmt.Errorf("%w: nothing of the kind can be done here", ErrRequest))
		return
	}
	out := &lines{w: w, control: http.NewResponseController(w)}
	// The body is read; from here on reading only notices that the client left.
	_ = out.control.SetReadDeadline(time.Time{})
	report, err := do(h.service.Works, out.progress)
	switch {
	case err == nil:
		text, encoding := json.Marshal(report)
		if encoding != nil {
			h.fail(w, r, encoding)
			return
		}
		out.write(Line{Report: text})
	case out.begun:
		if r.Context().Err() == nil {
			h.log.Error("request failed", slog.String(logging.Path, r.Pattern), slog.Any(logging.Error, err))
		}
		out.write(Line{Error: err.Error()})
	default:
		h.fail(w, r, err)
	}
}

// lines writes the answer. A client that left has no use for an error: the end of
// the request's context ends the work.
type lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
	last    time.Time
}

func (l *lines) progress(done, total int64) {
	if now := time.Now(); now.Sub(l.last) >= progressEvery {
		l.last = now
		l.write(Line{Progress: &Progress{Done: done, Total: total}})
	}
}

func (l *lines) write(line Line) {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // anew for each line
	if !l.begun {
		l.begun = true
		head(l.w, "application/x-ndjson", http.StatusOK)
	}
	enc := json.NewEncoder(l.w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(line)
	_ = l.control.Flush()
}
