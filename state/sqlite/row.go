package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"ghlsync/state"
)

// column ties a column of ghl_sync_mappings to a field of a mapping, for both
// directions at once, so that the two cannot differ.
type column struct {
	name string
	get  func(*state.Mapping) driver.Value
	set  func(*state.Mapping, any) error
}

// columns is every column, in the order in which statements name them.
var columns = []column{
	text("sentra_event_id", func(m *state.Mapping) *state.EventID { return &m.ID }),
	null(text("ghl_appointment_id", func(m *state.Mapping) *string { return &m.AppointmentID })),
	{
		name: "sync_status", // derived: written for operators, never read
		get:  func(m *state.Mapping) driver.Value { return string(m.Status()) },
		set:  func(*state.Mapping, any) error { return nil },
	},
	stamp("last_sync_attempt", func(m *state.Mapping) *time.Time { return &m.LastAttempt }),
	null(text("sync_error", func(m *state.Mapping) *string { return &m.SyncError })),
	stamp("created_at", func(m *state.Mapping) *time.Time { return &m.CreatedAt }),
	stamp("updated_at", func(m *state.Mapping) *time.Time { return &m.UpdatedAt }),
	null(text("event_type", func(m *state.Mapping) *string { return &m.EventType })),
	text("wanted", func(m *state.Mapping) *state.Wanted { return &m.Wanted }),
	null(text("payload_hash", func(m *state.Mapping) *string { return &m.Hash })),
	integer("epoch", func(m *state.Mapping) *int64 { return &m.Version.Epoch }),
	{
		name: "commit_lsn",
		get:  func(m *state.Mapping) driver.Value { return fromLSN(m.Version.LSN) },
		set:  func(m *state.Mapping, v any) error { return scanLSN(&m.Version.LSN, v) },
	},
	stamp("committed_at", func(m *state.Mapping) *time.Time { return &m.CommittedAt }),
	integer("revision", func(m *state.Mapping) *int64 { return &m.Revision }),
	{
		name: "starts_at", // never NULL, so that one index orders all
		get:  func(m *state.Mapping) driver.Value { return startOf(m.StartsAt) },
		set: func(m *state.Mapping, v any) error {
			if v == unknownStart {
				return nil
			}
			return scanTime(&m.StartsAt, v)
		},
	},
	text("ghl_state", func(m *state.Mapping) *state.Presence { return &m.GHL }),
	null(text("ghl_hash", func(m *state.Mapping) *string { return &m.GHLHash })),
	stamp("ghl_at", func(m *state.Mapping) *time.Time { return &m.GHLAt }),
	flag("assumed", func(m *state.Mapping) *bool { return &m.Assumed }),
	null(text("drift", func(m *state.Mapping) *state.Drift { return &m.Drift })),
	stamp("drift_at", func(m *state.Mapping) *time.Time { return &m.DriftAt }),
	integer("attempts", func(m *state.Mapping) *int { return &m.Attempts }),
	stamp("next_attempt_at", func(m *state.Mapping) *time.Time { return &m.NextAttempt }),
	null(text("lease_owner", func(m *state.Mapping) *string { return &m.LeaseOwner })),
	stamp("lease_until", func(m *state.Mapping) *time.Time { return &m.LeaseUntil }),
	null(text("parked_reason", func(m *state.Mapping) *string { return &m.Parked })),
	null(text("hold", func(m *state.Mapping) *state.Hold { return &m.Hold })),
	flag("retracted", func(m *state.Mapping) *bool { return &m.Retracted }),
	stamp("unsettled_until", func(m *state.Mapping) *time.Time { return &m.UnsettledUntil }),
	ofCall(text("call_operation", func(m *state.Mapping) *state.Operation { return &m.Call.Operation })),
	ofCall(text("call_state", func(m *state.Mapping) *state.CallState { return &m.Call.State })),
	ofCall(text("call_delivery_id", func(m *state.Mapping) *string { return &m.Call.DeliveryID })),
	ofCall(text("call_hash", func(m *state.Mapping) *string { return &m.Call.Hash })),
	ofCall(integer("call_revision", func(m *state.Mapping) *int64 { return &m.Call.Revision })),
	ofCall(text("call_before", func(m *state.Mapping) *state.Presence { return &m.Call.Before })),
	ofCall(integer("call_tries", func(m *state.Mapping) *int { return &m.Call.Tries })),
	ofCall(stamp("call_started_at", func(m *state.Mapping) *time.Time { return &m.Call.StartedAt })),
	ofCall(stamp("call_settles_at", func(m *state.Mapping) *time.Time { return &m.Call.SettlesAt })),
	bytes("known", func(m *state.Mapping) *[]byte { return &m.Known }),
	bytes("payload", func(m *state.Mapping) *[]byte { return &m.Payload }),
	ofCall(bytes("call_body", func(m *state.Mapping) *[]byte { return &m.Call.Body })),
}

var columnList = names(columns)

func names(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

func text[T ~string](name string, field func(*state.Mapping) *T) column {
	return column{
		name: name,
		get:  func(m *state.Mapping) driver.Value { return string(*field(m)) },
		set: func(m *state.Mapping, v any) error {
			s, ok := v.(string)
			if !ok {
				return fmt.Errorf("column %s holds a %T", name, v)
			}
			*field(m) = T(s)
			return nil
		},
	}
}

func integer[T int | int64](name string, field func(*state.Mapping) *T) column {
	return column{
		name: name,
		get:  func(m *state.Mapping) driver.Value { return int64(*field(m)) },
		set: func(m *state.Mapping, v any) error {
			n, ok := v.(int64)
			if !ok {
				return fmt.Errorf("column %s holds a %T", name, v)
			}
			*field(m) = T(n)
			return nil
		},
	}
}

func flag(name string, field func(*state.Mapping) *bool) column {
	return column{
		name: name,
		get: func(m *state.Mapping) driver.Value {
			if *field(m) {
				return int64(1)
			}
			return int64(0)
		},
		set: func(m *state.Mapping, v any) error {
			*field(m) = v == int64(1)
			return nil
		},
	}
}

// stamp keeps a time as an integer: the driver would store a time.Time as the
// text of its String method.
func stamp(name string, field func(*state.Mapping) *time.Time) column {
	return column{
		name: name,
		get:  func(m *state.Mapping) driver.Value { return fromTime(*field(m)) },
		set:  func(m *state.Mapping, v any) error { return scanTime(field(m), v) },
	}
}

// bytes keeps UTF-8 bytes as text, for operators to read; nil is NULL.
func bytes(name string, field func(*state.Mapping) *[]byte) column {
	return column{
		name: name,
		get: func(m *state.Mapping) driver.Value {
			if b := *field(m); b != nil {
				return string(b)
			}
			return nil
		},
		set: func(m *state.Mapping, v any) error {
			if s, ok := v.(string); ok {
				*field(m) = []byte(s)
			}
			return nil
		},
	}
}

// null makes a text column hold NULL for "".
func null(c column) column {
	get, set := c.get, c.set
	c.get = func(m *state.Mapping) driver.Value {
		if v := get(m); v != "" {
			return v
		}
		return nil
	}
	c.set = func(m *state.Mapping, v any) error {
		if v == nil {
			return nil
		}
		return set(m, v)
	}
	return c
}

// ofCall makes a column NULL while there is no call. The first such column of a
// row that has one makes the call.
func ofCall(c column) column {
	get, set := c.get, c.set
	c.get = func(m *state.Mapping) driver.Value {
		if m.Call == nil {
			return nil
		}
		return get(m)
	}
	c.set = func(m *state.Mapping, v any) error {
		if v == nil {
			return nil
		}
		if m.Call == nil {
			m.Call = &state.Call{}
		}
		return set(m, v)
	}
	return c
}

// fromTime cuts to microseconds; a zero time is NULL.
func fromTime(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// unknownStart stands for a start that is not known, before all that are. It is
// the default of the column.
const unknownStart int64 = -1 << 62

func startOf(t time.Time) int64 {
	if t.IsZero() {
		return unknownStart
	}
	return t.UnixMicro()
}

func toTime(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return time.UnixMicro(us.Int64).UTC()
}

func scanTime(t *time.Time, v any) error {
	switch us := v.(type) {
	case nil:
		return nil
	case int64:
		*t = time.UnixMicro(us).UTC()
		return nil
	default:
		return fmt.Errorf("a time is stored as %T", v)
	}
}

// scanner reads whole rows into mappings, with buffers used again for each row.
type scanner struct {
	values []any
	dest   []any
}

func newScanner() *scanner {
	s := &scanner{values: make([]any, len(columns)), dest: make([]any, len(columns))}
	for i := range s.values {
		s.dest[i] = &s.values[i]
	}
	return s
}

func (s *scanner) row(rows *sql.Rows) (*state.Mapping, error) {
	if err := rows.Scan(s.dest...); err != nil {
		return nil, err
	}
	m := &state.Mapping{}
	for i, c := range columns {
		if err := c.set(m, s.values[i]); err != nil {
			return nil, err
		}
	}
	m.SetStored(m.Class())
	return m, nil
}
