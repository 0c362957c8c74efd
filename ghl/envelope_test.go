package ghl_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ghlsync/ghl"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// guideData is the event_data of the guide's examples.
const guideData = `{"sentra_event_id":"123","client_id":456,"client_email":"client@example.com","client_phone":"+1234567890",` +
	`"client_name":"Client Business Name","event_title":"Onboarding Session","event_type":"onboarding","start_date":"2024-01-15",` +
	`"end_date":"2024-01-15","start_time":"10:00","end_time":"11:00","description":"Initial client onboarding",` +
	`"created_at":"2024-01-15T09:00:00Z","updated_at":"2024-01-15T09:00:00Z"}`

func TestEnvelopeGolden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		op                  ghl.Operation
		eventID, appt, data string
	}{
		"created":              {ghl.Created, "123", "", guideData},
		"created_known_id":     {ghl.Created, "123", "ghl_456", guideData},
		"updated":              {ghl.Updated, "123", "ghl_456", guideData},
		"updated_without_id":   {ghl.Updated, "123", "", guideData},
		"deleted":              {ghl.Deleted, "123", "ghl_456", ""},
		"deleted_without_id":   {ghl.Deleted, "123", "", guideData},
		"deleted_odd_event_id": {ghl.Deleted, "a/b <c> & \"d\" ü\n", "x&y", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := append(ghl.Envelope(test.op, test.eventID, test.appt, []byte(test.data)), '\n')
			path := filepath.Join("testdata", "envelope", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("body differs from %s (-want +got; -update rewrites it):\n%s", path, diff)
			}
		})
	}
}

// Whatever ids are made of, the body is JSON that gives them back.
func TestEnvelopeKeepsIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]ghl.Operation{ghl.Updated, ghl.Deleted}).Draw(t, "operation")
		event, appt := rapid.String().Draw(t, "event"), rapid.String().Draw(t, "appointment")
		var body struct {
			EventType ghl.Operation `json:"event_type"`
			Mapping   struct {
				Event       string  `json:"sentra_event_id"`
				Appointment *string `json:"ghl_appointment_id"`
			} `json:"reference_mapping"`
		}
		raw := ghl.Envelope(op, event, appt, nil)
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if body.EventType != op || body.Mapping.Event != event {
			t.Fatalf("%+v from %s", body, raw)
		}
		if (body.Mapping.Appointment == nil) != (appt == "") || appt != "" && *body.Mapping.Appointment != appt {
			t.Fatalf("appointment %q in %s", appt, raw)
		}
	})
}

func TestVocabularyRoundTrips(t *testing.T) {
	t.Parallel()
	for _, op := range []ghl.Operation{ghl.Created, ghl.Updated, ghl.Deleted} {
		if got, err := ghl.ParseOperation(op.String()); err != nil || got != op {
			t.Errorf("%s: %q %v", op, got, err)
		}
	}
	if _, err := ghl.ParseOperation("calendar_event_moved"); err == nil || !strings.Contains(err.Error(), "calendar_event_moved") {
		t.Errorf("unknown operation: %v", err)
	}
	for o := ghl.Unknown; o <= ghl.Paused; o++ {
		if got, err := ghl.ParseOutcome(o.String()); err != nil || got != o {
			t.Errorf("%s: %s %v", o, got, err)
		}
	}
	if _, err := ghl.ParseOutcome("done"); err == nil {
		t.Error("unknown outcome passes")
	}
}

// A request that finds its way into a log or an error shows no client data.
func TestRequestHidesBody(t *testing.T) {
	t.Parallel()
	r := ghl.Request{Operation: ghl.Created, EventID: "e1", DeliveryID: "d1", Body: []byte(guideData)}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("call", "request", r, "result", ghl.Result{Code: "HTTP_503"})
	for _, shown := range []string{log.String(), r.String()} {
		if strings.Contains(shown, "example.com") || !strings.Contains(shown, "e1") || !strings.Contains(shown, "d1") {
			t.Error(shown)
		}
	}
	if !strings.Contains(log.String(), "code=HTTP_503") {
		t.Error(log.String())
	}
}
