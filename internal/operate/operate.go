package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ghlsync/state"
)

// Verb is what is asked for.
type Verb string

// Retry schedules failed mappings again, and ones whose appointment somebody else
// changed or deleted in GHL. Release lets retractions go out that
// the delete fuse holds; Drop gives them up and keeps the appointments.
const (
	Retry   Verb = "retry"
	Release Verb = "release"
	Drop    Verb = "drop"
)

// Selection says for which mappings: ids, or, for Retry, all failed ones, or,
// for Release and Drop, all held ones.
type Selection struct {
	IDs    []string `json:"ids,omitempty"`
	All    bool     `json:"all,omitempty"`
	Failed bool     `json:"failed,omitempty"`
}

// Refusal is a mapping that was left as it is.
type Refusal struct {
	ID string `json:"sentra_event_id"`
	// Unknown: there is no mapping of that id.
	Unknown bool   `json:"unknown,omitempty"`
	Reason  string `json:"reason"`
}

// MaxRefusals is how many refusals a Report tells apart.
const MaxRefusals = 100

// Report is what came of it.
type Report struct {
	Done    int       `json:"done"`    // mappings changed
	Left    int       `json:"left"`    // mappings left as they are
	Refused []Refusal `json:"refused"` // of those, the first; never null
}

// ErrSelection is wrapped where a selection does not fit its verb.
var ErrSelection = errors.New("bad selection")

// Check tells whether the selection makes sense for the verb.
func (s Selection) Check(v Verb) error {
	bulk, word := s.All, "all"
	other := s.Failed
	switch v {
	case Retry:
		bulk, other, word = s.Failed, s.All, "failed"
	case Release, Drop:
	default:
		return fmt.Errorf("%w: %q is not something to do with mappings: use retry, release or drop", ErrSelection, v)
	}
	if other || bulk == (len(s.IDs) > 0) {
		return fmt.Errorf("%w: %s takes either event ids or '%s'", ErrSelection, v, word)
	}
	if slices.Contains(s.IDs, "") {
		return fmt.Errorf("%w: an event id is empty", ErrSelection)
	}
	return nil
}

// Store opens the transactions that rows are changed in.
type Store interface {
	// Begin waits for its turn; what is committed survives a crash.
	Begin(ctx context.Context) (state.Tx, error)
	// PausedAt is when delivery was paused; zero while it is not paused.
	PausedAt(ctx context.Context) (time.Time, error)
}

// Delivery is what runs on the same store.
type Delivery interface {
	// Wake says that something may be due.
	Wake()
	// Hold lets no further call leave, or lets calls leave again.
	Hold(ctx context.Context, hold bool) error
}

// Operator does it.
type Operator struct {
	store Store
	now   func() time.Time
	wake  func()
	hold  func(context.Context, bool) error
}

// New makes an Operator on a store that is open for writing. delivery is nil where
// nothing delivers.
func New(store Store, now func() time.Time, delivery Delivery) *Operator {
	o := &Operator{
		store: store, wake: func() {}, hold: func(context.Context, bool) error { return nil },
		now: func() time.Time { return now().UTC().Truncate(time.Microsecond) },
	}
	if delivery != nil {
		o.wake, o.hold = delivery.Wake, delivery.Hold
	}
	return o
}

const page = 200

// Do does it for each selected mapping. The report is right also beside an
// error: it tells what was done before.
func (o *Operator) Do(ctx context.Context, v Verb, s Selection) (Report, error) {
	r := Report{Refused: []Refusal{}}
	if err := s.Check(v); err != nil {
		return r, err
	}
	var err error
	if len(s.IDs) > 0 {
		err = o.each(ctx, v, s.IDs, &r)
	} else {
		err = o.bulk(ctx, v, &r)
	}
	return r, err
}

// each goes through ids, without those that come twice.
func (o *Operator) each(ctx context.Context, v Verb, ids []string, r *Report) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	for part := range slices.Chunk(slices.Compact(ids), page) {
		err := o.tx(ctx, r, func(tx state.Tx, r *Report) error {
			keys := make([]state.EventID, len(part))
			for i, id := range part {
				keys[i] = state.EventID(id)
			}
			rows, err := tx.Load(ctx, keys)
			if err != nil {
				return fmt.Errorf("load mappings: %w", err)
			}
			found := make([]*state.Mapping, 0, len(rows))
			for _, key := range keys {
				if m, ok := rows[key]; ok {
					found = append(found, m)
				} else {
					r.refuse(Refusal{ID: string(key), Unknown: true, Reason: "there is no mapping for this event"})
				}
			}
			return o.apply(ctx, tx, v, found, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// bulk goes through all that qualify, in the order of their ids. A row that
// qualifies anew behind the cursor (a retried one that failed again) is not
// visited twice.
func (o *Operator) bulk(ctx context.Context, v Verb, r *Report) error {
	filter := state.Filter{Held: true}
	if v == Retry {
		filter = state.Filter{Status: state.Failed}
	}
	var after state.EventID
	for more := true; more; {
		err := o.tx(ctx, r, func(tx state.Tx, r *Report) error {
			rows, err := tx.Page(ctx, filter, after, page)
			if err != nil {
				return fmt.Errorf("page mappings: %w", err)
			}
			more = len(rows) == page
			if len(rows) == 0 {
				return nil
			}
			after = rows[len(rows)-1].ID
			return o.apply(ctx, tx, v, rows, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tx runs work in a transaction of its own, adds what it reports to r once that
// is durable, and wakes delivery.
func (o *Operator) tx(ctx context.Context, r *Report, work func(state.Tx, *Report) error) error {
	tx, err := o.store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	var part Report
	if err := work(tx, &part); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if part.Done > 0 {
		o.wake()
	}
	r.Done += part.Done
	r.Left += part.Left
	room := MaxRefusals - len(r.Refused)
	r.Refused = append(r.Refused, part.Refused[:min(room, len(part.Refused))]...)
	return nil
}

func (o *Operator) apply(ctx context.Context, tx state.Tx, v Verb, rows []*state.Mapping, r *Report) error {
	now := o.now()
	changed := make([]*state.Mapping, 0, len(rows))
	for _, m := range rows {
		done, err := rule(ctx, tx, v, m, now)
		if err != nil {
			return err
		}
		if done {
			changed = append(changed, m)
		} else {
			r.refuse(Refusal{ID: string(m.ID), Reason: whyNot(v, m)})
		}
	}
	if err := tx.Save(ctx, changed...); err != nil {
		return fmt.Errorf("save mappings: %w", err)
	}
	r.Done += len(changed)
	return nil
}

func rule(ctx context.Context, tx state.Tx, v Verb, m *state.Mapping, now time.Time) (done bool, err error) {
	switch v {
	case Retry:
		if m.Retry(now) {
			return true, nil
		}
		return restore(ctx, tx, m, now)
	case Release:
		return m.Release(now), nil
	default:
		return m.Drop(now), nil
	}
}

// restore undoes what somebody else did to the appointment in GHL.
func restore(ctx context.Context, tx state.Tx, m *state.Mapping, now time.Time) (bool, error) {
	retired, done := m.Restore(now)
	if retired == "" {
		return done, nil
	}
	if err := tx.Retire(ctx, m.ID, retired, now); err != nil {
		return false, fmt.Errorf("retire an appointment id: %w", err)
	}
	return done, nil
}

func whyNot(v Verb, m *state.Mapping) string {
	switch {
	case v != Retry:
		return "the delete fuse does not hold it"
	case m.Parked == "":
		return "it has not failed: it is " + string(m.Status())
	default:
		return "its row cannot be translated (" + m.Parked + "): it is tried again when the row changes in Sentra"
	}
}

func (r *Report) refuse(refusal Refusal) {
	r.Left++
	if len(r.Refused) < MaxRefusals {
		r.Refused = append(r.Refused, refusal)
	}
}
