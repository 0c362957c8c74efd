package cdc

import (
	"errors"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role, url := r.db.Role(t, "login")
	r.db.Exec(t, "ALTER TABLE clients OWNER TO "+role)
	r.cfg.URL = url
	v, err := Look(t.Context(), r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if v.Role != role || v.Creator || v.EventsOwner != "postgres" || v.ClientsOwner != role || v.WALLevel != "logical" || v.WALFinding() != nil ||
		v.Database != r.db.Name || v.TableOID == 0 || v.Publication != nil || v.Slot != nil || len(v.Findings) != 0 {
		t.Errorf("got %+v", v)
	}
	// A replication connection tells the same of the server.
	r.cfg.URL = r.db.URL
	f, err := r.open(t).Inspect(t.Context())
	if err != nil || f.SystemID != v.SystemID || f.Timeline != v.Timeline || f.ServerVersion != v.ServerVersion {
		t.Errorf("got %+v, want %+v (%v)", v.Facts, f, err)
	}
	r.db.Exec(t, "ALTER TABLE calendar_events REPLICA IDENTITY NOTHING; CREATE PUBLICATION "+r.cfg.Publication+" FOR ALL TABLES")
	r.db.Exec(t, "SELECT pg_create_logical_replication_slot('"+r.cfg.Slot+"', 'test_decoding')")
	if v, err = Look(t.Context(), r.cfg); err != nil || !v.Creator {
		t.Fatalf("creator %v, %v", v.Creator, err)
	}
	var found []string
	for _, find := range v.Findings {
		found = append(found, find.Code)
	}
	if len(found) != 3 || found[0] != CodePublication || found[1] != CodeSlot || found[2] != CodeReplicaIdentity {
		t.Errorf("found %v", found)
	}
}

// A slot is made with no right but to replicate, and outlives the connection.
func TestMakeAndDropSlot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, r.cfg.URL = r.db.Role(t, "login replication")
	r.cfg.Create = false // which is about the daemon
	at, err := MakeSlot(t.Context(), r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.confirmed(t); got != at {
		t.Errorf("made at %s, streams from %s", at, got)
	}
	if _, err := MakeSlot(t.Context(), r.cfg); !errors.Is(err, ErrSlotExists) {
		t.Errorf("a second one: %v", err)
	}
	for range 2 { // the second time there is none
		if err := DropSlot(t.Context(), Config{URL: r.cfg.URL, Slot: r.cfg.Slot}); err != nil {
			t.Error(err)
		}
		r.db.Await(t, "0", `SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot)
	}
}

func TestMakeSlotIsHeldUp(t *testing.T) {
	t.Parallel()
	r := ownRig(t, nil)
	r.cfg.SlotWait = 300 * time.Millisecond
	r.db.Exec(t, "BEGIN; CREATE TABLE open (); PREPARE TRANSACTION 'open'")
	if _, err := MakeSlot(t.Context(), r.cfg); !errors.Is(err, ErrHeldUp) {
		t.Errorf("got %v", err)
	}
	r.db.Await(t, "0", `SELECT count(*) FROM pg_replication_slots`)
}
