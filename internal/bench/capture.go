package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pglogrepl"
)

// load commits the rows in the transactions given, each row an onboarding event
// of some 500 bytes of payload.
const load = `
DO $$
BEGIN
	FOR t IN 1..%[2]d LOOP
		INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		SELECT format('event-%%s.%%s', t, i), 1, format('Onboarding %%s', i), '2030-01-15', '2030-01-15', '10:00', '11:00',
			'Initial client onboarding with a description of usual length, some hundred characters of it or so.', 'onboarding'
		FROM generate_series(1, %[1]d / %[2]d) i;
		COMMIT;
	END LOOP;
END $$`

// backlog prepares slots and a state that both end before a backlog, and makes it.
// Slots named in others start at the same point as ours.
func (st *stage) backlog(ctx context.Context, s settings, others []string) (state string, end pglogrepl.LSN, err error) {
	state = filepath.Join(st.dir, "before.db")
	p, err := st.start(state, nil)
	if err != nil {
		return "", 0, err
	}
	if err := reaches(ctx, state, 1); err != nil {
		return "", 0, err
	}
	if err := p.stop(); err != nil {
		return "", 0, err
	}
	for _, name := range append(others, "keep") {
		if err := st.exec(ctx, "SELECT pg_copy_logical_replication_slot($1, $2)", slot, name); err != nil {
			return "", 0, err
		}
	}
	if err := st.exec(ctx, fmt.Sprintf(load, s.rows, s.transactions)); err != nil {
		return "", 0, err
	}
	end, err = st.walEnd(ctx)
	return state, end, err
}

// benchCapture drains one backlog by pg_recvlogical and by the daemon, in turns.
func benchCapture(ctx context.Context, st *stage, s settings) error {
	var others []string
	for i := range s.runs {
		others = append(others, fmt.Sprintf("recv%d", i))
	}
	state, end, err := st.backlog(ctx, s, others)
	if err != nil {
		return err
	}
	var recv, ours []float64
	for _, name := range others {
		took, err := st.recvlogical(ctx, name, end)
		if err != nil {
			return err
		}
		recv = append(recv, float64(s.rows)/took.Seconds())
		d, err := st.drain(ctx, state, end)
		if err != nil {
			return err
		}
		ours = append(ours, float64(s.rows)/d.took.Seconds())
		fmt.Printf("pg_recvlogical %.0f rows/s; ghlsync %.0f rows/s, peak %s with %d pending\n", recv[len(recv)-1], ours[len(ours)-1], mib(d.peak), s.rows)
	}
	fmt.Printf("median: pg_recvlogical %.0f rows/s, ghlsync %.0f rows/s, ratio %.2f\n", median(recv), median(ours), median(ours)/median(recv))
	return st.pending(ctx)
}

// recvlogical streams a slot to /dev/null up to the end.
func (st *stage) recvlogical(ctx context.Context, name string, end pglogrepl.LSN) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(st.pgBin, "pg_recvlogical"), "-d", st.pg.URL("postgres"),
		"-S", name, "--start", "--no-loop", "-f", os.DevNull, "-o", "proto_version=1", "-o", "publication_names=ghlsync", "--endpos", end.String())
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("pg_recvlogical: %w\n%s", err, out)
	}
	return time.Since(began), nil
}

type drained struct {
	took time.Duration
	peak int64
}

// drain runs the daemon from the state before the backlog until the checkpoint is
// at its end. The slot is set back to where it was.
func (st *stage) drain(ctx context.Context, before string, end pglogrepl.LSN) (d drained, err error) {
	state := filepath.Join(st.dir, "state.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(state + suffix); err != nil && !os.IsNotExist(err) {
			return d, err
		}
	}
	content, err := os.ReadFile(before)
	if err != nil {
		return d, err
	}
	if err := os.WriteFile(state, content, 0o600); err != nil {
		return d, err
	}
	if err := st.exec(ctx, "SELECT pg_drop_replication_slot($1)", slot); err != nil {
		return d, err
	}
	if err := st.exec(ctx, "SELECT pg_copy_logical_replication_slot('keep', $1)", slot); err != nil {
		return d, err
	}
	began := time.Now()
	p, err := st.start(state, nil)
	if err != nil {
		return d, err
	}
	if err := reaches(ctx, state, end); err != nil {
		return d, err
	}
	d.took = time.Since(began)
	if d.peak, err = p.peak(); err != nil {
		return d, err
	}
	return d, p.stop()
}

// pending runs the daemon on the state that the last drain left, all pending,
// with delivery on and a GHL that refuses connections, for a while.
func (st *stage) pending(ctx context.Context) error {
	p, err := st.start(filepath.Join(st.dir, "state.db"), map[string]string{"GHL_WEBHOOK_ENABLED": "true", "LOG_LEVEL": "error"})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
	}
	peak, err := p.peak()
	if err != nil {
		return err
	}
	fmt.Printf("all pending, GHL down, delivery trying for 10 s: peak %s\n", mib(peak))
	return p.stop()
}

// benchOneTransaction drains one transaction that holds all rows.
func benchOneTransaction(ctx context.Context, st *stage, s settings) error {
	s.transactions = 1
	state, end, err := st.backlog(ctx, s, nil)
	if err != nil {
		return err
	}
	d, err := st.drain(ctx, state, end)
	if err != nil {
		return err
	}
	fmt.Printf("one transaction of %d rows: %.1f s, %.0f rows/s, peak %s\n", s.rows, d.took.Seconds(), float64(s.rows)/d.took.Seconds(), mib(d.peak))
	return nil
}
