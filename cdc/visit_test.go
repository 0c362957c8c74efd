package cdc

import (
	"errors"
	"strings"
	"testing"
)

func (r *rig) visit(t *testing.T) *Visit {
	t.Helper()
	v, err := NewVisit(t.Context(), r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return v
}

// TestVisitGoesOn: a connection that breaks is replaced, before and after the
// replication connection has told of the server, and nothing is left on it.
func TestVisitGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.ApplicationName = "visit of " + r.db.Name
	v := r.visit(t)
	for _, replicate := range []bool{false, true} {
		if replicate {
			if err := v.Replicate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r.db.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1`, r.cfg.ApplicationName)
		f, err := v.Facts(t.Context())
		if err != nil || f.TableOID == 0 || f.SystemID == "" || replicate != (f.Timeline != 0) {
			t.Errorf("replicate %v: %+v, %v", replicate, f, err)
		}
	}
	r.db.Await(t, "0", `SELECT count(*) FROM pg_stat_replication WHERE application_name LIKE $1`, r.cfg.ApplicationName+"%")
}

// TestVisitFinds: findings are those of Open, and no error.
func TestVisitFinds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.db.Exec(t, `ALTER TABLE calendar_events REPLICA IDENTITY NOTHING, ALTER title TYPE bytea USING title::bytea, ALTER description TYPE varchar(100)`)
	v := r.visit(t)
	found, err := v.Preflight(t.Context())
	if err != nil || len(found) != 1 || found[0].Code != CodeReplicaIdentity {
		t.Errorf("found %v, %v", found, err)
	}
	if types := v.TypeFindings(); len(types) != 1 || !strings.Contains(types[0].Problem, "title") {
		t.Errorf("types %v", types)
	}
	r.cfg.URL = strings.Replace(r.cfg.URL, r.db.Name, "no_such_database", 1)
	if _, err := NewVisit(t.Context(), r.cfg); len(Findings(err)) != 1 || errors.Is(err, ErrConnectionLost) {
		t.Errorf("no database: %v", err)
	}
}
