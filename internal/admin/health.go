package admin

import (
	"fmt"
	"time"
)

const (
	// grace is how long capture may start or reconnect before that counts as
	// standing still: a restart of Postgres takes seconds.
	grace = 30 * time.Second
	// lagLimit is how much WAL may lie behind the confirmed position. An idle
	// daemon confirms every 16 MiB or 10 s; four times that means that it does not
	// keep up, or has a huge transaction before it.
	lagLimit = 64 << 20
	// canaryLimit is how long a canary may take: a transaction of a million rows is
	// decoded in half of it.
	canaryLimit = 30 * time.Second
	// walLimit is how long what is left of the WAL budget must last while capture is
	// behind.
	walLimit = time.Hour
)

// Facts are what Judge judges by.
type Facts struct {
	Status     Status   // all but Health and Reasons
	StateError string   // why the state cannot be read; "" if it can
	SlotError  string   // why nothing is known of the slot; "" if it is, or was not asked for
	Warnings   []string // what capture saw of the source that a person should know

	SlotMissing bool // SlotError, because the source has none
	Streamed    Streamed
}

// Judge gives the verdict and, gravest first, why it is not OK.
func Judge(f Facts) (Health, []string) {
	down := downReasons(f)
	reasons := append(down, degradedReasons(f)...)
	switch {
	case len(down) > 0:
		return Down, reasons
	case len(reasons) > 0:
		return Degraded, reasons
	default:
		return OK, []string{}
	}
}

func downReasons(f Facts) []string {
	var why []string
	if r := captureDown(f.Status); r != "" {
		why = append(why, r)
	}
	if r := stalled(f.Status); r != "" {
		why = append(why, r)
	}
	if f.StateError != "" {
		why = append(why, "the state cannot be read: "+f.StateError)
	}
	if f.Status.Delivery.StoreFailing {
		why = append(why, "the state cannot be written")
	}
	if s := f.Status.Slot; s != nil && s.WALStatus != nil && *s.WALStatus == "lost" {
		why = append(why, fmt.Sprintf("slot %s has lost WAL that it needs", s.Name))
	}
	return why
}

// captureDown says why nothing is captured, "" if something is.
func captureDown(s Status) string {
	switch s.Daemon.Phase {
	case NoDaemon:
		if s.Daemon.LastError != nil {
			return "the daemon does not answer" + because(s.Daemon)
		}
		return "no daemon is running"
	case Stopped:
		return "capture has stopped" + because(s.Daemon)
	case Starting, Reconnecting:
		if age(s) >= grace {
			return fmt.Sprintf("capture has been %s for %s%s", s.Daemon.Phase, age(s).Round(time.Second), because(s.Daemon))
		}
	}
	return ""
}

// stalled tells a stream that is stuck from one that is idle, or slow: a canary
// does not come through, and the checkpoint does not move either.
func stalled(s Status) string {
	waiting := overdue(s)
	if waiting == 0 || s.Checkpoint == nil || s.Checkpoint.UpdatedAt == nil || s.At.Sub(*s.Checkpoint.UpdatedAt) < canaryLimit {
		return ""
	}
	return fmt.Sprintf("capture stands still: what was committed %s ago has not come through, and the checkpoint does not move", waiting)
}

// overdue is how long a canary has been under way that should be through; else 0.
func overdue(s Status) time.Duration {
	if s.Canary == nil || s.Canary.WaitingSeconds == nil {
		return 0
	}
	waiting := time.Duration(*s.Canary.WaitingSeconds * float64(time.Second))
	if waiting < canaryLimit {
		return 0
	}
	return waiting.Round(time.Second)
}

func age(s Status) time.Duration {
	if s.Daemon.Since == nil {
		return 0
	}
	return s.At.Sub(*s.Daemon.Since)
}

func because(d Daemon) string {
	if d.LastError == nil {
		return ""
	}
	return ": " + *d.LastError
}

func degradedReasons(f Facts) []string {
	s := f.Status
	var why []string
	say := func(cond bool, format string, args ...any) {
		if cond {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	say(s.Daemon.Phase == Snapshotting, "a snapshot is being read")
	say((s.Daemon.Phase == Starting || s.Daemon.Phase == Reconnecting) && age(s) < grace,
		"capture is %s%s", s.Daemon.Phase, because(s.Daemon))
	why = append(why, f.Warnings...)
	if waiting := overdue(s); waiting > 0 && stalled(s) == "" {
		why = append(why, fmt.Sprintf("capture is %s behind", waiting))
	}
	why = append(why, deliveryReasons(s.Delivery)...)
	say(s.Mappings.Failed > 0, "%s: see 'ghlsync mappings list --status failed'", events(s.Mappings.Failed, "has failed", "have failed"))
	say(s.Mappings.Held > 0, "the delete fuse holds %s: see 'ghlsync mappings list --status held', then release or drop",
		events(s.Mappings.Held, "deletion", "deletions"))
	return append(why, slotReasons(f)...)
}

func deliveryReasons(d Delivery) []string {
	detail := func(otherwise string) string {
		if d.Detail != "" {
			return d.Detail
		}
		return otherwise
	}
	var why []string
	switch {
	case !d.Enabled:
		why = append(why, WebhookDisabled+": nothing is sent (GHL_WEBHOOK_ENABLED=false)")
	case d.Paused:
		why = append(why, "delivery is paused: "+detail(d.PauseReason))
	case d.Breaker != "closed" && d.Breaker != BreakerUnknown:
		why = append(why, "GHL is not reachable: "+detail("it is probed until it is"))
	case d.Quota != nil && d.Quota.Reserved:
		why = append(why, "GHL takes few more requests today: deletions and events of today go first, the rest waits")
	}
	return why
}

func slotReasons(f Facts) []string {
	var why []string
	s := f.Status.Slot
	if f.SlotError != "" {
		why = append(why, f.SlotError)
	}
	if s == nil {
		return why
	}
	if s.WALStatus != nil && *s.WALStatus == "unreserved" {
		why = append(why, fmt.Sprintf("slot %s is about to lose WAL that it needs: raise max_slot_wal_keep_size", s.Name))
	}
	if s.LagBytes == nil || *s.LagBytes <= lagLimit {
		return why
	}
	why = append(why, fmt.Sprintf("capture is %d MiB of WAL behind", *s.LagBytes>>20))
	if left := s.WALLeftSeconds; left != nil && *left < int64(walLimit.Seconds()) {
		why = append(why, fmt.Sprintf("at the present rate of WAL slot %s is lost in %s", s.Name, time.Duration(*left)*time.Second))
	}
	return why
}

func events(n int64, one, many string) string {
	if many == "deletions" {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	if n == 1 {
		return "1 event " + one
	}
	return fmt.Sprintf("%d events %s", n, many)
}
