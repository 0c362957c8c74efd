package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// whileDown does something with the server's files while it is down.
func (r *rig) whileDown(server *postgres.Server, work func(data string) error) {
	r.t.Helper()
	server.Halt(r.t.Context())
	if err := work(server.DataDir()); err != nil {
		r.t.Fatal(err)
	}
	if err := server.StartAgain(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// copyTree copies files as they are, owners included.
func copyTree(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return exec.Command("cp", "-a", from, to).Run()
}

// The server is restored from a backup that is older than our checkpoint. What it
// lost is taken out of GHL, what it has again is put back, nothing is doubled.
func TestServerRestoredFromABackup(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{})
	r := newRigOn(t, pgtest.DatabaseOn(t, server))
	r.start()
	r.insert("kept", "onboarding", "Kept")
	r.insert("deleted", "onboarding", "Deleted after the backup")
	r.caughtUp()
	backup := filepath.Join(filepath.Dir(server.DataDir()), "backup")
	r.whileDown(server, func(data string) error { return copyTree(data, backup) })
	r.ready()
	r.insert("lost", "handover", "Made after the backup")
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'deleted'")
	r.caughtUp()
	r.same()
	r.whileDown(server, func(data string) error { return copyTree(backup, data) })
	r.until("the restore is noticed", func() bool {
		return strings.Contains(unquote(r.proc.stderr.String()), "was restored from a backup")
	})
	r.ready()
	r.insert("after", "onboarding", "After the restore")
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d doubles", s.Doubles)
	}
}

// The server is promoted behind our checkpoint, with its slot: the stream goes on
// along the new timeline without a snapshot.
func TestServerPromoted(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{})
	r := newRigOn(t, pgtest.DatabaseOn(t, server))
	r.start()
	r.insert("before", "onboarding", "Before")
	r.caughtUp()
	snapshots := strings.Count(r.proc.stderr.String(), "snapshot is complete")
	r.whileDown(server, func(data string) error {
		signal := filepath.Join(data, "standby.signal")
		if err := os.WriteFile(signal, nil, 0o600); err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(data, "postgresql.conf"))
		if err != nil {
			return err
		}
		return chownLike(signal, info)
	})
	r.db.Exec(t, "SELECT pg_promote()")
	if timeline := r.db.QueryString(t, "SELECT timeline_id::text FROM pg_control_checkpoint()"); timeline == "" {
		t.Fatal("no timeline")
	}
	r.ready()
	r.insert("after", "onboarding", "After")
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Edited' WHERE id = 'before'")
	r.caughtUp()
	r.same()
	r.proc.stop()
	r.start() // the checkpoint knows the new timeline
	r.insert("later", "handover", "Later")
	r.caughtUp()
	r.same()
	if n := strings.Count(r.proc.stderr.String(), "snapshot is complete"); n > 0 || snapshots != 1 {
		t.Errorf("%d snapshots before, %d after", snapshots, n)
	}
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d doubles", s.Doubles)
	}
}
