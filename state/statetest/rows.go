package statetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"pgregory.net/rapid"

	"ghlsync/state"
)

// texts are what a text column may hold beside plain words.
var texts = []string{
	"a", "b/c", "d e", "é", "日本", "'", `"`, `\`, "%", "_", "-- x", "a\tb", "A\nB", "null", "123", " lead", "🔄",
}

func oneOf[T any](t *rapid.T, name string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, name)
}

// text is any text but one with NUL, which no backend has to keep.
func text(t *rapid.T, name string) string {
	whatever := rapid.Map(rapid.String(), func(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") })
	return rapid.OneOf(rapid.Just(""), rapid.SampledFrom(texts), whatever).Draw(t, name)
}

// micros are moments, with microseconds, far away or so near that they meet.
var micros = rapid.OneOf(rapid.Int64Range(-1<<52, 1<<52), rapid.Map(rapid.Int64Range(0, 3), func(n int64) int64 { return start.UnixMicro() + n }))

func some(t *rapid.T, name string) time.Time { return time.UnixMicro(micros.Draw(t, name)).UTC() }

// moment is a time, or none.
func moment(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, "no "+name) {
		return time.Time{}
	}
	return some(t, name)
}

// version is any, with epochs and LSNs that often meet, up to the last LSN.
func version(t *rapid.T, name string) state.Version {
	lsn := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(0, math.MaxInt64), rapid.Just[uint64](math.MaxInt64))
	return state.Version{
		Epoch: rapid.OneOf(rapid.Int64Range(0, 2), rapid.Int64Range(0, 1<<40)).Draw(t, name+" epoch"),
		LSN:   pglogrepl.LSN(lsn.Draw(t, name+" lsn")),
	}
}

func body(t *rapid.T, name string) []byte {
	if rapid.Bool().Draw(t, "no "+name) {
		return nil
	}
	return []byte(text(t, name))
}

// mapping is any row, whether the rules would make it or not.
func mapping(t *rapid.T, id state.EventID) *state.Mapping {
	return &state.Mapping{
		ID: id, AppointmentID: text(t, "appointment"), LastAttempt: moment(t, "last attempt"), SyncError: text(t, "error"),
		CreatedAt: moment(t, "created"), UpdatedAt: moment(t, "updated"),
		EventType: text(t, "type"), Wanted: oneOf(t, "wanted", state.Present, state.Absent), Payload: body(t, "payload"), Hash: text(t, "hash"),
		Version:     version(t, "version"),
		CommittedAt: moment(t, "committed"), Revision: rapid.Int64Range(0, 1<<40).Draw(t, "revision"),
		StartsAt: moment(t, "starts"), Known: body(t, "known"),
		GHL: oneOf(t, "ghl", state.GHLAbsent, state.GHLUnknown, state.GHLPresent), GHLHash: text(t, "ghl hash"), GHLAt: moment(t, "ghl at"),
		Assumed: rapid.Bool().Draw(t, "assumed"),
		Drift:   oneOf(t, "drift", state.NoDrift, state.DriftChanged, state.DriftDeleted), DriftAt: moment(t, "drift at"),
		Attempts: rapid.IntRange(0, 1<<30).Draw(t, "attempts"), NextAttempt: moment(t, "next"),
		LeaseOwner: text(t, "owner"), LeaseUntil: moment(t, "lease"), Parked: text(t, "parked"),
		Hold: oneOf(t, "hold", state.NotHeld, state.Held, state.Released, state.Kept), Retracted: rapid.Bool().Draw(t, "retracted"),
		UnsettledUntil: moment(t, "unsettled"), Call: call(t),
	}
}

func call(t *rapid.T) *state.Call {
	if rapid.Bool().Draw(t, "no call") {
		return nil
	}
	return &state.Call{
		Operation: oneOf(t, "operation", state.Create, state.Update, state.Delete),
		State:     oneOf(t, "call state", state.InFlight, state.Unknown, state.Rejected), DeliveryID: text(t, "delivery"),
		Body: body(t, "body"), Hash: text(t, "call hash"), Revision: rapid.Int64Range(0, 1<<40).Draw(t, "call revision"),
		Before: oneOf(t, "before", state.GHLAbsent, state.GHLUnknown, state.GHLPresent), Tries: rapid.IntRange(0, 1<<30).Draw(t, "tries"),
		StartedAt: moment(t, "started"), SettlesAt: moment(t, "settles"),
	}
}

// testRoundTrip saves rows over rows, several at a time, and reads each back.
func testRoundTrip(r *rig) {
	r.check(func(t *rapid.T, r *rig) {
		rows := make([]*state.Mapping, rapid.IntRange(1, 12).Draw(t, "rows"))
		for i := range rows {
			rows[i] = mapping(t, state.EventID(fmt.Sprintf("%s-%d", texts[i], i)))
		}
		r.save(rows...)
		for _, want := range rows {
			got, err := r.Get(r.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			r.same("row "+string(want.ID), want, got)
			if got.Stored() != got.Class() || want.Stored() != want.Class() {
				t.Fatalf("row %q is not counted where it is", want.ID)
			}
		}
	})
}

// everyField is one of each kind with nothing unset, so that a field that is added
// comes under the suite.
func everyField(t rapid.TB) (*state.Mapping, state.Checkpoint, state.Attempt) {
	t.Helper()
	m := retraction("a", start)
	m.LastAttempt, m.SyncError, m.Payload, m.Hash = start, "HTTP_5XX", []byte("{}"), "h2"
	m.Drift, m.DriftAt = state.DriftChanged, start
	m.Assumed, m.Attempts, m.LeaseOwner, m.LeaseUntil = true, 3, "me", start.Add(time.Minute)
	m.Parked, m.Hold, m.UnsettledUntil = "REJECTED", state.Released, start.Add(time.Hour)
	m.StartsAt, m.Known = start.Add(2*time.Hour), []byte("{  }")
	m.Call = &state.Call{
		Operation: state.Update, State: state.Unknown, DeliveryID: "d1", Body: []byte("{ }"), Hash: "h0", Revision: 7,
		Before: state.GHLUnknown, Tries: 2, StartedAt: ago(time.Minute), SettlesAt: start.Add(time.Minute),
	}
	cp := checkpoint(10, "me")
	cp.SnapshotLSN = 12
	line := attempt("a", 1)
	for _, whole := range []any{*m, *m.Call, cp, line} {
		v := reflect.ValueOf(whole)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && v.Field(i).IsZero() {
				t.Errorf("this test does not set %s.%s", v.Type(), f.Name)
			}
		}
	}
	return m, cp, line
}

func testEveryField(r *rig) {
	m, cp, line := everyField(r)
	r.change(func(ctx context.Context, tx state.Tx) error {
		return errors.Join(tx.Save(ctx, m), tx.Record(ctx, line), tx.SetCheckpoint(ctx, nil, cp))
	})
	r.reopen()
	s := r.sees()
	r.same("row", []*state.Mapping{m}, s.Rows)
	r.same("checkpoint", &cp, s.Checkpoint)
	r.same("audit", []state.Attempt{line}, s.Attempts)
}

func testLoad(r *rig) {
	var want []state.EventID
	for _, id := range texts {
		r.save(synced(id))
		want = append(want, state.EventID(id))
	}
	got := within(r, func(ctx context.Context, tx state.Tx) (map[state.EventID]*state.Mapping, error) {
		return tx.Load(ctx, append([]state.EventID{"unknown", "", want[0]}, want...))
	})
	if len(got) != len(want) {
		r.Errorf("loaded %d rows, want %d", len(got), len(want))
	}
	for _, id := range want {
		r.same("row "+string(id), synced(string(id)), got[id])
	}
	none := within(r, func(ctx context.Context, tx state.Tx) (map[state.EventID]*state.Mapping, error) {
		return tx.Load(ctx, nil)
	})
	if len(none) != 0 {
		r.Errorf("no ids load %d rows", len(none))
	}
}

// testSavedAgain loads once and saves several times, known rows and unknown ones
// together, and one of them twice in one go: what was saved last counts.
func testSavedAgain(r *rig) {
	r.save(synced("known"))
	known, unknown := pending("known", start), pending("unknown", start)
	r.change(func(ctx context.Context, tx state.Tx) error {
		rows, err := tx.Load(ctx, []state.EventID{"unknown", "known"})
		if err != nil {
			return err
		}
		known.SetStored(rows["known"].Stored())
		for n := range 3 {
			known.Revision, unknown.Revision = int64(n), int64(10+n)
			if err := tx.Save(ctx, unknown, known, unknown); err != nil {
				return err
			}
		}
		return nil
	})
	r.same("rows", []*state.Mapping{known, unknown}, r.list(state.Filter{}, "", 10))
	r.same("counts", state.Counts{Total: 2, Pending: 2}, r.counts())
}

func testGetUnknown(r *rig) {
	r.save(synced("known"))
	for _, id := range []state.EventID{"unknown", "", "KNOWN", "known "} {
		if _, err := r.Get(r.Context(), id); !errors.Is(err, state.ErrNotFound) {
			r.Errorf("%q: %v, want ErrNotFound", id, err)
		}
	}
}

// testEachField sets one field more than a row that was only captured has, in as
// many rows as a store may write in one go: what is left out must not be lost.
func testEachField(r *rig) {
	for name, set := range map[string]func(*state.Mapping){
		"nothing":     func(*state.Mapping) {},
		"appointment": func(m *state.Mapping) { m.AppointmentID = "ghl-1" },
		"attempt":     func(m *state.Mapping) { m.LastAttempt = start },
		"error":       func(m *state.Mapping) { m.SyncError = "HTTP_5XX" },
		"ghl hash":    func(m *state.Mapping) { m.GHLHash = "h0" },
		"ghl at":      func(m *state.Mapping) { m.GHLAt = start },
		"assumed":     func(m *state.Mapping) { m.Assumed = true },
		"drift":       func(m *state.Mapping) { m.Drift = state.DriftDeleted },
		"drift at":    func(m *state.Mapping) { m.DriftAt = start },
		"attempts":    func(m *state.Mapping) { m.Attempts = 3 },
		"owner":       func(m *state.Mapping) { m.LeaseOwner = "me" },
		"lease":       func(m *state.Mapping) { m.LeaseUntil = start },
		"parked":      func(m *state.Mapping) { m.Parked = "client_missing" },
		"hold":        func(m *state.Mapping) { m.Hold = state.Held },
		"retracted":   func(m *state.Mapping) { m.Retracted = true },
		"unsettled":   func(m *state.Mapping) { m.UnsettledUntil = start },
		"call":        func(m *state.Mapping) { m.Call = &state.Call{Operation: state.Create, Body: []byte("{}")} },
		"no payload":  func(m *state.Mapping) { m.Payload, m.Hash = nil, "" },
	} {
		rows := make([]*state.Mapping, 64)
		for i := range rows {
			rows[i] = pending(fmt.Sprintf("%s-%02d", name, i), start)
			set(rows[i])
		}
		// Over rows that have everything, so that a default must be written too.
		full := make([]*state.Mapping, len(rows))
		for i := range full {
			full[i] = retraction(string(rows[i].ID), start)
			full[i].Drift, full[i].DriftAt = state.DriftChanged, start
			full[i].Call, full[i].Attempts, full[i].Hold = &state.Call{Operation: state.Delete, Body: []byte("{}")}, 9, state.Held
		}
		r.save(full...)
		r.save(rows...)
		r.same(name, rows, r.list(state.Filter{Query: name + "-"}, "", 100))
	}
}
