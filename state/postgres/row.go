package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

// column ties a column of ghl_sync_mappings to a field of a mapping, for both
// directions at once, so that the two cannot differ.
type column struct {
	name  string
	kind  kind
	write func(buf []byte, m *state.Mapping) []byte
	read  func(m *state.Mapping, raw []byte) error // raw is nil for NULL
}

// columns is every column, in the order in which statements name them.
var columns = []column{
	text("sentra_event_id", func(m *state.Mapping) *state.EventID { return &m.ID }),
	optional("ghl_appointment_id", func(m *state.Mapping) *string { return &m.AppointmentID }),
	{
		name:  "sync_status", // derived: written for operators, never read
		kind:  textKind,
		write: func(buf []byte, m *state.Mapping) []byte { return appendText(buf, string(m.Status())) },
		read:  func(*state.Mapping, []byte) error { return nil },
	},
	stamp("last_sync_attempt", func(m *state.Mapping) *time.Time { return &m.LastAttempt }),
	optional("sync_error", func(m *state.Mapping) *string { return &m.SyncError }),
	stamp("created_at", func(m *state.Mapping) *time.Time { return &m.CreatedAt }),
	stamp("updated_at", func(m *state.Mapping) *time.Time { return &m.UpdatedAt }),
	optional("event_type", func(m *state.Mapping) *string { return &m.EventType }),
	text("wanted", func(m *state.Mapping) *state.Wanted { return &m.Wanted }),
	optional("payload_hash", func(m *state.Mapping) *string { return &m.Hash }),
	integer("epoch", func(m *state.Mapping) *int64 { return &m.Version.Epoch }),
	integer("commit_lsn", func(m *state.Mapping) *pglogrepl.LSN { return &m.Version.LSN }),
	stamp("committed_at", func(m *state.Mapping) *time.Time { return &m.CommittedAt }),
	integer("revision", func(m *state.Mapping) *int64 { return &m.Revision }),
	start("starts_at", func(m *state.Mapping) *time.Time { return &m.StartsAt }),
	text("ghl_state", func(m *state.Mapping) *state.Presence { return &m.GHL }),
	optional("ghl_hash", func(m *state.Mapping) *string { return &m.GHLHash }),
	stamp("ghl_at", func(m *state.Mapping) *time.Time { return &m.GHLAt }),
	flag("assumed", func(m *state.Mapping) *bool { return &m.Assumed }),
	optional("drift", func(m *state.Mapping) *state.Drift { return &m.Drift }),
	stamp("drift_at", func(m *state.Mapping) *time.Time { return &m.DriftAt }),
	integer("attempts", func(m *state.Mapping) *int { return &m.Attempts }),
	stamp("next_attempt_at", func(m *state.Mapping) *time.Time { return &m.NextAttempt }),
	optional("lease_owner", func(m *state.Mapping) *string { return &m.LeaseOwner }),
	stamp("lease_until", func(m *state.Mapping) *time.Time { return &m.LeaseUntil }),
	optional("parked_reason", func(m *state.Mapping) *string { return &m.Parked }),
	optional("hold", func(m *state.Mapping) *state.Hold { return &m.Hold }),
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
	content("known", func(m *state.Mapping) *[]byte { return &m.Known }),
	content("payload", func(m *state.Mapping) *[]byte { return &m.Payload }),
	ofCall(content("call_body", func(m *state.Mapping) *[]byte { return &m.Call.Body })),
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
		name:  name,
		kind:  textKind,
		write: func(buf []byte, m *state.Mapping) []byte { return appendText(buf, string(*field(m))) },
		read: func(m *state.Mapping, raw []byte) error {
			*field(m) = T(raw)
			return nil
		},
	}
}

// optional is a text that is NULL for "".
func optional[T ~string](name string, field func(*state.Mapping) *T) column {
	c := text(name, field)
	c.write = func(buf []byte, m *state.Mapping) []byte {
		if s := string(*field(m)); s != "" {
			return appendText(buf, s)
		}
		return appendNull(buf)
	}
	return c
}

// content keeps UTF-8 bytes as text, for operators to read; nil is NULL.
func content(name string, field func(*state.Mapping) *[]byte) column {
	return column{
		name: name,
		kind: textKind,
		write: func(buf []byte, m *state.Mapping) []byte {
			if b := *field(m); b != nil {
				return appendText(buf, b)
			}
			return appendNull(buf)
		},
		read: func(m *state.Mapping, raw []byte) error {
			if raw != nil {
				*field(m) = append([]byte{}, raw...)
			}
			return nil
		},
	}
}

// integer also keeps an LSN, which compares as integers do: a server would have to
// write 8 EiB of WAL to reach the sign bit.
func integer[T ~int | ~int64 | ~uint64](name string, field func(*state.Mapping) *T) column {
	return column{
		name:  name,
		kind:  int8Kind,
		write: func(buf []byte, m *state.Mapping) []byte { return appendInt8(buf, int64(*field(m))) },
		read: func(m *state.Mapping, raw []byte) error {
			n, err := readInt8(raw)
			*field(m) = T(n)
			return err
		},
	}
}

func flag(name string, field func(*state.Mapping) *bool) column {
	return column{
		name:  name,
		kind:  boolKind,
		write: func(buf []byte, m *state.Mapping) []byte { return appendBool(buf, *field(m)) },
		read: func(m *state.Mapping, raw []byte) (err error) {
			*field(m), err = readBool(raw)
			return err
		},
	}
}

func stamp(name string, field func(*state.Mapping) *time.Time) column {
	return column{
		name:  name,
		kind:  stampKind,
		write: func(buf []byte, m *state.Mapping) []byte { return appendStamp(buf, *field(m)) },
		read: func(m *state.Mapping, raw []byte) (err error) {
			if raw != nil {
				*field(m), err = readStamp(raw)
			}
			return err
		},
	}
}

// start is a stamp that is -infinity where there is none, never NULL, so that one
// index orders all.
func start(name string, field func(*state.Mapping) *time.Time) column {
	c := stamp(name, field)
	write, read := c.write, c.read
	c.write = func(buf []byte, m *state.Mapping) []byte {
		if field(m).IsZero() {
			return appendInt8(buf, noStart)
		}
		return write(buf, m)
	}
	c.read = func(m *state.Mapping, raw []byte) error {
		if n, err := readInt8(raw); err != nil || n == noStart {
			return err
		}
		return read(m, raw)
	}
	return c
}

// ofCall makes a column NULL while there is no call. The first such column of a
// row that has one makes the call.
func ofCall(c column) column {
	write, read := c.write, c.read
	c.write = func(buf []byte, m *state.Mapping) []byte {
		if m.Call == nil {
			return appendNull(buf)
		}
		return write(buf, m)
	}
	c.read = func(m *state.Mapping, raw []byte) error {
		if raw == nil {
			return nil
		}
		if m.Call == nil {
			m.Call = &state.Call{}
		}
		return read(m, raw)
	}
	return c
}

// readRow reads a row of all columns.
func readRow(row pgx.CollectableRow) (*state.Mapping, error) {
	m := &state.Mapping{}
	for i, raw := range row.RawValues() {
		if err := columns[i].read(m, raw); err != nil {
			return nil, fmt.Errorf("read column %s: %w", columns[i].name, err)
		}
	}
	m.SetStored(m.Class())
	return m, nil
}
