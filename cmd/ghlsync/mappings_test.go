package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ghlsync/internal/admin"
	"ghlsync/internal/calendars"
	"ghlsync/internal/mappingtest"
	"ghlsync/internal/operate"
	"ghlsync/internal/pipeline"
	"ghlsync/state"
)

// streaming is a daemon that is well.
type streaming struct{}

func (streaming) Capture() admin.Capture {
	return admin.Capture{Phase: admin.Streaming, Since: mappingtest.At}
}

func (streaming) Delivery() admin.Delivery { return admin.Delivery{Enabled: true, Breaker: "closed"} }

// webhookWorks are those of a daemon whose GHL has no calendar API.
type webhookWorks struct{ *pipeline.Capture }

func (webhookWorks) Compare(context.Context, calendars.Options) (*calendars.Report, error) {
	return nil, nil
}

// withDaemon makes a place where a daemon holds the state and serves HTTP: this
// process does so, with the same parts.
func withDaemon(t *testing.T, token string, rows ...*state.Mapping) place {
	t.Helper()
	p := newPlace(t)
	store := mappingtest.Store(t, p.path("state.db"), rows...)
	server := admin.New(admin.Options{
		Addr: "127.0.0.1:0", Token: token, Log: slog.New(slog.DiscardHandler),
		Service: &admin.Service{
			State: store, SlotName: mappingtest.Slot, Live: streaming{}, Version: "v1", Operator: operate.New(store, time.Now, nil),
			Works: webhookWorks{pipeline.New(pipeline.Options{Store: store, Zone: time.UTC, Changed: func() {}, Log: slog.New(slog.DiscardHandler)})},
		},
	})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if err := store.Announce(server.Addr()); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"STATE_URL=sqlite:state.db", "HTTP_TOKEN=" + token}
	return p
}

// withFile makes a place with a state that no daemon holds.
func withFile(t *testing.T, rows ...*state.Mapping) place {
	t.Helper()
	p := newPlace(t, "STATE_URL=sqlite:state.db")
	mappingtest.File(t, p.path("state.db"), rows...)
	return p
}

// places runs a test with the daemon up and down: answers must not differ.
func places(t *testing.T, rows func() []*state.Mapping, test func(*testing.T, place)) {
	t.Helper()
	t.Run("daemon up", func(t *testing.T) { t.Parallel(); test(t, withDaemon(t, "a-token", rows()...)) })
	t.Run("daemon down", func(t *testing.T) { t.Parallel(); test(t, withFile(t, rows()...)) })
}

func everyKind() []*state.Mapping {
	return []*state.Mapping{
		mappingtest.Synced("event/1 ü"), mappingtest.Failed("f"), mappingtest.Held("h"), mappingtest.Pending("p"), mappingtest.Untranslatable("u\x1b[2J"),
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	places(t, everyKind, func(t *testing.T, p place) {
		ids := func(args ...string) string {
			t.Helper()
			var list []admin.Mapping
			if err := json.Unmarshal([]byte(p.expect(0, append([]string{"mappings", "list", "--json"}, args...))), &list); err != nil {
				t.Fatal(err)
			}
			got := make([]string, len(list))
			for i, m := range list {
				got[i] = m.SentraEventID
			}
			return strings.Join(got, "|")
		}
		for want, args := range map[string][]string{
			"event/1 ü|f|h|p|u\x1b[2J": nil,
			"f|u\x1b[2J":               {"--status", "failed"},
			"h":                        {"--status", "held"},
			"event/1 ü":                {"--query", "/1 "},
			"h|p":                      {"--after", "f", "--limit", "2"},
			"":                         {"--query", "nobody"},
		} {
			if got := ids(args...); got != want {
				t.Errorf("%q: %q, want %q", args, got, want)
			}
		}
		out := p.expect(0, []string{"mappings", "list"}, "EVENT", "ghl-event/1 ü", "CONTACT_NOT_FOUND", "pending (held)", `"u\x1b[2J"`)
		if strings.Contains(out, "\x1b") {
			t.Errorf("an id reaches the terminal as it is: %q", out)
		}
		p.expect(0, []string{"mappings", "list", "--query", "nobody"}, "no mappings")
		p.expect(2, []string{"mappings", "list", "--status", "lost"}, `!"lost"`)
	})
}

func TestListIsPagedAndWhole(t *testing.T) {
	t.Parallel()
	const n = 2*admin.MaxLimit + 1
	rows := func() []*state.Mapping {
		var all []*state.Mapping
		for i := range n {
			all = append(all, mappingtest.Pending(fmt.Sprintf("%05d", i)))
		}
		return all
	}
	places(t, rows, func(t *testing.T, p place) {
		for _, limit := range []int{0, admin.MaxLimit, admin.MaxLimit + 1} {
			var list []admin.Mapping
			out := p.expect(0, []string{"mappings", "list", "--json", "--limit", fmt.Sprint(limit)})
			if err := json.Unmarshal([]byte(out), &list); err != nil {
				t.Fatal(err)
			}
			want := limit
			if limit == 0 {
				want = n
			}
			if len(list) != want || list[want-1].SentraEventID != fmt.Sprintf("%05d", want-1) {
				t.Errorf("limit %d: %d, the last is %s", limit, len(list), list[len(list)-1].SentraEventID)
			}
		}
		if out := p.expect(0, []string{"mappings", "list"}); strings.Count(out, "\n") != n+1 {
			t.Errorf("%d lines, want %d", strings.Count(out, "\n"), n+1)
		}
	})
}

func TestShow(t *testing.T) {
	t.Parallel()
	places(t, everyKind, func(t *testing.T, p place) {
		out := p.expect(0, []string{"mappings", "show", "f"}, "failed", "CONTACT_NOT_FOUND (GHL has no contact", "0/16B3748")
		if strings.Contains(out, "bait") {
			t.Errorf("client data without --payload: %s", out)
		}
		p.expect(0, []string{"mappings", "show", "f", "--payload"}, "bait@example.com")
		var d admin.Detail
		if err := json.Unmarshal([]byte(p.expect(0, []string{"mappings", "show", "event/1 ü", "--json"})), &d); err != nil {
			t.Fatal(err)
		}
		if d.SentraEventID != "event/1 ü" || d.SyncStatus != "synced" || *d.GHLAppointmentID != "ghl-event/1 ü" || d.Payload != nil {
			t.Errorf("got %+v", d)
		}
		p.expect(1, []string{"mappings", "show", "nobody"}, `!no mapping for this event: "nobody"`)
	})
}

// TestShowOfACallThatComesAgain: what is not known is not shown as a dash.
func TestShowOfACallThatComesAgain(t *testing.T) {
	t.Parallel()
	p := withFile(t, mappingtest.Refused("r"), mappingtest.Pending("p"))
	p.expect(0, []string{"mappings", "show", "r"}, "\nGHL has      absent\n",
		"\ncall         create, rejected, started 2026-01-15T09:00:00Z, delivery delivery-of-r\n")
	p.env = append(p.env, "GHL_WEBHOOK_ENABLED=false")
	p.expect(0, []string{"mappings", "show", "p"}, "\nerror        Webhook disabled\n")
}

func TestRetryReleaseDrop(t *testing.T) {
	t.Parallel()
	places(t, everyKind, func(t *testing.T, p place) {
		p.expect(1, []string{"mappings", "retry", "nobody", "f"}, "1 scheduled again", "left as it is: nobody: there is no mapping")
		p.expect(1, []string{"mappings", "retry", "f"}, "0 scheduled again", "it has not failed: it is pending")
		p.expect(0, []string{"mappings", "retry", "--failed"}, "0 scheduled again", "client_missing")
		var r operate.Report
		if err := json.Unmarshal([]byte(p.expect(0, []string{"mappings", "drop", "h", "--json"})), &r); err != nil || r.Done != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		p.expect(0, []string{"mappings", "release", "--all"}, "0 released\n")
		p.expect(0, []string{"mappings", "show", "f"}, "pending")
		p.expect(0, []string{"mappings", "show", "h"}, "deletion kept")
	})
}

func TestNoStateIsMadeByACommand(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "STATE_URL=sqlite:state.db")
	for _, args := range [][]string{{"mappings", "list"}, {"mappings", "show", "1"}, {"mappings", "retry", "--failed"}, {"reconcile"}, {"backfill", "--all"}} {
		p.expect(1, args, "!there is no state", "!STATE_URL")
	}
	p.expect(1, []string{"status"}, "there is no state")
	if out, _, _ := p.run("config"); !strings.Contains(out, "state.db") {
		t.Errorf("config: %s", out)
	}
	if names := p.files(); len(names) != 0 {
		t.Errorf("commands left %q behind", names)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	places(t, everyKind, func(_ *testing.T, p place) {
		p.expect(0, []string{"resume"}, "not paused")
		p.expect(0, []string{"pause"}, "is paused")
		p.expect(0, []string{"pause", "--json"}, `"paused": true`, `"changed": false`)
		p.expect(1, []string{"status"}, "an operator paused it", "paused (OPERATOR)")
		p.expect(0, []string{"resume"}, "goes on")
		p.expect(1, []string{"status"}, "enabled, breaker")
		p.expect(2, []string{"pause", "now"})
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	places(t, everyKind, func(t *testing.T, p place) {
		out := p.expect(0, []string{"mappings", "explain", "f"}, "event f", "Sentra was not asked", "failed with CONTACT_NOT_FOUND", "GHL has nothing", "wanted")
		if strings.Contains(out, "bait@example.com") {
			t.Errorf("client data is shown: %s", out)
		}
		p.expect(0, []string{"mappings", "explain", "event/1 ü", "--payload"}, "GHL has exactly that", "bait@example.com")
		p.expect(0, []string{"mappings", "explain", "nobody"}, "no mapping for it")
		p.expect(0, []string{"mappings", "explain", "u\x1b[2J", "--json"}, `"story": [`, `"asked": false`)
		p.expect(2, []string{"mappings", "explain"})
	})
}
