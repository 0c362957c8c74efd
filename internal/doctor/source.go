package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"ghlsync/cdc"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
)

// Versions of Postgres that are known to work.
const (
	oldestMajor = 14
	newestMajor = 18
)

// source is Sentra's database under examination. Its fields are set by the checks
// of that name.
type source struct {
	options Options
	store   *store

	cfg       config.Config
	cdc       cdc.Config
	visit     *cdc.Visit           // connection
	preflight []*cdc.Finding       // version
	settings  map[string]parameter // version
	facts     *cdc.Facts           // once somebody has asked
}

// checks lists them in the order in which they are told.
func (s *source) checks() []check {
	tables := []string{"version", "tables"}
	rows := append(tables, "columns", "rights", "row_security")
	return []check{
		{"connection", nil, s.connect},
		{"encryption", []string{"connection"}, s.encryption},
		{"version", []string{"connection"}, s.version},
		{"wal_level", []string{"version"}, s.found(cdc.CodeWALLevel, "logical")},
		{"slots", []string{"version"}, s.freeSlots},
		{"senders", []string{"version"}, s.freeSenders},
		{"replication", []string{"version"}, s.replication},
		{"tables", []string{"version"}, s.found(cdc.CodeTable, "both are there")},
		{"columns", tables, s.found(cdc.CodeColumn, "all needed ones are there")},
		{"types", rows, s.types},
		{"rights", tables, s.found(cdc.CodeSelect, "the role may read what it needs")},
		{"row_security", tables, s.found(cdc.CodeRowSecurity, "hides nothing from the role")},
		{"replica_identity", tables, s.found(cdc.CodeReplicaIdentity, "covers the column id")},
		{"publication", tables, s.publication},
		{"slot", []string{"version"}, s.slot},
		{"slot_limit", []string{"version"}, s.slotLimit},
		{"slot_idle", []string{"version"}, s.slotIdle},
		{"transactions", []string{"version"}, s.transactions},
		{"sync_standby", []string{"version"}, s.syncStandby},
		{"standby_slots", []string{"version"}, s.standbySlots},
		{"state_source", []string{"state", "replication", "version"}, s.stateSource},
		{"start", []string{"state", "replication", "wal_level", "slot", "publication", "state_source"}, s.start},
		{"echo", rows, s.echo},
		{"in_app_webhooks", append(slices.Clone(rows), "state"), s.inApp},
		{"clock", []string{"connection"}, s.clock},
	}
}

func (s *source) close(ctx context.Context) {
	if s.visit != nil {
		// It was only read from, and the server drops what we leave.
		_ = s.visit.Close(ctx)
	}
}

func (s *source) connect(ctx context.Context) Result {
	cfg, wrong := needing(ctx, s.options.Environment, databaseURL, config.NeedSource, config.NeedSlot)
	if wrong != nil {
		return *wrong
	}
	s.cfg, s.cdc = cfg, daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler))
	visiting := s.cdc
	visiting.ApplicationName = "ghlsync doctor"
	visit, err := cdc.NewVisit(ctx, visiting)
	if err != nil {
		r := failure(err)
		if r.Mend == "" {
			r.Mend = "check host and port of " + databaseURL + ", and that the server runs and lets this machine in"
		}
		return r
	}
	s.visit = visit
	return good("the server answers role %q", visit.Role())
}

func (s *source) encryption(context.Context) Result {
	return judgeLink(s.visit.Link())
}

func judgeLink(l cdc.Link) Result {
	switch {
	case l.Verified:
		return good("TLS, and the server's certificate is checked")
	case l.Encrypted:
		return good("TLS, but anybody's certificate would do (sslmode=verify-full checks it)")
	case l.Local:
		return good("none, and the connection stays on this machine")
	}
	return Result{
		Status: Warn, Detail: "the connection is not encrypted, and clients' data goes over it",
		Mend: "add sslmode=verify-full to " + databaseURL,
	}
}

// version also asks what later checks judge.
func (s *source) version(ctx context.Context) (r Result) {
	var err error
	if s.preflight, err = s.visit.Preflight(ctx); err != nil {
		r = unanswered(err)
		if errors.Is(err, cdc.ErrInRecovery) {
			r.Mend = "point " + databaseURL + " to the primary"
		}
		return r
	}
	if r = s.found(cdc.CodeServerVersion, "")(ctx); r.Status != OK {
		return r
	}
	if s.settings, err = s.readSettings(ctx); err != nil {
		return unanswered(err)
	}
	major := s.visit.Version() / 10000
	if major > newestMajor {
		return Result{
			Status: Warn, Detail: fmt.Sprintf("Postgres %d is newer than the versions that ghlsync is known to work with (%d to %d)", major, oldestMajor, newestMajor),
			Mend: "look for a newer ghlsync",
		}
	}
	return good("Postgres %d, a primary", major)
}

// found is a check for preflight's findings of one kind.
func (s *source) found(code, fine string) func(context.Context) Result {
	return func(context.Context) Result {
		var mine []*cdc.Finding
		for _, f := range s.preflight {
			if f.Code == code {
				mine = append(mine, f)
			}
		}
		if len(mine) > 0 {
			return findings(mine)
		}
		return good("%s", fine)
	}
}

func (s *source) types(context.Context) Result {
	if found := s.visit.TypeFindings(); len(found) > 0 {
		return findings(found)
	}
	return good("dates, times and texts are such")
}

func (s *source) replication(ctx context.Context) Result {
	if err := s.visit.Replicate(ctx); err != nil {
		r := failure(err)
		if r.Mend == "" {
			r.Mend = "connect to the server itself: a pooler such as PgBouncer cannot replicate"
		}
		return r
	}
	return good("a replication connection comes about")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func list(names []string) string { return strings.Join(names, ", ") }
