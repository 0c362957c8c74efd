package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Mode is how the daemon reaches GHL.
type Mode string

// The modes.
const (
	Webhook Mode = "webhook"
	API     Mode = "api"
)

// Kind is a kind of fault.
type Kind string

// The kinds. Those of a network are about one of two proxies: the one before
// Sentra's database or the one before GHL.
const (
	DaemonKilled   Kind = "daemon killed"        // SIGKILL, and later another start
	DaemonFrozen   Kind = "daemon frozen"        // SIGSTOP, and later SIGCONT
	DaemonStopped  Kind = "daemon stopped"       // SIGTERM, and later another start
	PostgresKilled Kind = "postgres killed"      // SIGKILL of the server, and later a start with recovery
	PostgresAnew   Kind = "postgres restarted"   // a fast shutdown and a start
	BackendsGone   Kind = "backends terminated"  // pg_terminate_backend on all of the daemon's
	NetCut         Kind = "network cut"          // connections close, new ones are refused
	NetSlow        Kind = "network delayed"      // up to half a second each way
	NetHalfOpen    Kind = "network half-open"    // nothing passes any more, nothing closes
	NetNarrow      Kind = "network narrow"       // few kilobytes a second
	NetTorn        Kind = "network torn"         // connections are reset in the middle of a message
	DiskFull       Kind = "disk full"            // the state's file system has no byte left
	FsyncFails     Kind = "fsync fails"          // with EIO, by strace
	SlotDropped    Kind = "slot dropped"         // pg_drop_replication_slot under the daemon
	PublicationCut Kind = "publication altered"  // the table is taken out, and put back
	PublicationNew Kind = "publication replaced" // dropped and created again
	TableAnew      Kind = "table re-created"     // dropped and created again with the same rows
	GHLFails       Kind = "GHL fails"            // one of the sandbox's ways
	GHLClock       Kind = "GHL's clock jumps"
	DaemonClock    Kind = "daemon's clock jumps"
)

// Fault is one fault of a plan.
type Fault struct {
	At   time.Duration // from the start of the round
	For  time.Duration
	Kind Kind
	Pick uint64 // decides what the kind leaves open
}

// Step is one change that Sentra makes.
type Step struct {
	At     time.Duration
	Change Change
	Pick   uint64 // decides on the event, the client and the values
}

// Round is a time of load and faults, which a quiet point ends.
type Round struct {
	Number int
	Load   []Step
	Faults []Fault
}

// weights say how often a kind comes up. What ends in a snapshot is rarer, since
// it hides what the stream alone has to get right.
var weights = []struct {
	kind   Kind
	weight int
}{
	{DaemonKilled, 12},
	{DaemonFrozen, 6},
	{DaemonStopped, 4},
	{PostgresKilled, 5},
	{PostgresAnew, 4},
	{BackendsGone, 6},
	{NetCut, 7},
	{NetSlow, 5},
	{NetHalfOpen, 7},
	{NetNarrow, 4},
	{NetTorn, 6},
	{DiskFull, 5},
	{FsyncFails, 5},
	{SlotDropped, 3},
	{PublicationCut, 3},
	{PublicationNew, 2},
	{TableAnew, 2},
	{GHLFails, 25},
	{GHLClock, 3},
	{DaemonClock, 5},
}

// hole tells of the kinds that only a snapshot heals.
func (k Kind) hole() bool {
	return slices.Contains([]Kind{SlotDropped, PublicationCut, PublicationNew, TableAnew}, k)
}

func (r Round) hole() bool {
	return slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Kind.hole() })
}

// network tells of the kinds that strike a proxy.
func (k Kind) network() bool {
	return slices.Contains([]Kind{NetCut, NetSlow, NetHalfOpen, NetNarrow, NetTorn}, k)
}

// atGHL tells of a network's fault that strikes the way to GHL.
func (f Fault) atGHL() bool { return f.Kind.network() && f.Pick&1 == 1 }

func (f Fault) String() string {
	where := ""
	if f.Kind.network() {
		where = " to Sentra"
		if f.atGHL() {
			where = " to GHL"
		}
	}
	return fmt.Sprintf("%5.1fs +%.1fs %s%s (%x)", f.At.Seconds(), f.For.Seconds(), f.Kind, where, f.Pick&0xffff)
}

// Plan is the round of that number. It depends on the arguments alone, so a run
// with the same seed meets the same rounds; what the machine makes of their times
// differs from run to run.
func (o Options) Plan(number int) Round {
	random := rand.New(rand.NewPCG(o.Seed, uint64(number)))
	r := Round{Number: number}
	for at := time.Duration(0); at < o.Round; at += time.Duration(random.IntN(60)) * time.Millisecond {
		r.Load = append(r.Load, Step{At: at, Change: pickChange(random), Pick: random.Uint64()})
	}
	for range (o.Faults+1)/2 + random.IntN(o.Faults/2+1) {
		f := Fault{Kind: o.pickKind(random), Pick: random.Uint64()}
		f.At = time.Duration(random.Int64N(int64(o.Round * 3 / 4))).Truncate(time.Millisecond)
		f.For = 100*time.Millisecond + time.Duration(random.Int64N(int64(o.Round/2))).Truncate(time.Millisecond)
		r.Faults = append(r.Faults, f)
	}
	slices.SortFunc(r.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return r
}

func (o Options) pickKind(random *rand.Rand) Kind {
	allowed := func(k Kind) bool { return len(o.Kinds) == 0 || slices.Contains(o.Kinds, k) }
	total := 0
	for _, w := range weights {
		if allowed(w.kind) {
			total += w.weight
		}
	}
	n := random.IntN(total)
	for _, w := range weights {
		if !allowed(w.kind) {
			continue
		}
		if n -= w.weight; n < 0 {
			return w.kind
		}
	}
	panic("the weights do not add up")
}
