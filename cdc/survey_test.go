package cdc

import (
	"errors"
	"testing"
	"time"
)

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
		if err := DropSlot(t.Context(), r.cfg); err != nil {
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
