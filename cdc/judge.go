package cdc

import (
	"fmt"
	"strings"

	"github.com/jackc/pglogrepl"
)

// Prior is what the checkpoint says.
type Prior struct {
	// LSN is an end LSN; 0 after an operator accepted the source in place of
	// another, of which nothing is known yet.
	LSN             pglogrepl.LSN
	SystemID        string
	Timeline        int32
	Database        string
	Fingerprint     string
	SnapshotPending bool // a snapshot was begun and did not end
	BaselineDone    bool // some snapshot was complete
}

// Action is what a start has to do.
type Action uint8

// The actions. All but Wait and Refuse end in streaming.
const (
	// FirstStart: publication, slot (see Verdict), snapshot by it, stream.
	FirstStart Action = iota + 1
	// Adopt: a slot waits that nobody streams from: stream from its confirmed
	// position, snapshot by a temporary slot.
	Adopt
	// Continue: stream from the checkpoint.
	Continue
	// Resume: like Continue, and start the snapshot over, by a temporary slot.
	Resume
	// Heal: there is a hole. A new epoch, a snapshot, and a new slot if the
	// verdict says so.
	Heal
	// Wait: another process streams from the slot. Look again later.
	Wait
	// Refuse: a person has to decide; see Verdict.Err.
	Refuse
)

func (a Action) String() string {
	names := [...]string{"none", "first start", "adopt", "continue", "resume", "heal", "wait", "refuse"}
	if int(a) >= len(names) {
		return fmt.Sprintf("Action(%d)", a)
	}
	return names[a]
}

// Verdict is the answer of Judge.
type Verdict struct {
	Action Action
	// Reason is why, in words, for all but FirstStart, Continue and Refuse.
	Reason string
	// NewSlot: ensure the publication, then create the slot. DropSlot: drop the
	// one that is there before that. Both belong to FirstStart and Heal. A Heal
	// without NewSlot keeps the slot, streams from its confirmed position and
	// takes its snapshot by a temporary one.
	NewSlot, DropSlot bool
	// Err is a *Finding, set for Refuse.
	Err error
}

// JudgePoll decides whether to go on while we stream ourselves: anything but
// Continue and Resume is a hole that has opened. That the slot is in use, and
// maybe further than the checkpoint was when it was read, is our own doing.
func JudgePoll(prior Prior, f Facts, cfg Config) Verdict {
	if f.Slot != nil {
		slot := *f.Slot
		slot.Active, slot.ConfirmedFlush = false, min(slot.ConfirmedFlush, prior.LSN)
		f.Slot = &slot
	}
	f.WALEnd = max(f.WALEnd, prior.LSN)
	return Judge(&prior, f, cfg)
}

// Judge decides how to start. It is pure.
//
// The order matters. What belongs to somebody else is refused before anything
// is healed, a slot that is in use is left to its user before it is judged, and
// of several holes the one that needs a new slot decides.
func Judge(prior *Prior, f Facts, cfg Config) Verdict {
	for _, find := range []*Finding{
		sourceFinding(prior, f), tableFinding(f, cfg), foreignSlotFinding(f, cfg),
	} {
		if find != nil {
			return Verdict{Action: Refuse, Err: find}
		}
	}
	if f.Slot != nil && f.Slot.Active {
		return judgeActive(prior, f, cfg)
	}
	if find := publicationFinding(f, cfg); find != nil {
		return Verdict{Action: Refuse, Err: find}
	}
	if prior == nil {
		return judgeFirst(f, cfg)
	}
	if prior.LSN == 0 {
		return judgeAccepted(f, cfg)
	}
	if hole := findHole(*prior, f, cfg); hole.found() {
		return judgeHole(hole, f, cfg)
	}
	if prior.SnapshotPending || !prior.BaselineDone {
		return Verdict{Action: Resume, Reason: "the last snapshot was interrupted"}
	}
	return Verdict{Action: Continue}
}

// judgeActive: with a state, we are the standby; without one there is nothing
// that could take over, since what the other daemon knows is not known here.
func judgeActive(prior *Prior, f Facts, cfg Config) Verdict {
	by := fmt.Sprintf("slot %s is in use by the server process %d", cfg.Slot, f.Slot.ActivePID)
	if prior != nil {
		return Verdict{Action: Wait, Reason: by}
	}
	return Verdict{Action: Refuse, Err: &Finding{
		Code: CodeSlot, Problem: by + ", and this daemon's state is empty, so it cannot stand by for it",
		Mend: "stop the other daemon, or share its state (STATE_URL), or set CDC_SLOT to another name", Err: ErrSlotActive,
	}}
}

func judgeFirst(f Facts, cfg Config) Verdict {
	missing := f.Fingerprint == ""
	if f.Slot != nil && !f.Slot.Lost() && !missing {
		return Verdict{Action: Adopt, Reason: "a slot waits that nobody streams from"}
	}
	if !cfg.Create {
		problem := fmt.Sprintf("slot %s does not exist", cfg.Slot)
		switch {
		case f.Slot != nil && f.Slot.Lost():
			problem = fmt.Sprintf("slot %s has lost WAL that it needs", cfg.Slot)
		case f.Slot != nil:
			problem = fmt.Sprintf("slot %s is older than its publication, which the events table is not part of", cfg.Slot)
		}
		return Verdict{Action: Refuse, Err: byHand(problem, f, cfg)}
	}
	return Verdict{Action: FirstStart, NewSlot: true, DropSlot: f.Slot != nil}
}

// judgeAccepted starts on the source as a first start would, but with a state that
// has to be brought in line. Config.OnSlotLoss is not asked: an operator has decided.
func judgeAccepted(f Facts, cfg Config) Verdict {
	v := judgeFirst(f, cfg)
	if v.Action != Refuse {
		v.Action, v.Reason = Heal, "an operator accepted this source in place of another"
	}
	return v
}

// hole is every reason to distrust continuity.
type hole struct {
	reasons []string
	newSlot bool // the slot cannot serve any more
	err     error
}

func (h *hole) found() bool { return len(h.reasons) > 0 }

func (h *hole) add(newSlot bool, err error, format string, args ...any) {
	h.reasons = append(h.reasons, fmt.Sprintf(format, args...))
	h.newSlot = h.newSlot || newSlot
	if h.err == nil {
		h.err = err
	}
}

func findHole(p Prior, f Facts, cfg Config) hole {
	var h hole
	ahead := f.Slot != nil && f.Slot.ConfirmedFlush > p.LSN
	switch {
	case f.Slot == nil:
		h.add(true, ErrSlotMissing, "slot %s does not exist any more", cfg.Slot)
	case f.Slot.Lost():
		h.add(true, ErrSlotLost, "slot %s has lost WAL that it needs (%s)", cfg.Slot, lossReason(f.Slot))
	case ahead:
		h.add(false, nil, "slot %s is confirmed up to %s, beyond the checkpoint %s: somebody advanced or re-created it, or the state is an older copy",
			cfg.Slot, f.Slot.ConfirmedFlush, p.LSN)
	}
	switch {
	case f.Fingerprint == "":
		h.add(true, nil, "publication %s does not publish the events table any more", cfg.Publication)
	case f.Fingerprint != p.Fingerprint:
		// A slot from before the change cannot be decoded across it. One that is
		// ahead of us was made by hand after it, where we may not make one.
		made := ahead && !cfg.Create
		h.add(!made, nil, "publication %s or the events table was changed or re-created", cfg.Publication)
	}
	if f.WALEnd < p.LSN {
		h.add(false, nil, "the server's WAL ends at %s, before the checkpoint %s: it was restored from a backup", f.WALEnd, p.LSN)
	}
	if reason := timelineHole(p, f); reason != "" {
		h.add(false, nil, "%s", reason)
	}
	return h
}

func lossReason(s *SlotFacts) string {
	if s.Invalidation != "" {
		return s.Invalidation
	}
	return "wal_status " + s.WALStatus
}

// timelineHole tells whether the checkpoint lies on the server's history. After
// a promotion the WAL beyond the switch point never happened.
func timelineHole(p Prior, f Facts) string {
	if p.Timeline == f.Timeline {
		return ""
	}
	for _, s := range f.Switches {
		if s.Timeline != p.Timeline {
			continue
		}
		if s.LSN < p.LSN {
			return fmt.Sprintf("the server left timeline %d at %s, before the checkpoint %s: the promoted server lacks WAL that we have seen", p.Timeline, s.LSN, p.LSN)
		}
		return ""
	}
	return fmt.Sprintf("the checkpoint's timeline %d is not in the history of the server's timeline %d", p.Timeline, f.Timeline)
}

func judgeHole(h hole, f Facts, cfg Config) Verdict {
	reason := strings.Join(h.reasons, "; ")
	if cfg.OnSlotLoss == Stop {
		find := &Finding{
			Code: CodeSlot, Problem: reason, Err: h.err,
			Mend: "start once with CDC_ON_SLOT_LOSS=resync, which takes a new snapshot",
		}
		if h.newSlot && !cfg.Create {
			find.Mend += ", after this SQL"
			find.SQL = repairSQL(f, cfg)
		}
		return Verdict{Action: Refuse, Err: find}
	}
	if h.newSlot && !cfg.Create {
		find := byHand(reason, f, cfg)
		find.Err = h.err
		return Verdict{Action: Refuse, Err: find}
	}
	return Verdict{Action: Heal, Reason: reason, NewSlot: h.newSlot, DropSlot: h.newSlot && f.Slot != nil}
}
