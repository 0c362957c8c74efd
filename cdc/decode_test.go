package cdc

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
)

// decodeAll feeds messages and fails on the first error.
func decodeAll(t *testing.T, d *decoder, messages ...message) *collected {
	t.Helper()
	var got collected
	for i, m := range messages {
		if err := d.decode(m, 100, &got); err != nil {
			t.Fatalf("message %d (%q): %v", i, m[0], err)
		}
	}
	return &got
}

func TestDecodeRows(t *testing.T) {
	t.Parallel()
	got := decodeAll(t, testDecoder(0),
		beginMessage(1000, 42), sentraRelation(),
		rowMessage('I').part('N').sentraTuple("event-1", "Kick-off"),
		rowMessage('U').part('N').sentraTuple("event-1", "Kick-off 2"),
		rowMessage('U').part('K').columns(11).text("event-1").null().null().null().null().null().null().null().null().null().null().
			part('N').sentraTuple("event-2", "Kick-off 2"),
		rowMessage('D').part('K').columns(11).text("event-2").null().null().null().null().null().null().null().null().null().null(),
		message{'T'}.u32(1).u8(0).u32(testOID),
		commitMessage(1000, 1100))
	type brief struct {
		Kind        Kind
		Key, OldKey string
		Title       string
	}
	var briefs []brief
	for _, c := range got.changes {
		briefs = append(briefs, brief{c.Kind, c.Key, c.OldKey, c.Row.Text(Title)})
		if c.Tx.XID != 42 || c.Tx.CommitLSN != 1000 || !c.Tx.CommitTime.Equal(testTime) {
			t.Errorf("transaction %+v", *c.Tx)
		}
	}
	want := []brief{
		{Insert, "event-1", "", "Kick-off"},
		{Update, "event-1", "", "Kick-off 2"},
		{Update, "event-2", "event-1", "Kick-off 2"},
		{Delete, "event-2", "", ""},
		{Truncate, "", "", ""},
	}
	if diff := cmp.Diff(want, briefs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]pglogrepl.LSN{1100}, got.commits); diff != "" {
		t.Error(diff)
	}
	row := got.changes[0].Row
	if text, p := row.Get(Description); text != "" || p != Null {
		t.Errorf("description %q %v", text, p)
	}
	if _, p := row.Get(AppointmentID); p != Missing {
		t.Errorf("ghl_appointment_id is %v", p)
	}
	if text, p := row.Get(UpdatedAt); text != "2026-03-01 12:00:00+00" || p != Value {
		t.Errorf("updated_at %q %v", text, p)
	}
}

func TestDecodeColumnsByName(t *testing.T) {
	t.Parallel()
	// Re-ordered, one unknown, all but three missing.
	relation := relationOf(testOID, "public", "calendar_events", "extra", "title", "ghl_appointment_id", "id")
	got := decodeAll(t, testDecoder(0), beginMessage(1000, 1), relation,
		rowMessage('I').part('N').columns(4).text("nobody reads this").text("T").null().text("e1"),
		commitMessage(1000, 1001))
	row := got.changes[0].Row
	if got.changes[0].Key != "e1" || row.Text(Title) != "T" {
		t.Errorf("got %q %q", got.changes[0].Key, row.Text(Title))
	}
	if _, p := row.Get(AppointmentID); p != Null {
		t.Errorf("ghl_appointment_id is %v", p)
	}
	if _, p := row.Get(ClientID); p != Missing {
		t.Errorf("client_id is %v", p)
	}
}

func TestDecodeUnchanged(t *testing.T) {
	t.Parallel()
	relation := relationOf(testOID, "public", "calendar_events", "id", "title", "description")
	update := rowMessage('U').part('N').columns(3).text("e1").text("T").unchanged()
	full := rowMessage('U').part('O').columns(3).text("e1").text("old").text("long").
		part('N').columns(3).text("e1").text("T").unchanged()
	got := decodeAll(t, testDecoder(0), beginMessage(1000, 1), relation, update, full, commitMessage(1000, 1001))
	if _, p := got.changes[0].Row.Get(Description); p != Unchanged || !got.changes[0].Row.HasUnchanged() {
		t.Errorf("description is %v", p)
	}
	// REPLICA IDENTITY FULL brings the value in the old row.
	if text, p := got.changes[1].Row.Get(Description); text != "long" || p != Value || got.changes[1].OldKey != "" {
		t.Errorf("description %q %v, old key %q", text, p, got.changes[1].OldKey)
	}
	if got.changes[1].Row.Text(Title) != "T" {
		t.Errorf("title %q", got.changes[1].Row.Text(Title))
	}
}

// A transaction is a duplicate if and only if its commit LSN is below the
// checkpoint; equality is new.
func TestDecodeSkipsKnownTransactions(t *testing.T) {
	t.Parallel()
	tx := func(commit pglogrepl.LSN, id string) []message {
		return []message{
			beginMessage(commit, 1), sentraRelation(), rowMessage('I').part('N').sentraTuple(id, "T"),
			message{'T'}.u32(1).u8(0).u32(testOID), commitMessage(commit, commit+10),
		}
	}
	var all []message
	all = append(all, tx(999, "known")...)
	all = append(all, tx(1000, "equal")...)
	all = append(all, tx(1001, "new")...)
	got := decodeAll(t, testDecoder(1000), all...)
	var keys []string
	for _, c := range got.changes {
		keys = append(keys, c.Key)
	}
	if diff := cmp.Diff([]string{"equal", "", "new", ""}, keys); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]pglogrepl.LSN{1010, 1011}, got.commits); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeIgnoresOtherTablesAndMessages(t *testing.T) {
	t.Parallel()
	got := decodeAll(t, testDecoder(0),
		beginMessage(1000, 1), message{'O'}.u64(1).name("origin"), message{'Y'}.u32(1).name("").name("text"),
		relationOf(1, "other", "calendar_events", "id"), relationOf(2, "public", "clients", "id"),
		message{'I'}.u32(1).part('N').columns(1).text("x"), message{'I'}.u32(2).part('N').columns(1).text("x"),
		message{'T'}.u32(2).u8(0).u32(1).u32(2),
		message{'M'}.u8(1).u64(5).name("canary").u32(0),
		commitMessage(1000, 1001))
	if len(got.changes) != 0 || len(got.commits) != 1 {
		t.Errorf("got %d changes, %d commits", len(got.changes), len(got.commits))
	}
}

func TestDecodeCanaries(t *testing.T) {
	t.Parallel()
	emitted := func(flags uint8, prefix, content string) message {
		return append(message{'M'}.u8(flags).u64(5).name(prefix).u32(uint32(len(content))), content...)
	}
	got := decodeAll(t, testDecoder(1000),
		beginMessage(1000, 1), emitted(1, "ghlsync", "first"), emitted(1, "ghlsync", "last"), commitMessage(1000, 1001),
		beginMessage(1010, 2), emitted(1, "another", "other"), commitMessage(1010, 1011),
		emitted(0, "ghlsync", "not transactional"),
		beginMessage(999, 3), emitted(1, "ghlsync", "known"), commitMessage(999, 1000),
		beginMessage(1020, 4), commitMessage(1020, 1021))
	if diff := cmp.Diff([]string{"last", "", ""}, got.canaries); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	begin, rel := beginMessage(1000, 1), sentraRelation()
	insert := rowMessage('I').part('N').sentraTuple("secret-id", "secret title")
	for name, messages := range map[string][]message{
		"empty":                     {{}},
		"unknown type":              {{'Z', 1, 2}},
		"streamed transaction":      {{'S', 0, 0, 0, 1, 1}},
		"row before relation":       {begin, insert},
		"row outside transaction":   {rel, insert},
		"nested begin":              {begin, begin},
		"commit alone":              {commitMessage(1, 2)},
		"commit of another":         {begin, commitMessage(1, 2)},
		"cut row":                   {begin, rel, insert[:len(insert)-3]},
		"long row":                  {begin, rel, append(bytes.Clone(insert), 0)},
		"too few columns":           {begin, rel, rowMessage('I').part('N').columns(1).text("x")},
		"binary column":             {begin, relationOf(testOID, "public", "calendar_events", "id"), rowMessage('I').part('N').columns(1).u8('b').u32(1).u8(1)},
		"negative length":           {begin, relationOf(testOID, "public", "calendar_events", "id"), rowMessage('I').part('N').columns(1).u8('t').u32(0xfffffffe)},
		"delete without key":        {begin, rel, rowMessage('D').part('X').sentraTuple("a", "b")},
		"insert with old":           {begin, rel, rowMessage('I').part('O').sentraTuple("a", "b")},
		"cut relation":              {rel[:len(rel)-1]},
		"truncate without relation": {begin, message{'T'}.u32(1).u8(0).u32(99)},
		"cut message":               {begin, message{'M'}.u8(1).u64(5).name("other").u32(7)},
		"message alone":             {message{'M'}.u8(1).u64(5).name("ghlsync").u32(0)},
		"truncate of many":          {begin, message{'T'}.u32(0xffffffff).u8(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := testDecoder(0)
			var err error
			for _, m := range messages {
				err = d.decode(m, 0x16B3748, &collected{})
			}
			var bad *DecodeError
			if !errors.As(err, &bad) || !errors.Is(err, ErrBadMessage) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), "0/16B3748") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestDecodeWithoutIDIsAFinding(t *testing.T) {
	t.Parallel()
	d := testDecoder(0)
	relation := relationOf(testOID, "public", "calendar_events", "title")
	decodeAll(t, d, beginMessage(1000, 1), relation)
	for _, m := range []message{
		rowMessage('I').part('N').columns(1).text("T"), rowMessage('D').part('K').columns(1).text("T"),
	} {
		err := d.decode(m, 1, &collected{})
		if found := Findings(err); len(found) != 1 || found[0].Code != CodeColumn {
			t.Errorf("got %v", err)
		}
	}
}

// The app re-creates a constraint before each insert, so that a Relation message
// precedes nearly every row; an equal one must not cost more than a comparison.
func TestRepeatedRelationIsCheap(t *testing.T) {
	d := testDecoder(0)
	rel := sentraRelation()
	changes := 0
	d.onRelation = func() { changes++ }
	var sink collected
	if err := d.decode(rel, 1, &sink); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := d.decode(rel, 1, &sink); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for an equal relation", n)
	}
	if changes != 1 {
		t.Errorf("columns changed %d times", changes)
	}
	if err := d.decode(relationOf(testOID, "public", "calendar_events", append(sentraColumns, "more")...), 1, &sink); err != nil {
		t.Fatal(err)
	}
	if changes != 2 {
		t.Errorf("a new column was not noticed")
	}
}

// discard is a sink that keeps nothing.
type discard struct{ rows int }

func (d *discard) change(*Change, int)                     { d.rows++ }
func (d *discard) commit(pglogrepl.LSN, time.Time, string) {}

func TestRowAllocations(t *testing.T) {
	d := testDecoder(0)
	decodeAll(t, d, beginMessage(1000, 1), sentraRelation())
	insert := rowMessage('I').part('N').sentraTuple("event-1753862400.123456", "Kick-off")
	box := &discard{}
	if n := testing.AllocsPerRun(100, func() {
		if err := d.decode(insert, 1, box); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations a row", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	d := testDecoder(0)
	box := &discard{}
	insert := rowMessage('I').part('N').sentraTuple("event-1753862400.123456", strings.Repeat("Kick-off ", 10))
	// What the app's transactions look like: a Relation before the row.
	messages := []message{beginMessage(1000, 1), sentraRelation(), insert, commitMessage(1000, 1010)}
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range messages {
			if err := d.decode(m, 1, box); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(box.rows)/b.Elapsed().Seconds(), "rows/s")
}

// FuzzDecode: whatever comes, the decoder ends with an error or goes on; what it
// hands out always has a key.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(rowMessage('I').part('N').sentraTuple("event-1", "T")))
	f.Add([]byte(rowMessage('U').part('O').sentraTuple("event-1", "T").part('N').sentraTuple("event-2", "T")))
	f.Add([]byte(rowMessage('D').part('K').sentraTuple("event-1", "T")))
	f.Add([]byte(message{'T'}.u32(1).u8(3).u32(testOID)))
	f.Add([]byte(sentraRelation()))
	f.Add([]byte(commitMessage(1000, 1001)))
	f.Add([]byte(beginMessage(7, 7)))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := testDecoder(500)
		var got collected
		for _, m := range []message{beginMessage(1000, 1), sentraRelation(), data, data, rowMessage('I').part('N').sentraTuple("e", "T")} {
			if err := d.decode(m, 1, &got); err != nil {
				if strings.Contains(err.Error(), "decoder failed") {
					t.Fatal("the guard had to catch a panic")
				}
				break
			}
		}
		for _, c := range got.changes {
			if c.Kind != Truncate && c.Kind != Delete && c.Row.Text(ID) != c.Key {
				t.Errorf("key %q, id %q", c.Key, c.Row.Text(ID))
			}
		}
	})
}
