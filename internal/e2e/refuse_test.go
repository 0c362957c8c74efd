package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// refused starts the daemon and checks that it ends with the code, and that what
// it says holds every one of the texts: the thing, and the mend.
func (r *rig) refused(code int, texts ...string) {
	r.t.Helper()
	p := r.launch()
	got := p.wait()
	said := p.stderr.String()
	if got != code {
		r.t.Errorf("exit code %d, want %d", got, code)
	}
	for _, text := range texts {
		if !strings.Contains(unquote(said), text) {
			r.t.Errorf("message lacks %q", text)
		}
	}
	if r.t.Failed() {
		r.t.Logf("it said:\n%s", said)
	}
	for _, secret := range []string{"bait-secret", "webhook-trigger"} {
		if strings.Contains(said, secret) {
			r.t.Errorf("message holds %q", secret)
		}
	}
}

// unquote takes the quoting of JSON log lines away.
func unquote(s string) string { return strings.ReplaceAll(s, `\"`, `"`) }

// as makes the daemon log in as a role of its own with the attributes and grants,
// in which ROLE_ stands for its name.
func (r *rig) as(attributes string, grants ...string) (role string) {
	r.t.Helper()
	role, connection := r.db.Role(r.t, attributes)
	for _, sql := range grants {
		r.db.Exec(r.t, strings.ReplaceAll(sql, "ROLE_", role))
	}
	u, err := url.Parse(connection)
	if err != nil {
		r.t.Fatal(err)
	}
	u.User = url.UserPassword(role, "bait-secret") // which the server does not ask for
	r.set("SENTRA_DATABASE_URL=" + u.String())
	return role
}

const (
	grantEvents  = "GRANT SELECT ON calendar_events TO ROLE_"
	grantClients = "GRANT SELECT (id, name, business_name, email, phone) ON clients TO ROLE_"
)

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t, "SENTRA_BACKFILL=some", "GHL_RATE=fast", "GHL_WEBHOOK_URL=http://example.com/hooks/bait-secret", "CDC_SLOT=Not-A-Slot", "HTTP_ADDR=0.0.0.0:1")
	r.refused(2, "SENTRA_BACKFILL", "some", "GHL_RATE", "fast", "GHL_WEBHOOK_URL", "CDC_SLOT", "Not-A-Slot", "HTTP_ADDR", "HTTP_TOKEN")
}

func TestMissingConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	delete(r.env, "SENTRA_DATABASE_URL")
	delete(r.env, "GHL_WEBHOOK_URL")
	r.refused(2, "SENTRA_DATABASE_URL", "GHL_WEBHOOK_URL")
}

func TestPooledHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, "SENTRA_DATABASE_URL=postgres://u:bait-secret@ep-cool-1-pooler.eu-central-1.aws.neon.tech/db")
	r.refused(2, "SENTRA_DATABASE_URL", "ep-cool-1.eu-central-1.aws.neon.tech")
}

func TestWALLevel(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{WALLevel: "replica"})
	r := newRigOn(t, pgtest.DatabaseOn(t, server))
	r.refused(1, "wal_level", "ALTER SYSTEM SET wal_level = 'logical'")
}

func TestRoleWithoutRights(t *testing.T) {
	t.Parallel()
	t.Run("replication", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		role := r.as("LOGIN BYPASSRLS", grantEvents, grantClients)
		r.refused(1, "REPLICATION", `ALTER ROLE "`+role)
	})
	t.Run("select on events", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.as("LOGIN REPLICATION BYPASSRLS", grantClients)
		r.refused(1, "calendar_events", "GRANT SELECT")
	})
	t.Run("select on clients", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.as("LOGIN REPLICATION BYPASSRLS", grantEvents)
		r.refused(1, "clients", "GRANT SELECT", "business_name")
	})
	t.Run("row security", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.as("LOGIN REPLICATION", grantEvents, grantClients)
		r.refused(1, "row", "security", "BYPASSRLS")
	})
	t.Run("publication", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.as("LOGIN REPLICATION BYPASSRLS", grantEvents, grantClients)
		r.refused(1, "CREATE PUBLICATION", "calendar_events")
	})
	t.Run("least privilege is enough", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.as("LOGIN REPLICATION BYPASSRLS", grantEvents, grantClients)
		r.db.Exec(t, "CREATE PUBLICATION ghlsync FOR TABLE calendar_events WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)")
		r.start()
		r.insert("event-1", "onboarding", "First")
		r.caughtUp()
		r.same()
	})
}

func TestNothingIsCreatedWhereThatIsForbidden(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CDC_CREATE=false")
	r.refused(1, "CREATE PUBLICATION", "calendar_events")
	r.db.Exec(t, "CREATE PUBLICATION ghlsync FOR TABLE calendar_events WITH (publish_via_partition_root = true)")
	r.refused(1, "pg_create_logical_replication_slot", r.env["CDC_SLOT"])
	r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", r.env["CDC_SLOT"])
	r.insert("event-1", "onboarding", "Between slot and first start")
	r.start()
	r.caughtUp()
	r.same()
	r.noDoubles()
}

func TestPublicationWithoutTheTable(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CDC_CREATE=false")
	r.db.Exec(t, "CREATE TABLE other (id INT PRIMARY KEY)")
	r.db.Exec(t, "CREATE PUBLICATION ghlsync FOR TABLE other")
	r.refused(1, "ghlsync", "calendar_events", "ALTER PUBLICATION")
}

func TestSlotOfAnother(t *testing.T) {
	t.Parallel()
	t.Run("plugin", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", r.env["CDC_SLOT"])
		r.refused(1, r.env["CDC_SLOT"], "test_decoding", "CDC_SLOT")
	})
	t.Run("kind", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.db.Exec(t, "SELECT pg_create_physical_replication_slot($1)", r.env["CDC_SLOT"])
		r.refused(1, r.env["CDC_SLOT"], "physical", "CDC_SLOT")
		r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.env["CDC_SLOT"])
	})
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		r, other := newRig(t), pgtest.Database(t)
		other.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", r.env["CDC_SLOT"])
		r.refused(1, r.env["CDC_SLOT"], other.Name, "CDC_SLOT")
	})
}

// TestStateOfAnother: a state goes with one database of one cluster.
func TestStateOfAnother(t *testing.T) {
	t.Parallel()
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start()
		r.proc.stop()
		r.set("SENTRA_DATABASE_URL=" + pgtest.Database(t).URL)
		r.refused(1, "SENTRA_DATABASE_URL", "STATE_URL")
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start()
		r.proc.stop()
		other := pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{}))
		r.set("SENTRA_DATABASE_URL=" + other.URL)
		r.refused(1, "SENTRA_DATABASE_URL", "STATE_URL")
	})
}

func TestUnusableState(t *testing.T) {
	t.Parallel()
	t.Run("damaged", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		file := filepath.Join(r.dir, "state.db")
		junk := []byte(strings.Repeat("not a database ", 1000))
		if err := os.WriteFile(file, junk, 0o600); err != nil {
			t.Fatal(err)
		}
		r.refused(1, "state.db", "move")
		if now, err := os.ReadFile(file); err != nil || string(now) != string(junk) {
			t.Errorf("the damaged file was touched (%v)", err)
		}
	})
	t.Run("in use", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		first := r.start()
		r.refused(1, "state.db", "in use")
		r.proc = first
		r.insert("event-1", "onboarding", "First") // the first is not disturbed
		r.caughtUp()
		r.same()
	})
	t.Run("mode", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start()
		for _, name := range []string{"state.db", "state.db-wal", "state.db-shm", "state.db.lock"} {
			info, err := os.Stat(filepath.Join(r.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %o", name, info.Mode().Perm())
			}
		}
	})
}

// TestStandby: a second daemon with a state of its own waits for the slot, is
// ready, and takes over; one with an empty state refuses.
func TestStandby(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.start()
	r.insert("event-0", "onboarding", "First")
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()

	empty := newRigOn(t, r.db)
	empty.set("CDC_SLOT="+r.env["CDC_SLOT"], "GHL_WEBHOOK_URL="+r.ghl.WebhookURL())
	empty.refused(1, "in use", "CDC_SLOT")

	first.stop()
	copied := newRigOn(t, r.db)
	copied.ghl = r.ghl
	copied.set("CDC_SLOT="+r.env["CDC_SLOT"], "GHL_WEBHOOK_URL="+r.ghl.WebhookURL())
	state, err := os.ReadFile(filepath.Join(r.dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied.dir, "state.db"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	first = r.start()
	second := copied.start() // ready as a standby
	r.until("the standby says that it waits", func() bool { return strings.Contains(second.stderr.String(), "standby") })
	first.stop()
	r.missed()
	copied.caughtUp()
	copied.same()
}
