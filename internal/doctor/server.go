package doctor

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ghlsync/cdc"
)

// parameter is a setting of the server.
type parameter struct{ value, unit string }

// readSettings asks for what the checks judge. What a version does not have is not
// in the answer.
func (s *source) readSettings(ctx context.Context) (map[string]parameter, error) {
	rows, err := s.visit.Rows(ctx, `SELECT name, setting, coalesce(unit, '') FROM pg_settings WHERE name = ANY ($1::text[])`,
		cdc.TextArray([]string{
			"max_replication_slots", "max_wal_senders", "max_slot_wal_keep_size",
			"idle_replication_slot_timeout", "synchronous_standby_names", "synchronized_standby_slots",
		}))
	if err != nil {
		return nil, fmt.Errorf("read the server's settings: %w", err)
	}
	settings := make(map[string]parameter, len(rows))
	for _, r := range rows {
		settings[r[0]] = parameter{value: r[1], unit: r[2]}
	}
	return settings, nil
}

// hosted is where ALTER SYSTEM is not for customers, and restart follows a setting
// that a running server cannot take.
const (
	hosted  = " (hosted: in the provider's settings)"
	restart = "raise it and restart the server" + hosted
)

func (s *source) freeSlots(ctx context.Context) Result {
	rows, err := s.visit.Rows(ctx, `SELECT count(*), count(*) FILTER (WHERE slot_name = $1) FROM pg_replication_slots`, s.cdc.Slot)
	if err != nil {
		return unanswered(err)
	}
	return s.capacity("max_replication_slots", "replication slot", rows[0])
}

func (s *source) freeSenders(ctx context.Context) Result {
	rows, err := s.visit.Rows(ctx, `
		SELECT count(*), count(*) FILTER (WHERE pid IN (SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1))
		FROM pg_stat_replication`, s.cdc.Slot)
	if err != nil {
		return unanswered(err)
	}
	return s.capacity("max_wal_senders", "WAL sender", rows[0])
}

// capacity judges how many of a kind are free, given how many are in use and how
// many of these by the daemon itself: its stream needs one, and a snapshot one more
// for a while.
func (s *source) capacity(setting, what string, used []string) Result {
	most, err := strconv.Atoi(s.settings[setting].value)
	if err != nil {
		return unanswered(fmt.Errorf("read %s: %w", setting, err))
	}
	all, err := strconv.Atoi(used[0])
	if err != nil {
		return unanswered(fmt.Errorf("count what %s bounds: %w", setting, err))
	}
	need, free := 2, max(0, most-all)
	if used[1] != "0" {
		need = 1 // the stream has its own already
	}
	if free >= need {
		return good("%d of %d free", free, most)
	}
	r := Result{
		Status: Warn, Detail: plural(free, what, what+"s") + " free, and a snapshot beside the stream needs one more",
		Mend: "end what is not needed, or " + restart, SQL: []string{setServer(setting, strconv.Itoa(most+need-free))},
	}
	if need == 2 && free == 0 {
		r.Status, r.Detail = Fail, fmt.Sprintf("no %s is free (%s = %d), and the stream needs one", what, setting, most)
	}
	return r
}

func setServer(setting, value string) string {
	return fmt.Sprintf("ALTER SYSTEM SET %s = %s;", setting, literal(value))
}

const reload = "SELECT pg_reload_conf();"

// defaultLimit is proposed where the operator has not said how much disk there is.
const defaultLimit = 10 << 30

// slotLimit judges what a daemon that stays away costs the server.
func (s *source) slotLimit(context.Context) Result {
	limit := s.settings["max_slot_wal_keep_size"]
	if limit.value != "-1" {
		return good("%s%s at most", limit.value, limit.unit)
	}
	bytes := int64(defaultLimit)
	if s.cfg.CDC.WALBudget > 0 {
		bytes = int64(s.cfg.CDC.WALBudget)
	}
	return Result{
		Status: Warn, Detail: "max_slot_wal_keep_size sets no limit: a daemon that stays away lets WAL fill the server's disk",
		Mend: "set what the disk can spare; a slot that needs more is given up, and the daemon then heals by a snapshot" + hosted,
		SQL:  []string{setServer("max_slot_wal_keep_size", fmt.Sprintf("%dMB", max(1, bytes>>20))), reload},
	}
}

// slotIdle judges a setting of Postgres 18 and later.
func (s *source) slotIdle(context.Context) Result {
	timeout, ok := s.settings["idle_replication_slot_timeout"]
	switch {
	case !ok:
		return good("this version has no idle_replication_slot_timeout")
	case timeout.value == "0":
		return good("a slot is kept however long it is not in use")
	}
	return Result{
		Status: Warn,
		Detail: fmt.Sprintf("idle_replication_slot_timeout gives up the slot of a daemon that is away for %s%s", timeout.value, timeout.unit),
		Mend:   "let max_slot_wal_keep_size alone decide" + hosted,
		SQL:    []string{setServer("idle_replication_slot_timeout", "0"), reload},
	}
}

// transactions tells of what would hold up the creation of a slot.
func (s *source) transactions(ctx context.Context) Result {
	open, err := s.longTransactions(ctx)
	if err != nil {
		return unsure(err)
	}
	if len(open) == 0 {
		return good("none is open for long")
	}
	r := Result{Status: Warn, Mend: "a new slot waits for them: let them end, or end them (a prepared one in its own database)"}
	var names []string
	for _, t := range open {
		if t.GID != "" {
			names = append(names, fmt.Sprintf("prepared transaction %q", t.GID))
			r.SQL = append(r.SQL, fmt.Sprintf("ROLLBACK PREPARED %s;", literal(t.GID)))
			continue
		}
		name := fmt.Sprintf("server process %d", t.PID)
		if t.State != "" {
			name += " (" + t.State + ")"
		}
		if t.Age > 0 {
			name += " for " + t.Age.Round(time.Second).String()
		}
		names = append(names, name)
		r.SQL = append(r.SQL, fmt.Sprintf("SELECT pg_terminate_backend(%d);", t.PID))
	}
	r.Detail = list(names)
	return r
}

// secondLook is when those transactions are looked for again whose age the role may
// not see.
const secondLook = time.Second

// longTransactions lists those that have been open for long. One whose age is
// hidden counts if it is still there a moment later.
func (s *source) longTransactions(ctx context.Context) ([]cdc.OpenTransaction, error) {
	first, err := s.visit.OpenTransactions(ctx)
	if err != nil {
		return nil, err
	}
	var long, hidden []cdc.OpenTransaction
	for _, t := range first {
		switch {
		case t.Age >= s.options.LongTransaction:
			long = append(long, t)
		case t.PID != 0 && t.Age == 0 && t.State == "":
			hidden = append(hidden, t)
		}
	}
	if len(hidden) == 0 {
		return long, nil
	}
	timer := time.NewTimer(secondLook)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	second, err := s.visit.OpenTransactions(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range hidden {
		for _, again := range second {
			if t.PID == again.PID {
				long = append(long, t)
			}
		}
	}
	return long, nil
}

// clockLimit is by how much two clocks may differ. Times decide nothing about the
// data, but what is told of them would mislead.
const clockLimit = 5 * time.Second

func (s *source) clock(ctx context.Context) Result {
	before := s.options.Now()
	rows, err := s.visit.Rows(ctx, `SELECT extract(epoch FROM clock_timestamp())::float8`)
	after := s.options.Now()
	if err != nil {
		return unsure(err)
	}
	seconds, err := strconv.ParseFloat(rows[0][0], 64)
	if err != nil {
		return unanswered(fmt.Errorf("read the server's clock: %w", err))
	}
	there := time.UnixMicro(int64(seconds * 1e6))
	// What the question itself took is not the clocks' difference.
	skew := max(there.Sub(after), before.Sub(there), 0)
	if skew <= clockLimit {
		return good("the server's is the same to %s", clockLimit)
	}
	return Result{
		Status: Warn, Detail: fmt.Sprintf("this machine's clock and the server's differ by %s", skew.Round(time.Second)),
		Mend: "synchronise both, such as by NTP",
	}
}
