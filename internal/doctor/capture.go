package doctor

import (
	"context"
	"fmt"

	"ghlsync/cdc"
)

// look reads what the source says of publication and slot, once.
func (s *source) look(ctx context.Context) (cdc.Facts, error) {
	if s.facts != nil {
		return *s.facts, nil
	}
	f, err := s.visit.Facts(ctx)
	if err != nil {
		return f, err
	}
	s.facts = &f
	return f, nil
}

func (s *source) publication(ctx context.Context) Result {
	f, err := s.look(ctx)
	if err != nil {
		return unanswered(err)
	}
	if find := s.cdc.PublicationFinding(f); find != nil {
		return findings([]*cdc.Finding{find})
	}
	if f.Fingerprint != "" {
		return good("%s publishes the events table whole", s.cdc.Publication)
	}
	missing, sql := fmt.Sprintf("publication %s does not exist", s.cdc.Publication), s.cdc.PublicationSQL()
	if f.Publication != nil {
		missing, sql = fmt.Sprintf("publication %s does not have the events table", s.cdc.Publication), s.cdc.AddTableSQL()
	}
	r := Result{Status: Fail, Detail: missing, SQL: []string{sql}}
	if !s.cdc.Create {
		r.Mend = "CDC_CREATE is false, so run this on the source"
		return r
	}
	may, err := s.mayPublish(ctx)
	if err != nil {
		return unanswered(err)
	}
	if may {
		return good("%s, and the next start sees to it", missing)
	}
	r.Detail += fmt.Sprintf(", and role %q may not change that", s.visit.Role())
	r.Mend = "let the owner of the table run this"
	return r
}

// mayPublish tells whether the role may make the publication, or add the table.
func (s *source) mayPublish(ctx context.Context) (bool, error) {
	rows, err := s.visit.Rows(ctx, `
		SELECT pg_has_role(c.relowner, 'USAGE') AND coalesce(
		         (SELECT pg_has_role(p.pubowner, 'USAGE') FROM pg_publication p WHERE p.pubname = $2),
		         has_database_privilege(current_database(), 'CREATE'))
		FROM pg_class c WHERE c.oid = $1::regclass`, s.visit.EventsTable(), s.cdc.Publication)
	if err != nil {
		return false, err
	}
	return len(rows) > 0 && rows[0][0] == "t", nil
}

func (s *source) slot(ctx context.Context) Result {
	f, err := s.look(ctx)
	if err != nil {
		return unanswered(err)
	}
	if find := s.cdc.SlotFinding(f); find != nil {
		return findings([]*cdc.Finding{find})
	}
	name, slot := s.cdc.Slot, f.Slot
	switch {
	case s.cdc.Failover && f.ServerVersion < 170000:
		return Result{
			Status: Warn, Detail: fmt.Sprintf("CDC_SLOT_FAILOVER does nothing on Postgres %d: it came with 17", f.ServerVersion/10000),
			Mend: "set CDC_SLOT_FAILOVER=false",
		}
	case slot == nil && s.cdc.Create:
		return good("%s does not exist, and the next start makes it", name)
	case slot == nil:
		return Result{
			Status: Fail, Detail: "slot " + name + " does not exist", Mend: "CDC_CREATE is false, so run this on the source, in this order",
			SQL: s.cdc.RepairSQL(f),
		}
	case slot.Lost():
		return s.lostSlot(f)
	case slot.WALStatus == "unreserved":
		return Result{
			Status: Warn, Detail: "slot " + name + " is about to be given up (wal_status unreserved)",
			Mend: "start the daemon, or find out why it does not confirm ('ghlsync status')",
		}
	case s.cdc.Failover && !slot.Failover:
		return Result{
			Status: Warn, Detail: "slot " + name + " would not survive a failover, although CDC_SLOT_FAILOVER is true",
			Mend: "stop the daemon, run this, and start it again: it takes a new snapshot", SQL: s.cdc.RepairSQL(f),
		}
	case !s.cdc.Failover && slot.Failover:
		return Result{
			Status: Warn, Detail: "slot " + name + " is marked for failover, and one that the daemon makes anew would not be",
			Mend: "set CDC_SLOT_FAILOVER=true",
		}
	}
	if slot.Active {
		return good("%s is in use by server process %d, wal_status %s", name, slot.ActivePID, slot.WALStatus)
	}
	return good("%s waits, wal_status %s", name, slot.WALStatus)
}

// lostSlot: the daemon sees to it where it may.
func (s *source) lostSlot(f cdc.Facts) Result {
	r := Result{
		Status: Fail, Detail: fmt.Sprintf("slot %s has lost WAL that it needs", s.cdc.Slot),
		Mend: "run this on the source, in this order, and start the daemon, which takes a new snapshot", SQL: s.cdc.RepairSQL(f),
	}
	if s.cdc.Create && s.cdc.OnSlotLoss != cdc.Stop {
		r.Status = Warn
		r.Mend = "start the daemon: it makes a new slot and takes a snapshot; or run this before"
	}
	return r
}

// stateSource asks whether the state belongs to this server and database.
func (s *source) stateSource(ctx context.Context) Result {
	f, err := s.look(ctx)
	if err != nil {
		return unanswered(err)
	}
	prior, _, err := s.store.prior(ctx, s.cdc.Slot)
	if err != nil {
		return unanswered(err)
	}
	if prior == nil {
		return good("there is no checkpoint yet for slot %s", s.cdc.Slot)
	}
	if find := s.cdc.SourceFinding(prior, f); find != nil {
		return findings([]*cdc.Finding{find})
	}
	return good("the checkpoint %s belongs to this server and database", prior.LSN)
}

// start tells what the next start would do. It is cdc's own judgement.
func (s *source) start(ctx context.Context) Result {
	f, err := s.look(ctx)
	if err != nil {
		return unanswered(err)
	}
	prior, _, err := s.store.prior(ctx, s.cdc.Slot)
	if err != nil {
		return unanswered(err)
	}
	verdict := cdc.Judge(prior, f, s.cdc)
	if prior != nil && f.Slot != nil && f.Slot.Active && s.store.held {
		verdict = cdc.JudgePoll(*prior, f, s.cdc)
	}
	switch verdict.Action {
	case cdc.Refuse:
		return failure(verdict.Err)
	case cdc.Heal:
		return Result{
			Status: Warn, Detail: "the daemon will heal: " + verdict.Reason,
			Mend: "start it: it takes a snapshot, which finds what was missed, deletes included",
		}
	case cdc.Wait:
		return good("would stand by: %s", verdict.Reason)
	case cdc.Continue:
		return good("goes on from %s", prior.LSN)
	case cdc.Adopt, cdc.Resume:
		return good("%s: %s", verdict.Action, verdict.Reason)
	}
	return good("%s", verdict.Action)
}
