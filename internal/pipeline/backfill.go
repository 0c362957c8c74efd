package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ghlsync/cdc"
	"ghlsync/state"
)

const backfillPage = 500

// BackfillOptions says what a backfill does.
type BackfillOptions struct {
	Which    Backfill // BackfillUpcoming or BackfillAll
	DryRun   bool     // report only
	Progress func(done, total int64)
}

// BackfillReport is what became of the events that GHL was assumed to have.
type BackfillReport struct {
	DryRun bool     `json:"dry_run"`
	Which  Backfill `json:"which"`
	Pushed int      `json:"pushed"` // taken to be missing in GHL, and scheduled
	Parked int      `json:"parked"` // cannot be translated, and have failed by that
	Left   int      `json:"left"`   // still assumed to be in GHL
	Known  int      `json:"known"`  // were not assumed: GHL has them, or they are on their way
}

// ErrWhich is wrapped where a backfill is asked for nothing it could do.
var ErrWhich = errors.New("a backfill is of the upcoming events or of all")

var errStopping = errors.New("the daemon stops; what was pushed up to there stays so, and asking again goes on")

// Backfill pushes events that the baseline recorded as being in GHL already: the
// assumption is taken back, page by page. It needs the state alone. It may be
// called at any time: ErrBusy, ErrWhich. The report is right also beside an
// error: it tells what was done before.
func (c *Capture) Backfill(ctx context.Context, o BackfillOptions) (BackfillReport, error) {
	b := &backfill{c: c, o: o, report: BackfillReport{DryRun: o.DryRun, Which: o.Which}}
	if o.Which != BackfillUpcoming && o.Which != BackfillAll {
		return b.report, fmt.Errorf("%w, not of %q", ErrWhich, o.Which)
	}
	if !c.work.TryLock() {
		return b.report, ErrBusy
	}
	defer c.work.Unlock()
	ctx, done := joined(ctx, c.life)
	defer done()
	err := b.run(ctx)
	if c.life.Err() != nil && err != nil {
		err = errStopping
	}
	return b.report, err
}

// joined is ctx, ended by another one too.
func joined(ctx, other context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(other, cancel)
	if other.Err() != nil {
		cancel() // AfterFunc's own goroutine may come late
	}
	return ctx, func() { stop(); cancel() }
}

// backfill goes through what is wanted. Candidates are found beside the state's
// writer, and taken in short transactions that look once more.
type backfill struct {
	c      *Capture
	o      BackfillOptions
	report BackfillReport
}

func (b *backfill) run(ctx context.Context) error {
	counts, err := b.c.opts.Store.Counts(ctx)
	if err != nil {
		return fmt.Errorf("read counts: %w", err)
	}
	var seen int64
	for after := state.EventID(""); ; {
		rows, err := b.c.opts.Store.List(ctx, state.Filter{Wanted: state.Present}, after, backfillPage)
		if err != nil {
			return fmt.Errorf("list mappings: %w", err)
		}
		if b.o.Progress != nil {
			seen += int64(len(rows))
			b.o.Progress(seen, max(seen, counts.Total+counts.Assumed))
		}
		if err := b.page(ctx, rows); err != nil {
			return err
		}
		if len(rows) < backfillPage {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

func (b *backfill) page(ctx context.Context, rows []*state.Mapping) error {
	var ids []state.EventID
	for _, m := range rows {
		switch {
		case !m.Assumed:
			b.report.Known++
		case !b.selects(m):
			b.report.Left++
		default:
			ids = append(ids, m.ID)
			if b.o.DryRun {
				b.count(m)
			}
		}
	}
	if len(ids) == 0 || b.o.DryRun {
		return nil
	}
	return b.push(ctx, ids)
}

// selects reports whether the row is asked for. Whether it is over is told by the
// rule of the first start.
func (b *backfill) selects(m *state.Mapping) bool {
	if b.o.Which == BackfillAll {
		return true
	}
	var ends struct {
		Date string `json:"end_date"`
		Time string `json:"end_time"`
	}
	if json.Unmarshal(m.Payload, &ends) != nil {
		return false // there is none: the row cannot be translated
	}
	var row cdc.Row
	row.Set(cdc.EndDate, ends.Date, cdc.Value)
	row.Set(cdc.EndTime, ends.Time, cdc.Value)
	return !b.o.Which.assumes(&row, b.c.opts.Now(), b.c.opts.Zone)
}

func (b *backfill) count(m *state.Mapping) {
	if m.Payload == nil {
		b.report.Parked++
	} else {
		b.report.Pushed++
	}
}

// push takes the assumption back where it still holds.
func (b *backfill) push(ctx context.Context, ids []state.EventID) error {
	tx, err := b.c.opts.Store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin state transaction: %w", err)
	}
	pushed, err := b.save(ctx, tx, ids)
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("push a page: %w", err), tx.Rollback())
	}
	for _, m := range pushed {
		b.count(m)
	}
	b.report.Known += len(ids) - len(pushed) // the stream was faster
	b.c.opts.Changed()
	return nil
}

func (b *backfill) save(ctx context.Context, tx state.Tx, ids []state.EventID) (pushed []*state.Mapping, err error) {
	rows, err := tx.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	now := b.c.opts.Now()
	for _, id := range ids {
		if m := rows[id]; m != nil && b.selects(m) && m.Backfill(now) {
			pushed = append(pushed, m)
		}
	}
	return pushed, tx.Save(ctx, pushed...)
}
