package slotinfo

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestFactsOfASlot(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	name := "facts_" + db.Name
	r := New(db.URL, name)
	if got, err := r.Slot(t.Context()); got != nil || err != nil {
		t.Fatalf("before it exists: %+v, %v", got, err)
	}
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
	db.Exec(t, "INSERT INTO clients (name, business_name, email, username, password) SELECT 'n', 'b', 'e' || i, 'u' || i, 'p' FROM generate_series(1, 200) i")
	// A new Reader has no answer to keep.
	got, err := New(db.URL, name).Slot(t.Context())
	if err != nil || got == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	confirmed := db.QueryString(t, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", name)
	if got.Name != name || got.Active || *got.WALStatus != "reserved" || *got.ConfirmedFlushLSN != confirmed {
		t.Errorf("got %+v, confirmed %s, want %s", got, *got.ConfirmedFlushLSN, confirmed)
	}
	if *got.LagBytes < 10_000 || *got.RetainedWALBytes < *got.LagBytes {
		t.Errorf("lag %d, retained %d", *got.LagBytes, *got.RetainedWALBytes)
	}
}

func TestAnswersAreKept(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	name := "kept_" + db.Name
	r := New(db.URL, name)
	now := time.Now()
	r.now = func() time.Time { return now }
	ask := func() bool {
		got, err := r.Slot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got != nil
	}
	if ask() {
		t.Fatal("there is one already")
	}
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
	now = now.Add(Keep - 1)
	if ask() {
		t.Error("asked again within Keep")
	}
	now = now.Add(1)
	if !ask() {
		t.Error("not asked again after Keep")
	}
}

func TestErrorsHoldNothingOfTheConnectionString(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	stranger, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	stranger.User = url.UserPassword("hunter2", "hunter2")
	for name, c := range map[string]struct{ url, want string }{
		"not one":      {"hunter2://", "SENTRA_DATABASE_URL cannot be read"},
		"refused":      {"postgres://hunter2:hunter2@127.0.0.1:1/hunter2", "the source is not reachable: no connection"},
		"no such role": {stranger.String(), "the source is not reachable: the server says SQLSTATE 28000"},
	} {
		_, err := New(c.url, "slot").Slot(t.Context())
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// A server that takes connections and says nothing must not hang a status.
func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	address := "postgres://u@" + silent.Addr().String() + "/x?sslmode=disable"
	began := time.Now()
	_, err = New(address, "slot").Slot(t.Context())
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "no answer within 3s") || took > 2*Timeout {
		t.Errorf("%v after %s", err, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := New(address, "slot")
	if _, err := r.Slot(ctx); err == nil || !r.asked.IsZero() {
		t.Errorf("a question that was called off counts as asked: %v", err)
	}
}
