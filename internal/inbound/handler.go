package inbound

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"ghlsync/ghl/callback"
	"ghlsync/internal/logging"
)

// Workflow serves POST /callbacks/ghl; nil without a secret.
func (in *Inbound) Workflow() http.Handler {
	if in.o.Secret == "" {
		return nil
	}
	return http.HandlerFunc(in.workflow)
}

// App serves POST /callbacks/ghl/app; nil without a key.
func (in *Inbound) App() http.Handler {
	if in.o.AppKey == nil {
		return nil
	}
	return http.HandlerFunc(in.app)
}

// workflow checks a bearer token before it reads the body, and a signature, which
// covers the body, after that.
func (in *Inbound) workflow(w http.ResponseWriter, r *http.Request) {
	signed := callback.Signed(r.Header)
	if !signed {
		if err := in.secret.CheckBearer(r.Header); err != nil {
			in.refuse(w, r, err)
			return
		}
	}
	body, ok := read(w, r)
	if !ok {
		return
	}
	if signed {
		if err := in.secret.CheckSignature(r.Header, body, in.o.Now()); err != nil {
			in.refuse(w, r, err)
			return
		}
	}
	report, err := callback.Decode(body)
	if err != nil {
		answer(w, http.StatusBadRequest, failure{err.Error()})
		return
	}
	res, err := in.Report(r.Context(), report)
	in.conclude(w, r, res, err, "sentra_event_id", report.EventID, report.AppointmentID)
}

func (in *Inbound) app(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	if err := callback.CheckApp(in.o.AppKey, r.Header.Get(callback.HeaderAppSignature), body); err != nil {
		in.refuse(w, r, err)
		return
	}
	change, err := callback.DecodeApp(body)
	if err != nil {
		answer(w, http.StatusBadRequest, failure{err.Error()})
		return
	}
	res, err := in.Change(r.Context(), change)
	in.conclude(w, r, res, err, "change", string(change.Kind), change.AppointmentID)
}

// read reads the body within its limit, and answers where it cannot.
func read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, callback.MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		answer(w, http.StatusRequestEntityTooLarge, failure{"the body is too large"})
		return nil, false
	}
	if err != nil {
		answer(w, http.StatusBadRequest, failure{"the body was cut"})
		return nil, false
	}
	return body, true
}

// conclude logs and answers what came of a callback. One that changes nothing is
// a success too: sending it again would not help.
func (in *Inbound) conclude(w http.ResponseWriter, r *http.Request, res Result, err error, key, about, appointment string) {
	if err != nil {
		if r.Context().Err() == nil {
			in.o.Log.Error("callback could not be recorded", slog.String(logging.Path, r.Pattern), slog.Any(logging.Error, err))
		}
		answer(w, http.StatusServiceUnavailable, failure{"it could not be recorded: send it again"})
		return
	}
	in.o.Hook(r.Pattern, res)
	in.o.Log.Log(r.Context(), res.level(), "callback taken",
		slog.String("result", string(res)), slog.String(key, about), slog.String("ghl_appointment_id", appointment))
	code := http.StatusOK
	if res == UnknownEvent {
		code = http.StatusAccepted
	}
	answer(w, code, map[string]Result{"result": res})
}

// level is a warning where a person may have to look.
func (r Result) level() slog.Level {
	switch r {
	case Orphaned, Parked, Gone, Drifted, Restored, Taken, Differs:
		return slog.LevelWarn
	case Learned:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// refuse answers who cannot prove himself, and speaks of it once a minute at most.
func (in *Inbound) refuse(w http.ResponseWriter, r *http.Request, err error) {
	in.o.Hook(r.Pattern, Refused)
	if n := in.refused.add(in.o.Now()); n > 0 {
		in.o.Log.Warn("callbacks refused", slog.Int(logging.Count, n),
			slog.String(logging.Path, r.Pattern), slog.String(logging.Reason, err.Error()))
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="ghlsync callbacks"`)
	answer(w, http.StatusUnauthorized, failure{err.Error()})
}

// tally counts what is to be told together.
type tally struct {
	mu    sync.Mutex
	told  time.Time
	count int
}

const tellEvery = time.Minute

// add counts one more. It returns how many to tell of; 0: not now.
func (t *tally) add(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	if !t.told.IsZero() && now.Sub(t.told) < tellEvery {
		return 0
	}
	n := t.count
	t.told, t.count = now, 0
	return n
}

type failure struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, code int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		// All documents are of our own types, of which each can be encoded.
		code, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // a client that left has no use for an error
}
