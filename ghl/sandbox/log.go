package sandbox

import (
	"hash/maphash"
	"time"

	"ghlsync/ghl"
)

// Request is a line of the request log.
type Request struct {
	Number        int64         `json:"number"` // from 1, in the order of arrival
	Time          time.Time     `json:"time"`
	Call          Call          `json:"call"`
	Target        string        `json:"target,omitempty"` // path and query of a call to the calendar API
	Operation     ghl.Operation `json:"operation"`        // none where the call changes no appointment
	EventID       string        `json:"sentra_event_id"`  // as far as it is known
	DeliveryID    string        `json:"delivery_id"`
	AppointmentID string        `json:"ghl_appointment_id,omitempty"` // as the request gave it
	Body          string        `json:"body"`

	// What became of it. Until Done all of it is provisional.
	Done     bool   `json:"done"`             // answered or cut off
	Status   int    `json:"status"`           // of the answer; 0 when there was none
	Answer   string `json:"answer,omitempty"` // its body
	Effect   Effect `json:"effect,omitempty"` // the fault that was played
	Acted    bool   `json:"acted"`            // the appointment book changed
	BookedID string `json:"booked_id,omitempty"`
	Double   bool   `json:"double,omitempty"` // booked although the event had a live appointment
	Replay   bool   `json:"replay,omitempty"` // the key had been acted on before

	Ended time.Time `json:"ended,omitzero"` // when it was Done
}

// Violation is a breach of the guide, of the delivery id's promise, or of what
// the calendar API takes. Its text names fields and ids and holds no client
// data.
type Violation struct {
	Number  int64     `json:"number"` // of the request
	Time    time.Time `json:"time"`
	EventID string    `json:"sentra_event_id"`
	Text    string    `json:"text"`
}

// maxViolations bounds the list; Stats counts all of them.
const maxViolations = 1000

// Stats counts what happened since the start or the last Reset.
type Stats struct {
	Requests  int64 `json:"requests"` // to the webhook and to the calendar API
	Created   int64 `json:"created"`  // requests by operation
	Updated   int64 `json:"updated"`
	Deleted   int64 `json:"deleted"`
	Answered  int64 `json:"answered"` // ended with a whole answer of any status
	Faults    int64 `json:"faults"`   // requests on which a rule fired
	Acted     int64 `json:"acted"`    // changes of the book
	Live      int   `json:"live"`     // appointments in the book
	Doubles   int64 `json:"doubles"`
	Replays   int64 `json:"replays"`
	NotFound  int64 `json:"not_found"`          // updates and deletes of nothing
	NoDeletes int64 `json:"deletes_of_nothing"` // those of them that were deletes

	RateLimited         int64 `json:"rate_limited"` // calls beyond a quota
	Violations          int64 `json:"violations"`
	MaxInFlight         int   `json:"max_in_flight"`
	MaxInFlightPerEvent int   `json:"max_in_flight_per_event"`
}

func (s *Stats) count(op ghl.Operation) {
	switch op {
	case ghl.Created:
		s.Created++
	case ghl.Updated:
		s.Updated++
	case ghl.Deleted:
		s.Deleted++
	}
}

// requestLog is the ring of requests, bounded by number and by bytes of bodies.
type requestLog struct {
	ring[*Request]
	limit, bytes int
}

func newRequestLog(entries, bytes int) requestLog {
	return requestLog{ring: newRing[*Request](entries), limit: bytes}
}

// add logs a request. Where the bodies get too many the oldest lose theirs;
// the lines stay.
func (l *requestLog) add(r *Request) {
	if gone, dropped := l.push(r); dropped {
		l.bytes -= len(gone.Body)
	}
	l.bytes += len(r.Body)
	for i := 0; l.bytes > l.limit && i < l.len(); i++ {
		old := l.at(i)
		l.bytes -= len(old.Body)
		old.Body = ""
	}
}

// after copies the requests with a number above n, at most limit of them
// (0: all), oldest first.
func (l *requestLog) after(n int64, limit int) []Request {
	first := l.len()
	for first > 0 && l.at(first-1).Number > n {
		first--
	}
	count := l.len() - first
	if limit > 0 {
		count = min(count, limit)
	}
	out := make([]Request, 0, count)
	for i := range count {
		out = append(out, *l.at(first + i))
	}
	return out
}

// delivery is what is remembered of a delivery id.
type delivery struct {
	body  uint64 // hash
	done  bool   // acted on
	first verdict
}

// keyring remembers the latest delivery ids.
type keyring struct {
	seed   maphash.Seed
	order  ring[string]
	byName map[string]*delivery
}

func newKeyring(limit int) keyring {
	return keyring{seed: maphash.MakeSeed(), order: newRing[string](limit), byName: make(map[string]*delivery)}
}

// use looks a key up, or remembers it, and tells whether it came with this
// body before. Without a key there is nothing to remember.
func (k *keyring) use(key string, body []byte) (d *delivery, same bool) {
	hash := maphash.Bytes(k.seed, body)
	if key == "" {
		return &delivery{}, true
	}
	if d, ok := k.byName[key]; ok {
		return d, d.body == hash
	}
	if gone, dropped := k.order.push(key); dropped {
		delete(k.byName, gone)
	}
	d = &delivery{body: hash}
	k.byName[key] = d
	return d, true
}
