package admin

import (
	"time"

	"ghlsync/state"
)

// Health is the verdict of a Status.
type Health string

// The verdicts. Degraded means that a person should look; down that nothing is
// captured or kept.
const (
	OK       Health = "ok"
	Degraded Health = "degraded"
	Down     Health = "down"
)

// Status is the document of 'ghlsync status --json' and /api/v1/status. Times
// are UTC, LSNs are text in the form X/Y.
type Status struct {
	Health  Health    `json:"health"`
	Reasons []string  `json:"reasons"` // why it is not ok; never null
	At      time.Time `json:"at"`
	Daemon  Daemon    `json:"daemon"`
	// Checkpoint is null while nothing has been captured.
	Checkpoint *Checkpoint `json:"checkpoint"`
	// Slot is null if it does not exist or is not known; then a reason says which.
	Slot *Slot `json:"slot"`
	// Canary is null without a daemon that streams, and before the first.
	Canary   *Canary      `json:"canary"`
	Mappings state.Counts `json:"mappings"`
	Delivery Delivery     `json:"delivery"`
	// Instances are the daemons on a state that is shared; left out of one in a file.
	Instances []Instance `json:"instances,omitempty"`
}

// Instance is one of several daemons on a state.
type Instance struct {
	ID       string `json:"id"`
	Role     string `json:"role"` // capturer or standby; both deliver
	Version  string `json:"version"`
	HTTPAddr string `json:"http_addr"`
	// Alive: it was seen of late. One that went without a farewell is shown for a minute.
	Alive     bool      `json:"alive"`
	StartedAt time.Time `json:"started_at"`
	LastSeen  time.Time `json:"last_seen"`
}

// instance is what the state says of one.
func instance(i state.Instance) Instance {
	role := "standby"
	if i.Capturer {
		role = "capturer"
	}
	return Instance{
		ID: i.ID, Role: role, Version: i.Version, HTTPAddr: i.HTTPAddr, Alive: i.Alive, StartedAt: i.StartedAt, LastSeen: i.LastSeen,
	}
}

// Daemon is the process that captures and delivers.
type Daemon struct {
	Running   bool       `json:"running"`
	Version   string     `json:"version,omitempty"`
	Phase     Phase      `json:"phase"` // "" when none is running
	Since     *time.Time `json:"since"` // when the phase began
	LastError *string    `json:"last_error"`
}

// Checkpoint is how far the stream is durable here.
type Checkpoint struct {
	LSN         string     `json:"lsn"` // an end LSN
	Epoch       int64      `json:"epoch"`
	CommittedAt *time.Time `json:"committed_at"` // of the last transaction
	UpdatedAt   *time.Time `json:"updated_at"`
	// Snapshotting: a snapshot is being taken, or was interrupted.
	Snapshotting bool `json:"snapshotting"`
}

// Slot is what Postgres says of the replication slot. Sizes are bytes.
type Slot struct {
	Name              string  `json:"name"`
	Active            bool    `json:"active"`
	WALStatus         *string `json:"wal_status"` // reserved, extended, unreserved, lost
	ConfirmedFlushLSN *string `json:"confirmed_flush_lsn"`
	RestartLSN        *string `json:"restart_lsn"`
	// RetainedWALBytes is how much WAL the server keeps for the slot.
	RetainedWALBytes *int64 `json:"retained_wal_bytes"`
	// SafeWALSize is how much more may be written before the slot can be lost;
	// null: there is no limit.
	SafeWALSize *int64 `json:"safe_wal_size"`
	// LagBytes is how much WAL was written behind what is confirmed.
	LagBytes *int64 `json:"lag_bytes"`
	// WALBytesPerSecond is how fast the server writes WAL, of late; WALLeftBytes how
	// much more it may write before the slot is lost (SafeWALSize, or what is left
	// of CDC_WAL_BUDGET), and WALLeftSeconds how long that lasts at this rate. Null:
	// not known, not limited, or longer than anybody plans for.
	WALBytesPerSecond *int64 `json:"wal_bytes_per_second"`
	WALLeftBytes      *int64 `json:"wal_left_bytes"`
	WALLeftSeconds    *int64 `json:"wal_left_seconds"`
}

// Canary is a logical message that went the whole way of a change: committed in
// the source, streamed, handled here, and once around delivery's loop.
type Canary struct {
	SentAt time.Time `json:"sent_at"` // the latest
	// RoundTripMS is that of the last one that came through; null: none has yet.
	RoundTripMS *float64 `json:"round_trip_ms"`
	// WaitingSeconds is how long the latest has been under way; null: it is through.
	WaitingSeconds *float64 `json:"waiting_seconds"`
}

// Delivery is how the calls to GHL stand.
type Delivery struct {
	Enabled bool `json:"enabled"`
	Paused  bool `json:"paused"`
	// PauseReason is a code; Detail a sentence about whatever is wrong.
	PauseReason string     `json:"pause_reason,omitempty"`
	PausedSince *time.Time `json:"paused_since,omitempty"` // by an operator
	Detail      string     `json:"detail,omitempty"`
	// Breaker is closed, open or half-open; "unknown" without a daemon.
	Breaker         string     `json:"breaker"`
	NextProbe       *time.Time `json:"next_probe,omitempty"`
	ThrottledUntil  *time.Time `json:"throttled_until,omitempty"`
	LastSyncAttempt *time.Time `json:"last_sync_attempt"`
	InFlight        int        `json:"in_flight"`
	// PerSecond is how many calls ended in a second, of the last minute.
	PerSecond float64 `json:"per_second"`
	// BacklogDoneAt is when what is pending will have been sent at that pace; null
	// where nothing is, or nothing is being sent.
	BacklogDoneAt *time.Time `json:"backlog_done_at"`
	// Quota is what GHL said last about its limits; null if nothing.
	Quota *Quota `json:"quota"`
	// StoreFailing: the ends of calls cannot be recorded.
	StoreFailing bool `json:"store_failing,omitempty"`
	// RateTokens is how many calls GHL_RATE lets leave at once; null: it sets no
	// limit, or is not known.
	RateTokens *float64 `json:"rate_tokens,omitempty"`
}

// Quota is how many requests GHL takes, by the headers of its answers. What they
// did not say is -1.
type Quota struct {
	At             time.Time `json:"at"`
	Max            int       `json:"max"`
	Remaining      int       `json:"remaining"`
	IntervalMS     int64     `json:"interval_ms"`
	DailyMax       int       `json:"daily_max"`
	DailyRemaining int       `json:"daily_remaining"`
	// Reserved: the day's rest is kept for deletions and for events of today.
	Reserved bool `json:"reserved"`
}

// foresee reckons when the backlog will be done.
func (d *Delivery) foresee(now time.Time, c state.Counts) {
	backlog := c.Pending - c.Held
	if backlog <= 0 || d.PerSecond <= 0 || d.Paused || !d.Enabled {
		return
	}
	const far = 100 * 365 * 24 * 3600 // seconds; what takes longer nobody waits for
	seconds := min(float64(backlog)/d.PerSecond, far)
	at := now.Add(time.Duration(seconds * float64(time.Second))).Truncate(time.Second)
	d.BacklogDoneAt = &at
}

// PausedByOperator is Delivery.PauseReason where an operator paused delivery.
const PausedByOperator = "OPERATOR"

// pausedByOperator overrules whatever else delivery waits for: without the
// operator's word nothing leaves, however well GHL is. The word is in the state,
// so it is known without a daemon too.
func (d *Delivery) pausedByOperator(since time.Time) {
	d.Paused, d.PauseReason, d.PausedSince = true, PausedByOperator, moment(since)
	d.Detail = "an operator paused it; 'ghlsync resume' lets it go on"
	d.NextProbe = nil
}

// BreakerUnknown is Delivery.Breaker where nothing delivers.
const BreakerUnknown = "unknown"

// Phase is what capture is doing.
type Phase string

// The phases. Streaming and Standby are the two that are well.
const (
	NoDaemon     Phase = ""
	Starting     Phase = "starting"
	Snapshotting Phase = "snapshotting"
	Streaming    Phase = "streaming"
	Standby      Phase = "standby"
	Reconnecting Phase = "reconnecting"
	Stopped      Phase = "stopped"
)

// Ready reports whether capture does what it should: it streams, or waits for
// the slot that another daemon has.
func (p Phase) Ready() bool { return p == Streaming || p == Standby }

// Capture is how capture stands.
type Capture struct {
	Phase     Phase
	Since     time.Time
	LastError string // "" where none matters any more; no secret in it
	Watch     Watch
	Streamed  Streamed
}

// Streamed counts what came through the stream since the daemon started.
type Streamed struct {
	Transactions int64 // that committed in the source, ours and others
	Rows         int64 // changed rows of the events table
	Commits      int64 // durable ones of the checkpoint here
}

// Watch is what capture sees of the source beside the stream.
type Watch struct {
	Warnings []string // for people; no secret in them
	// Canary: zero if none was sent.
	CanarySentAt    time.Time
	CanaryRoundTrip time.Duration
	CanaryWaiting   bool

	WALBytesPerSecond float64
	WALLeft           *int64
	WALTime           time.Duration
	WALBehind         *int64 // bytes behind what is confirmed; nil: not known
}

// Live tells what only the running daemon knows. Its methods do not block.
type Live interface {
	Capture() Capture
	Delivery() Delivery
}

// Offline is Live where no daemon answers.
type Offline struct {
	Enabled bool // GHL_WEBHOOK_ENABLED
	// Silence tells of a process that works on the state and does not answer; ""
	// if there is none.
	Silence string
}

// Capture is that of no daemon.
func (o Offline) Capture() Capture { return Capture{LastError: o.Silence} }

// Delivery knows the setting alone.
func (o Offline) Delivery() Delivery {
	return Delivery{Enabled: o.Enabled, Breaker: BreakerUnknown}
}

// null is nil for the zero value: what is not known is null in a document.
func null[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// moment is null for the zero time, else UTC.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// tell puts into the document what was seen.
func (w Watch) tell(s *Status) {
	if !w.CanarySentAt.IsZero() {
		c := &Canary{SentAt: w.CanarySentAt.UTC()}
		if w.CanaryRoundTrip > 0 {
			ms := float64(w.CanaryRoundTrip.Microseconds()) / 1000
			c.RoundTripMS = &ms
		}
		if w.CanaryWaiting {
			seconds := max(s.At.Sub(w.CanarySentAt), 0).Seconds()
			c.WaitingSeconds = &seconds
		}
		s.Canary = c
	}
	if s.Slot == nil {
		return
	}
	slot := *s.Slot // shared with whoever asks at the same time
	slot.WALBytesPerSecond, slot.WALLeftBytes = null(int64(w.WALBytesPerSecond)), w.WALLeft
	slot.WALLeftSeconds = null(int64(w.WALTime.Seconds()))
	s.Slot = &slot
}
