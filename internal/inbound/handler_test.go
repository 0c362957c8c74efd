package inbound_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/callback"
	"ghlsync/internal/inbound"
	"ghlsync/state"
)

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.wants(first, first)
	r.sends(state.Create)
	body := report("appointment_id", "ghl_1")
	old := http.Header{}
	callback.NewSecret(secret).Sign(old, []byte(body), r.now.Add(-callback.ReplayWindow-time.Second))
	other := http.Header{}
	callback.NewSecret(secret+"x").Sign(other, []byte(body), r.now)
	both := http.Header{"Authorization": {"Bearer " + secret}}
	both.Set(callback.HeaderSignature, other.Get(callback.HeaderSignature))
	for name, h := range map[string]http.Header{
		"nobody": {}, "wrong secret": {"Authorization": {"Bearer x" + secret}}, "replayed": old, "wrong signature": other, "wrong signature, right secret": both,
	} {
		if code, text := r.post(r.in.Workflow(), body, h); code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	if m := r.row(event); m.AppointmentID != "" {
		t.Fatal("the state believed it")
	}
	if n := strings.Count(r.log.String(), "callbacks refused"); n != 1 {
		t.Errorf("spoke %d times of refused ones:\n%s", n, r.log.String())
	}
	r.now = r.now.Add(time.Minute)
	r.post(r.in.Workflow(), body, http.Header{})
	if !strings.Contains(r.log.String(), "count=5") {
		t.Errorf("did not count those that it kept silent about:\n%s", r.log.String())
	}
	signed := http.Header{}
	callback.NewSecret(secret).Sign(signed, []byte(body), r.now)
	for _, want := range []inbound.Result{inbound.Learned, inbound.Known} {
		if code, text := r.post(r.in.Workflow(), body, signed); code != http.StatusOK || !strings.Contains(text, string(want)) {
			t.Errorf("signed: %d %s", code, text)
		}
	}
	refused := inbound.Refused
	if want := []inbound.Result{refused, refused, refused, refused, refused, refused, inbound.Learned, inbound.Known}; !slices.Equal(r.hooked, want) {
		t.Errorf("the hook was told %q, want %q", r.hooked, want)
	}
}

func TestWhatIsNoCallback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	header := http.Header{"Authorization": {"Bearer " + secret}}
	for body, want := range map[string]int{
		"": http.StatusBadRequest, bait: http.StatusBadRequest, "{}": http.StatusBadRequest,
		`{"x":"` + strings.Repeat(bait, callback.MaxBody/len(bait)) + `"}`: http.StatusRequestEntityTooLarge,
		report(): http.StatusAccepted,
	} {
		if code, text := r.post(r.in.Workflow(), body, header); code != want {
			t.Errorf("%.40q: %d %s, want %d", body, code, text, want)
		}
	}
	if code, _ := r.post(r.in.App(), `{"type":"AppointmentDelete","appointment":{"id":"ghl_1"}}`, header); code != http.StatusUnauthorized {
		t.Errorf("an unsigned webhook: %d", code)
	}
	none := inbound.New(inbound.Options{Store: r.store})
	if none.Workflow() != nil || none.App() != nil {
		t.Error("there are routes without a secret and a key")
	}
}

// full is a state whose disk is full.
type full struct{ inbound.Store }

func (full) Begin(context.Context) (state.Tx, error) { return nil, errors.New("sql: disk full") }

func TestStateThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *inbound.Options) { o.Store = full{} })
	code, text := r.post(r.in.Workflow(), report(), http.Header{"Authorization": {"Bearer " + secret}})
	if code != http.StatusServiceUnavailable || strings.Contains(text, "sql") || !strings.Contains(r.log.String(), "disk full") {
		t.Errorf("%d %s; logged %s", code, text, r.log.String())
	}
}

// Many at once are the same as one after the other.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.wants(first, first)
	r.sends(state.Create)
	results := make(chan inbound.Result, 16)
	for range cap(results) {
		go func() {
			res, err := r.in.Report(t.Context(), callback.Report{EventID: string(event), AppointmentID: "ghl_1"})
			if err != nil {
				t.Error(err)
			}
			results <- res
		}()
	}
	count := map[inbound.Result]int{}
	for range cap(results) {
		count[<-results]++
	}
	if count[inbound.Learned] != 1 || count[inbound.Known] != cap(results)-1 || r.woken != 1 {
		t.Errorf("%v, woken %d times", count, r.woken)
	}
}
