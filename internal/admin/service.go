package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ghlsync/internal/operate"
	"ghlsync/state"
)

// Operator does what an operator asks of mappings. See operate.Operator.
type Operator interface {
	Do(ctx context.Context, v operate.Verb, s operate.Selection) (operate.Report, error)
	SetPaused(ctx context.Context, pause bool) (operate.Pause, error)
}

// SlotSource asks Postgres about the replication slot.
type SlotSource interface {
	// Slot returns nil if there is no such slot. It answers within seconds. Its
	// errors hold no secret.
	Slot(ctx context.Context) (*Slot, error)
}

// ErrRequest is wrapped where the question itself is wrong.
var ErrRequest = errors.New("bad request")

// Service answers from the state, from Postgres and from the running daemon.
// It is safe for concurrent use.
type Service struct {
	// State is nil while there is none yet; StateError says why then.
	State      state.Reader
	StateError error
	SlotName   string      // whose checkpoint it is
	Slots      SlotSource  // nil: the slot is not asked about
	Events     EventSource // nil: Sentra is not asked about events
	Operator   Operator    // nil: nothing can be changed
	Works      Works       // nil: nothing long can be done
	Live       Live
	Version    string           // of the running daemon; "" without one
	Now        func() time.Time // nil: time.Now
}

func (s *Service) now() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Microsecond)
}

// Status makes the status document. What cannot be found out is a reason in the
// document, not an error.
func (s *Service) Status(ctx context.Context) (Status, error) {
	f, err := s.Facts(ctx)
	return f.Status, err
}

// Facts finds out what Status tells. With an error, which is that of ctx, it is
// what is known up to then.
func (s *Service) Facts(ctx context.Context) (Facts, error) {
	capture := s.Live.Capture()
	f := Facts{Status: Status{
		At: s.now(),
		Daemon: Daemon{
			Running: capture.Phase != NoDaemon, Version: s.Version, Phase: capture.Phase,
			Since: moment(capture.Since), LastError: null(capture.LastError),
		},
		Delivery: s.Live.Delivery(),
	}}
	if err := s.readState(ctx, &f.Status); err != nil {
		f.StateError = err.Error()
	}
	f.Status.Delivery.foresee(f.Status.At, f.Status.Mappings)
	s.readSlot(ctx, &f)
	f.Warnings, f.Streamed = capture.Watch.Warnings, capture.Streamed
	capture.Watch.tell(&f.Status)
	f.Status.Health, f.Status.Reasons = Judge(f)
	// Whoever asks may be gone, and half an answer is none.
	return f, ctx.Err()
}

func (s *Service) readState(ctx context.Context, d *Status) error {
	if s.State == nil {
		return s.StateError
	}
	c, err := s.State.Checkpoint(ctx, s.SlotName)
	if err != nil {
		return err
	}
	if c != nil {
		d.Checkpoint = &Checkpoint{
			LSN: c.LSN.String(), Epoch: c.Epoch, CommittedAt: moment(c.CommittedAt),
			UpdatedAt: moment(c.UpdatedAt), Snapshotting: c.SnapshotLSN != 0,
		}
	}
	if d.Mappings, err = s.State.Counts(ctx); err != nil {
		return err
	}
	last, err := s.State.LastAttempt(ctx)
	if err != nil {
		return err
	}
	d.Delivery.LastSyncAttempt = moment(last)
	paused, err := s.State.PausedAt(ctx)
	if !paused.IsZero() {
		d.Delivery.pausedByOperator(paused)
	}
	if err == nil {
		err = s.readInstances(ctx, d)
	}
	return err
}

func (s *Service) readInstances(ctx context.Context, d *Status) error {
	members, ok := s.State.(state.Members)
	if !ok {
		return nil
	}
	all, err := members.Instances(ctx)
	for _, i := range all {
		d.Instances = append(d.Instances, instance(i))
	}
	return err
}

func (s *Service) readSlot(ctx context.Context, f *Facts) {
	if s.Slots == nil {
		return
	}
	slot, err := s.Slots.Slot(ctx)
	switch {
	case err != nil:
		f.SlotError = "nothing is known of the slot: " + err.Error()
	case slot == nil:
		f.SlotMissing, f.SlotError = true, "there is no slot "+s.SlotName
	default:
		f.Status.Slot = slot
	}
}

// StatusHeld is a Query.Status of our own: pending, and held by the delete fuse.
const StatusHeld = "held"

// StatusDrifted is a Query.Status of our own: somebody else changed or deleted the
// appointment in GHL.
const StatusDrifted = "drifted"

// Query selects mappings for a list.
type Query struct {
	Status string // synced, pending, failed, held, drifted, or "" for all
	Text   string // a part of the event id or the appointment id
	After  string // only ids above this one
	Limit  int    // 1 to MaxLimit; 0: DefaultLimit
}

// Bounds of Query.Limit.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// filter turns a query into the state's terms.
func (q Query) filter() (state.Filter, error) {
	f := state.Filter{Listed: true, Query: q.Text}
	switch q.Status {
	case "":
	case StatusHeld:
		f.Held = true
	case StatusDrifted:
		f.Drifted, f.Listed = true, false
	case string(state.Synced), string(state.Pending), string(state.Failed):
		f.Status = state.Status(q.Status)
	default:
		return f, fmt.Errorf("%w: status %q is none: use synced, pending, failed, held or drifted", ErrRequest, q.Status)
	}
	if q.Limit < 0 || q.Limit > MaxLimit {
		return f, fmt.Errorf("%w: limit %d is out of range: use 1 to %d", ErrRequest, q.Limit, MaxLimit)
	}
	return f, nil
}

// How much one page looks through: parts of so many mappings, so many times. That
// takes hundredths of a second.
const (
	searchRows  = 5_000
	searchParts = 10
)

// search lists up to limit mappings. It looks through a bounded number of them where
// no index serves the filter, and returns up to which id; "" if that is all.
func (s *Service) search(ctx context.Context, f state.Filter, after state.EventID, limit int) (found []*state.Mapping, upTo state.EventID, err error) {
	searcher, ok := s.State.(state.Searcher)
	if indexed := f.Held || f.Status == state.Failed; !ok || indexed && f.Query == "" {
		found, err = s.State.List(ctx, f, after, limit)
		return found, "", err
	}
	for range searchParts {
		var part []*state.Mapping
		if part, upTo, err = searcher.Search(ctx, f, after, limit-len(found), searchRows); err != nil {
			return nil, "", err
		}
		found = append(found, part...)
		if len(found) == limit || upTo == "" {
			break
		}
		after = upTo
	}
	return found, upTo, nil
}

// Page lists mappings. A page may hold fewer than asked for, or none, and yet name a
// next one: it was looked so far, and nothing more was found.
func (s *Service) Page(ctx context.Context, q Query) (Page, error) {
	f, err := q.filter()
	if err != nil {
		return Page{}, err
	}
	if s.State == nil {
		return Page{}, s.StateError
	}
	limit := q.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	rows, upTo, err := s.search(ctx, f, state.EventID(q.After), limit+1)
	if err != nil {
		return Page{}, err
	}
	var p Page
	if len(rows) > limit {
		rows = rows[:limit]
		upTo = rows[limit-1].ID
	}
	p.Next = null(string(upTo))
	enabled := s.Live.Delivery().Enabled
	p.Mappings = make([]Mapping, len(rows))
	for i, m := range rows {
		p.Mappings[i] = describe(m, enabled)
	}
	return p, nil
}

// Show selects what a Detail holds.
type Show struct {
	Payload  bool // with the payload, which is client data
	Attempts int  // so many calls, the latest; 0: DefaultAttempts, at most MaxLimit
}

// DefaultAttempts is how many calls a Detail tells of.
const DefaultAttempts = 10

// Show tells everything of one event. An unknown one is state.ErrNotFound.
func (s *Service) Show(ctx context.Context, id string, o Show) (Detail, error) {
	if id == "" {
		return Detail{}, fmt.Errorf("%w: the event id is empty", ErrRequest)
	}
	if o.Attempts < 0 || o.Attempts > MaxLimit {
		return Detail{}, fmt.Errorf("%w: %d attempts are out of range: use 1 to %d", ErrRequest, o.Attempts, MaxLimit)
	}
	if s.State == nil {
		return Detail{}, s.StateError
	}
	m, err := s.State.Get(ctx, state.EventID(id))
	if err != nil {
		return Detail{}, err
	}
	n := o.Attempts
	if n == 0 {
		n = DefaultAttempts
	}
	attempts, err := s.State.Attempts(ctx, m.ID, n)
	if err != nil {
		return Detail{}, err
	}
	return detail(m, attempts, o.Payload, s.Live.Delivery().Enabled), nil
}

// Find returns the event whose id, or whose appointment's id, is exactly the text.
// state.ErrNotFound if there is none.
func (s *Service) Find(ctx context.Context, text string) (string, error) {
	if s.State == nil {
		return "", s.StateError
	}
	m, err := s.State.Get(ctx, state.EventID(text))
	if err == nil {
		return string(m.ID), nil
	}
	searcher, ok := s.State.(state.Searcher)
	if !ok || !errors.Is(err, state.ErrNotFound) {
		return "", err
	}
	id, err := searcher.HasAppointment(ctx, text)
	return string(id), err
}

// Do does what an operator asks.
func (s *Service) Do(ctx context.Context, v operate.Verb, sel operate.Selection) (operate.Report, error) {
	if s.Operator == nil {
		return operate.Report{Refused: []operate.Refusal{}}, fmt.Errorf("%w: nothing can be changed here", ErrRequest)
	}
	return s.Operator.Do(ctx, v, sel)
}

// SetPaused pauses delivery, or lets it go on.
func (s *Service) SetPaused(ctx context.Context, pause bool) (operate.Pause, error) {
	if s.Operator == nil {
		return operate.Pause{}, fmt.Errorf("%w: nothing can be changed here", ErrRequest)
	}
	return s.Operator.SetPaused(ctx, pause)
}
