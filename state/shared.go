package state

import (
	"context"
	"time"
)

// Instance is one daemon on a state that several share.
type Instance struct {
	ID       string // as it signs leases and the checkpoint
	Version  string
	HTTPAddr string // of its HTTP server
	// Capturer tells which one captures; the others deliver, and stand by.
	Capturer bool
	// Alive: it was seen within GoneAfter.
	Alive     bool
	StartedAt time.Time
	LastSeen  time.Time
}

// The rhythm in which daemons tell that they are there.
const (
	// CaptureLease is how long the word of one who captures counts.
	CaptureLease = 5 * time.Second
	// GoneAfter is after how long without a word a daemon counts as dead.
	GoneAfter = 10 * time.Second
)

// Members is a state that knows who works on it.
type Members interface {
	// Instances lists the daemons, also those that went without a farewell a short
	// while ago, by the time of their start.
	Instances(ctx context.Context) ([]Instance, error)
}

// Shared is a Store that several daemons may work on. Its times are the server's.
type Shared interface {
	Store
	Members
	// Delivery is the store for those who deliver: their transactions are open beside
	// each other.
	Delivery() Store
	// Now is the server's clock, by which leases are reckoned.
	Now() time.Time
	// Attend tells that the daemon is there, and whether it would capture; if it would
	// not, it is spared as long as somebody else is there. It returns whether it may,
	// for CaptureLease from the moment of the call: one may. It forgets who was not
	// seen for long.
	Attend(ctx context.Context, self Instance, capture bool) (bool, error)
	// Leave is the farewell: whoever would capture may at once.
	Leave(ctx context.Context, id string) error
}
