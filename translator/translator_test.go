package translator_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ghlsync/cdc"
	"ghlsync/translator"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var types = []string{"onboarding", "handover"}

func newRules() *translator.Rules {
	return translator.New(types, regexp.MustCompile(translator.DefaultEcho), time.UTC)
}

// guideRow is the row behind the example of Sentra's webhook guide.
func guideRow(edits ...func(*cdc.Row)) *cdc.Row {
	row := &cdc.Row{}
	for c, v := range map[cdc.Column]string{
		cdc.ID: "123", cdc.ClientID: "456", cdc.Title: "Onboarding Session", cdc.Type: "onboarding",
		cdc.StartDate: "2024-01-15", cdc.EndDate: "2024-01-15", cdc.StartTime: "10:00:00", cdc.EndTime: "11:00:00",
		cdc.Description: "Initial client onboarding",
		cdc.CreatedAt:   "2024-01-15 09:00:00+00", cdc.UpdatedAt: "2024-01-15 09:00:00+00",
	} {
		row.Set(c, v, cdc.Value)
	}
	for _, edit := range edits {
		edit(row)
	}
	return row
}

func with(c cdc.Column, v string) func(*cdc.Row) {
	return func(r *cdc.Row) { r.Set(c, v, cdc.Value) }
}

func without(c cdc.Column, p cdc.Presence) func(*cdc.Row) {
	return func(r *cdc.Row) { r.Set(c, "", p) }
}

func guideClient(edits ...func(*cdc.Client)) *cdc.Client {
	c := &cdc.Client{ID: "456", Name: "Contact", BusinessName: "Client Business Name", Email: "client@example.com", Phone: "+1234567890"}
	for _, edit := range edits {
		edit(c)
	}
	return c
}

func TestPayloadsAreTheGuides(t *testing.T) {
	t.Parallel()
	noPhone := guideClient(func(c *cdc.Client) { c.Phone = "" })
	noBusiness := guideClient(func(c *cdc.Client) { c.BusinessName = "  " })
	for name, c := range map[string]struct {
		row    *cdc.Row
		client *cdc.Client
	}{
		"guide":          {guideRow(), guideClient()},
		"nulls":          {guideRow(without(cdc.Description, cdc.Null), without(cdc.CreatedAt, cdc.Null), without(cdc.UpdatedAt, cdc.Null)), noPhone},
		"person's name":  {guideRow(with(cdc.Type, "handover")), noBusiness},
		"cut to minutes": {guideRow(with(cdc.StartTime, "10:59:59.999"), with(cdc.EndTime, "24:00:00")), guideClient()},
		"fractions":      {guideRow(with(cdc.CreatedAt, "2024-01-15 09:00:00.987654+00"), with(cdc.UpdatedAt, "2024-01-15 09:00:01.5")), guideClient()},
		"odd texts":      {guideRow(with(cdc.Title, `a "quote" \ <b> & é 日本`), with(cdc.Description, "line one\nline\ttwo\x01\u2028")), guideClient()},
		"odd ids":        {guideRow(with(cdc.ClientID, "7c9e6679-7425")), guideClient()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := "123"
			if name == "odd ids" {
				id = `event-1/2 "ü"`
			}
			in := newRules().Row(id, c.row, c.client)
			if in.Verdict != translator.Upsert {
				t.Fatalf("verdict %d, reason %q", in.Verdict, in.Reason)
			}
			golden(t, strings.ReplaceAll(name, " ", "_"), in.Payload)
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatalf("payload is not JSON: %v\n%s", err, got)
	}
	pretty.WriteByte('\n')
	path := filepath.Join("testdata", strings.ReplaceAll(name, "'", "")+".json")
	if *update {
		if err := os.WriteFile(path, pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("payload differs from %s (-want +got):\n%s", path, diff)
	}
}

func TestRowsThatCannotBeShownAreParkedByReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row    *cdc.Row
		client *cdc.Client
		want   string
	}{
		"client is gone":       {guideRow(), nil, "client_missing"},
		"infinite date":        {guideRow(with(cdc.StartDate, "infinity")), guideClient(), "bad_value:start_date"},
		"BC date":              {guideRow(with(cdc.EndDate, "0044-03-15 BC")), guideClient(), "bad_value:end_date"},
		"far date":             {guideRow(with(cdc.EndDate, "10000-01-01")), guideClient(), "bad_value:end_date"},
		"infinite timestamp":   {guideRow(with(cdc.UpdatedAt, "-infinity")), guideClient(), "bad_value:updated_at"},
		"BC timestamp":         {guideRow(with(cdc.CreatedAt, "0044-03-15 10:00:00+00 BC")), guideClient(), "bad_value:created_at"},
		"other zone":           {guideRow(with(cdc.CreatedAt, "2024-01-15 10:00:00+05:30")), guideClient(), "bad_value:created_at"},
		"NULL date":            {guideRow(without(cdc.StartDate, cdc.Null)), guideClient(), "null_value:start_date"},
		"not a time":           {guideRow(with(cdc.StartTime, "1 day")), guideClient(), "bad_value:start_time"},
		"column dropped":       {guideRow(without(cdc.EndTime, cdc.Missing)), guideClient(), "missing_column:end_time"},
		"title column dropped": {guideRow(without(cdc.Title, cdc.Missing)), guideClient(), "missing_column:title"},
		"type column dropped":  {guideRow(without(cdc.Type, cdc.Missing)), guideClient(), "missing_column:type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newRules().Row("123", c.row, c.client)
			if in.Verdict != translator.Park || in.Reason != c.want || in.Payload != nil {
				t.Errorf("got verdict %d, reason %q, payload %s; want parked for %s", in.Verdict, in.Reason, in.Payload, c.want)
			}
		})
	}
}

func TestScopeDecidesBetweenUpsertAndRetract(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]translator.Verdict{
		"onboarding": translator.Upsert, "handover": translator.Upsert,
		"firstdraft": translator.Retract, "seconddraft": translator.Retract, "meeting": translator.Retract, "": translator.Retract,
	} {
		if got := newRules().Row("1", guideRow(with(cdc.Type, typ)), guideClient()).Verdict; got != want {
			t.Errorf("type %q: verdict %d, want %d", typ, got, want)
		}
	}
	if got := newRules().Row("1", guideRow(without(cdc.Type, cdc.Null)), nil).Verdict; got != translator.Retract {
		t.Errorf("NULL type: verdict %d, want a retraction", got)
	}
}

func TestChangesOfTheStream(t *testing.T) {
	t.Parallel()
	r := newRules()
	del := r.Change(&cdc.Change{Kind: cdc.Delete, Key: "9"}, nil)
	if diff := cmp.Diff(translator.Intent{ID: "9", Verdict: translator.Retract}, del); diff != "" {
		t.Errorf("delete (-want +got):\n%s", diff)
	}
	moved := r.Change(&cdc.Change{Kind: cdc.Update, Key: "new", OldKey: "old", Row: *guideRow()}, guideClient())
	if moved.ID != "new" || moved.Moved != "old" || moved.Verdict != translator.Upsert {
		t.Errorf("key change: %+v", moved)
	}
}

func TestAppointmentNamedByTheRow(t *testing.T) {
	t.Parallel()
	marker := "Booked in GHL\nCalendar: Main\nAppointment ID:  apt_77 \nContact: X"
	for name, c := range map[string]struct {
		row  *cdc.Row
		id   string
		echo bool
	}{
		"none":              {guideRow(), "", false},
		"marker":            {guideRow(with(cdc.Description, marker)), "apt_77", true},
		"marker in a line":  {guideRow(with(cdc.Description, "see Appointment ID: 5")), "", false},
		"column":            {guideRow(with(cdc.AppointmentID, "apt_1")), "apt_1", false},
		"column beats":      {guideRow(with(cdc.AppointmentID, "apt_1"), with(cdc.Description, marker)), "apt_1", false},
		"blank column":      {guideRow(with(cdc.AppointmentID, " ")), "", false},
		"column is missing": {guideRow(without(cdc.AppointmentID, cdc.Missing)), "", false},
	} {
		in := newRules().Row("1", c.row, guideClient())
		if in.AppointmentID != c.id || in.Echo != c.echo {
			t.Errorf("%s: got %q, echo %t; want %q, %t", name, in.AppointmentID, in.Echo, c.id, c.echo)
		}
	}
	off := translator.New(types, nil, time.UTC).Row("1", guideRow(with(cdc.Description, marker)), guideClient())
	if off.AppointmentID != "" {
		t.Errorf("switched off, the marker still gives %q", off.AppointmentID)
	}
	custom := translator.New(types, regexp.MustCompile(`ref=(\d+)`), time.UTC).Row("1", guideRow(with(cdc.Description, "x ref=12")), guideClient())
	if custom.AppointmentID != "12" {
		t.Errorf("a pattern of one's own gives %q, want 12", custom.AppointmentID)
	}
}

func TestHashIgnoresOnlyUpdatedAt(t *testing.T) {
	t.Parallel()
	hash := func(row *cdc.Row, c *cdc.Client) string { return newRules().Row("123", row, c).Hash }
	base := hash(guideRow(), guideClient())
	if got := hash(guideRow(with(cdc.UpdatedAt, "2025-01-01 00:00:00+00")), guideClient()); got != base {
		t.Error("a touched updated_at changes the hash")
	}
	if got := hash(guideRow(with(cdc.AppointmentID, "apt_1")), guideClient()); got != base {
		t.Error("an appointment id written back changes the hash")
	}
	for c, v := range map[cdc.Column]string{
		cdc.ClientID: "457", cdc.Title: "x", cdc.Type: "handover", cdc.StartDate: "2024-01-16", cdc.EndDate: "2024-01-16",
		cdc.StartTime: "10:01:00", cdc.EndTime: "11:01:00", cdc.Description: "x", cdc.CreatedAt: "2024-01-15 09:00:01+00",
	} {
		if hash(guideRow(with(c, v)), guideClient()) == base {
			t.Errorf("a changed %s leaves the hash as it was", c)
		}
	}
	if hash(guideRow(), guideClient(func(c *cdc.Client) { c.Email = "other@example.com" })) == base {
		t.Error("a changed client leaves the hash as it was")
	}
}

func TestFillCompletesUntouchedTexts(t *testing.T) {
	t.Parallel()
	payload := newRules().Row("123", guideRow(with(cdc.Description, "a \"long\" one\n")), guideClient()).Payload
	row := guideRow(with(cdc.Title, "New title"), without(cdc.Description, cdc.Unchanged))
	if !translator.Fill(row, payload) {
		t.Fatal("row is not complete")
	}
	if row.Text(cdc.Description) != "a \"long\" one\n" || row.Text(cdc.Title) != "New title" {
		t.Errorf("filled to %q, %q", row.Text(cdc.Title), row.Text(cdc.Description))
	}
	odd := guideRow(without(cdc.AppointmentID, cdc.Unchanged))
	if translator.Fill(odd, payload) {
		t.Error("a value that no payload holds counts as filled")
	}
	if translator.Fill(guideRow(without(cdc.Title, cdc.Unchanged)), nil) {
		t.Error("no payload counts as filled")
	}
}

// TestPayloadsAreJSON: whatever text a row holds, the payload reads back to it.
func TestPayloadsAreJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id, title, description := rapid.String().Draw(t, "id"), rapid.String().Draw(t, "title"), rapid.String().Draw(t, "description")
		in := newRules().Row(id, guideRow(with(cdc.Title, title), with(cdc.Description, description)), guideClient())
		var got struct {
			ID          string `json:"sentra_event_id"`
			ClientID    int    `json:"client_id"`
			Title       string `json:"event_title"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(in.Payload, &got); err != nil {
			t.Fatalf("%v\n%s", err, in.Payload)
		}
		if got.ID != id || got.Title != title || got.Description != description || got.ClientID != 456 {
			t.Fatalf("read back %+v", got)
		}
	})
}

func BenchmarkRow(b *testing.B) {
	r, row, client := newRules(), guideRow(), guideClient()
	b.ReportAllocs()
	for b.Loop() {
		r.Row("event-1753862400.123456", row, client)
	}
}

// The start orders delivery, so it is reckoned by the clock on Sentra's wall.
func TestStart(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rules := translator.New(types, nil, berlin)
	for _, c := range []struct{ day, clock, want string }{
		{"2026-01-15", "09:30:00", "2026-01-15T08:30:00Z"},
		{"2026-07-15", "09:30:59.5", "2026-07-15T07:30:00Z"},
		{"2026-12-31", "24:00:00", "2026-12-31T23:00:00Z"},
		{"0001-01-01", "00:00:00", "0000-12-31T23:06:32Z"}, // local mean time
	} {
		in := rules.Row("1", guideRow(with(cdc.StartDate, c.day), with(cdc.StartTime, c.clock)), guideClient())
		if got := in.StartsAt.Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s starts at %s, want %s", c.day, c.clock, got, c.want)
		}
	}
}
