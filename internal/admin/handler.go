package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"ghlsync/internal/logging"
	"ghlsync/internal/operate"
	"ghlsync/internal/pipeline"
	"ghlsync/state"
)

// handler holds what the routes share.
type handler struct {
	service *Service
	log     *slog.Logger
}

// newHandler makes the routes. Each is one line here, with its guard.
func newHandler(o Options, log *slog.Logger) http.Handler {
	h := &handler{service: o.Service, log: log}
	g := newGuard(o.Token)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.alive)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /api/v1/status", g.wrap(h.status))
	mux.HandleFunc("GET /api/v1/mappings", g.wrap(h.list))
	// The rest of the path is one id, whatever is in it. Verbs are POST, so an
	// event may be called 'retry'.
	mux.HandleFunc("GET /api/v1/mappings/{id...}", g.wrap(h.show))
	mux.HandleFunc("GET /api/v1/explain/{id...}", g.wrap(h.explain))
	for _, v := range []operate.Verb{operate.Retry, operate.Release, operate.Drop} {
		mux.HandleFunc("POST /api/v1/mappings/"+string(v), g.wrap(h.do(v)))
	}
	mux.HandleFunc("POST /api/v1/delivery/pause", g.wrap(h.pause(true)))
	mux.HandleFunc("POST /api/v1/delivery/resume", g.wrap(h.pause(false)))
	mux.HandleFunc("POST /api/v1/reconcile", g.wrap(h.reconcile))
	mux.HandleFunc("POST /api/v1/backfill", g.wrap(h.backfill))
	// Who calls back has a secret of its own, and no token.
	mux.Handle("POST /callbacks/ghl", h.callback(o.Callbacks.Workflow))
	mux.Handle("POST /callbacks/ghl/app", h.callback(o.Callbacks.App))
	if o.Metrics != nil {
		mux.HandleFunc("GET /metrics", g.wrap(o.Metrics.ServeHTTP))
	}
	mux.HandleFunc("/api/", g.wrap(h.nothing))
	if o.Pages != nil {
		mux.Handle("/", o.Pages.Handler(g))
	} else {
		mux.HandleFunc("/", g.wrap(h.nothing))
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

func (h *handler) alive(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "alive"})
}

// ready tells load balancers and process supervisors. It is open to all, so it
// tells the phase and no error's text.
func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	phase := h.service.Live.Capture().Phase
	code, body := http.StatusOK, map[string]any{"ready": true, "phase": phase}
	if !phase.Ready() {
		code = http.StatusServiceUnavailable
		body = map[string]any{"ready": false, "phase": phase, "reason": fmt.Sprintf("capture is %s; see /api/v1/status", phase)}
	}
	answer(w, code, body)
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	s, err := h.service.Status(r.Context())
	h.answer(w, r, s, err)
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	limit, err := number(r, "limit")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	q := r.URL.Query()
	p, err := h.service.Page(r.Context(), Query{Status: q.Get("status"), Text: q.Get("q"), After: q.Get("after"), Limit: limit})
	h.answer(w, r, p, err)
}

func (h *handler) show(w http.ResponseWriter, r *http.Request) {
	o, err := showOptions(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	d, err := h.service.Show(r.Context(), r.PathValue("id"), o)
	h.answer(w, r, d, err)
}

func (h *handler) explain(w http.ResponseWriter, r *http.Request) {
	o, err := showOptions(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	e, err := h.service.Explain(r.Context(), r.PathValue("id"), o)
	h.answer(w, r, e, err)
}

// showOptions reads how much of one event is asked for.
func showOptions(r *http.Request) (o Show, err error) {
	if o.Attempts, err = number(r, "attempts"); err != nil {
		return o, err
	}
	if text := r.URL.Query().Get("payload"); text != "" {
		if o.Payload, err = strconv.ParseBool(text); err != nil {
			return o, fmt.Errorf("%w: payload %q is neither true nor false", ErrRequest, text)
		}
	}
	return o, nil
}

func (h *handler) do(v operate.Verb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A writer without deadlines answers in its own time.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(verbTimeout))
		var s operate.Selection
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil {
			h.fail(w, r, bodyError(err))
			return
		}
		report, err := h.service.Do(r.Context(), v, s)
		if report.Done > 0 {
			h.log.Info("operator changed mappings", slog.String(logging.Operation, string(v)), slog.Int(logging.Count, report.Done))
		}
		h.answer(w, r, report, err)
	}
}

func (h *handler) pause(pause bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := h.service.SetPaused(r.Context(), pause)
		h.answer(w, r, p, err)
	}
}

// bodyError says what is wrong with a body, without what it holds.
func bodyError(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return fmt.Errorf("%w: the body is larger than %d bytes: send the ids in parts", ErrRequest, tooLarge.Limit)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf(`%w: the body is empty: send {"ids":["…"]}, {"all":true} or {"failed":true}`, ErrRequest)
	}
	return fmt.Errorf(`%w: the body is not {"ids":["…"]}, {"all":true} or {"failed":true}`, ErrRequest)
}

func (h *handler) nothing(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, "there is nothing at this path", "see /api/v1/status and /api/v1/mappings")
}

// number reads a count from the query; 0 if it is not given.
func number(r *http.Request, name string) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w: %s %q is not a number above 0", ErrRequest, name, text)
	}
	return n, nil
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, document any, err error) {
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, document)
}

// fail is the one place where errors become answers.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case r.Context().Err() != nil:
		// Nobody is there to be answered.
	case errors.Is(err, state.ErrNotFound):
		refuse(w, http.StatusNotFound, err.Error(), "see /api/v1/mappings for the ids")
	case errors.Is(err, ErrRequest), errors.Is(err, operate.ErrSelection), errors.Is(err, pipeline.ErrWhich):
		refuse(w, http.StatusBadRequest, err.Error(), "")
	case errors.Is(err, pipeline.ErrBusy):
		refuse(w, http.StatusConflict, err.Error(), "ask again when it has ended")
	case errors.Is(err, pipeline.ErrNotStreaming):
		refuse(w, http.StatusServiceUnavailable, err.Error(), "see 'ghlsync status', and ask again when it streams")
	default:
		h.log.Error("request failed", slog.String(logging.Path, r.Pattern), slog.Any(logging.Error, err))
		refuse(w, http.StatusInternalServerError, err.Error(), "see the daemon's log")
	}
}

// failure is the body of every answer that is an error.
type failure struct {
	Error string `json:"error"`
	Mend  string `json:"mend,omitempty"`
}

func refuse(w http.ResponseWriter, code int, what, mend string) {
	answer(w, code, failure{Error: what, Mend: mend})
}

func answer(w http.ResponseWriter, code int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		// All documents are of our own types, of which each can be encoded.
		code, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	head(w, "application/json; charset=utf-8", code)
	_, _ = w.Write(append(body, '\n')) // a client that left has no use for an error
}

func head(w http.ResponseWriter, contentType string, code int) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
}
