package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
)

// TestSettingsOfDatabaseAndRole: whatever they are, dates and times read the same
// and nothing times out.
func TestSettingsOfDatabaseAndRole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, setting := range []string{"datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'", "intervalstyle = 'sql_standard'", "statement_timeout = '50ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '50ms'"} {
		r.db.Exec(t, fmt.Sprintf("ALTER DATABASE %s SET %s", pgx.Identifier{r.db.Name}.Sanitize(), setting))
	}
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	r.db.Exec(t, "UPDATE calendar_events SET start_date = '2031-02-03', created_at = '2024-01-15 09:00:00.75+05:45' WHERE id = 'event-1'")
	r.caughtUp()
	r.same()
}

// TestOddValues: what cannot be shown is parked by name and does not stall the
// rest; what can be shown is shown.
func TestOddValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	for _, id := range []string{"bad-1", "bad-2", "bad-3", "good-1", "good-2", "good-3"} {
		r.insert(id, "onboarding", "Odd")
	}
	for id, set := range map[string]string{
		"bad-1":  "start_date = 'infinity'",
		"bad-2":  "end_date = '0044-03-15 BC'",
		"bad-3":  "created_at = '-infinity'",
		"good-1": "end_time = '24:00'",
		"good-2": "start_time = '09:59:59.999', description = NULL",
		"good-3": "created_at = NULL, description = ''",
	} {
		r.db.Exec(t, "UPDATE calendar_events SET "+set+" WHERE id = $1", id)
	}
	r.caughtUp()
	for id, code := range map[string]string{"bad-1": "bad_value:start_date", "bad-2": "bad_value:end_date", "bad-3": "bad_value:created_at"} {
		m := r.mapping(id)
		if m == nil || m.Status != "failed" || m.Error == nil || *m.Error != code {
			t.Errorf("%s is %+v, want it parked for %s", id, m, code)
		}
	}
	r.db.Exec(t, "UPDATE calendar_events SET start_date = '2030-01-01' WHERE id = 'bad-1'")
	r.db.Exec(t, "UPDATE calendar_events SET end_date = '2030-01-01' WHERE id = 'bad-2'")
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'bad-3'")
	r.caughtUp()
	r.same()
	if s := r.status(); s.Mappings.Failed != 0 {
		t.Errorf("%d failed after all was mended", s.Mappings.Failed)
	}
}

// TestOddIDs: ids are opaque text, all the way to the commands.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	ids := []string{"a/b/c", "with space", "ü-日本", `quote"back\slash`, "100%", "?q=1&x", "..", "event'; --"}
	for _, id := range ids {
		r.insert(id, "onboarding", "Odd id")
	}
	r.caughtUp()
	r.same()
	for _, id := range ids {
		out, errs, code := r.run("mappings", "show", "--json", "--", id)
		if code != 0 || !strings.Contains(out, `"synced"`) {
			t.Errorf("show %q exits %d: %s%s", id, code, out, errs)
		}
	}
	if _, _, code := r.run("mappings", "show", "unknown"); code != 1 {
		t.Errorf("show of an unknown id exits %d, want 1", code)
	}
}

// TestOtherKeys: installs whose ids are numbers or UUIDs.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	for typ, ids := range map[string][]string{
		"bigint": {"1", "22", "9000000000"},
		"uuid":   {"7c9e6679-7425-40de-944b-e07fc1f90ae7", "00000000-0000-4000-8000-000000000001"},
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.db.Exec(t, "DELETE FROM calendar_events")
			r.db.Exec(t, "ALTER TABLE calendar_events ALTER COLUMN id DROP DEFAULT")
			r.db.Exec(t, fmt.Sprintf("ALTER TABLE calendar_events ALTER COLUMN id TYPE %s USING id::%s", typ, typ))
			insert := `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
				VALUES ('%s', 1, 'Typed', '2030-01-01', '2030-01-01', '09:00', '10:00', 'onboarding')`
			r.db.Exec(t, fmt.Sprintf(insert, ids[0])) // by the snapshot
			r.start()
			for _, id := range ids[1:] {
				r.db.Exec(t, fmt.Sprintf(insert, id))
			}
			r.db.Exec(t, "UPDATE calendar_events SET title = 'Edited' WHERE id = '"+ids[0]+"'")
			for _, id := range ids {
				r.until("event "+id+" is in GHL", func() bool { m := r.mapping(id); return m != nil && m.Status == "synced" })
			}
		})
	}
}

// TestLongDescription: a megabyte that the next update does not touch is not in
// the stream, and is sent all the same.
func TestLongDescription(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.insert("event-2", "firstdraft", "Out of scope first")
	// Random text: what compresses well would not be stored out of line.
	r.db.Exec(t, `UPDATE calendar_events SET description = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32768) i) WHERE id LIKE 'event-_'`)
	r.caughtUp()
	r.same()
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Only the title' WHERE id = 'event-1'")
	r.caughtUp()
	r.db.Exec(t, "UPDATE calendar_events SET type = 'handover' WHERE id = 'event-2'") // never stored: read from the source
	r.db.Exec(t, "UPDATE calendar_events SET id = 'event-3' WHERE id = 'event-1'")
	r.caughtUp()
	r.same()
}

// TestTransactions: rolled-back work and savepoints leave no trace; a prepared
// transaction counts when it is committed.
func TestTransactions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	conn := r.db.Conn(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	row := `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		VALUES ('%s', 1, 'T', '2030-01-01', '2030-01-01', '09:00', '10:00', 'onboarding')`
	exec("BEGIN")
	exec(fmt.Sprintf(row, "rolled-back"))
	exec("ROLLBACK")
	exec("BEGIN")
	exec(fmt.Sprintf(row, "kept"))
	exec("SAVEPOINT s")
	exec(fmt.Sprintf(row, "undone"))
	exec("ROLLBACK TO s")
	exec(fmt.Sprintf(row, "after"))
	exec("COMMIT")
	exec("BEGIN")
	exec(fmt.Sprintf(row, "prepared"))
	exec("PREPARE TRANSACTION 'p1_" + r.db.Name + "'")
	exec("BEGIN")
	exec(fmt.Sprintf(row, "never"))
	exec("PREPARE TRANSACTION 'p2_" + r.db.Name + "'")
	r.caughtUp()
	if m := r.mapping("prepared"); m != nil {
		t.Errorf("a prepared transaction was sent before its commit: %+v", m)
	}
	exec("COMMIT PREPARED 'p1_" + r.db.Name + "'")
	exec("ROLLBACK PREPARED 'p2_" + r.db.Name + "'")
	r.caughtUp()
	r.same()
	for _, q := range r.ghl.Requests() {
		if q.EventID == "rolled-back" || q.EventID == "undone" || q.EventID == "never" {
			t.Errorf("GHL heard of %s", q.EventID)
		}
	}
}

// TestWholeTable: cascades, key changes and TRUNCATE.
func TestWholeTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	for i := range 4 {
		r.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
	}
	r.caughtUp()
	r.db.Exec(t, "UPDATE calendar_events SET id = 'moved', title = 'Moved' WHERE id = 'event-0'")
	r.db.Exec(t, "UPDATE calendar_events SET id = 'event-0' WHERE id = 'event-1'") // onto an id that was in use
	r.caughtUp()
	r.same()
	r.db.Exec(t, "DELETE FROM clients WHERE id = 2")
	r.caughtUp()
	r.same()
	r.db.Exec(t, "BEGIN; TRUNCATE calendar_events; INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type) VALUES ('event-3', 1, 'After', '2030-01-01', '2030-01-01', '09:00', '10:00', 'handover'); COMMIT")
	r.caughtUp()
	r.same()
	r.noDoubles()
}

// TestColumnsChange: columns are found by name, whatever happens to the others.
func TestColumnsChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.db.Exec(t, "ALTER TABLE calendar_events ADD COLUMN color TEXT DEFAULT 'blue'")
	r.insert("event-2", "onboarding", "Second")
	r.db.Exec(t, "ALTER TABLE calendar_events DROP COLUMN color")
	r.db.Exec(t, "ALTER TABLE calendar_events ADD COLUMN ghl_appointment_id VARCHAR(255)")
	r.insert("event-3", "onboarding", "Third")
	r.caughtUp()
	// Dropped and added again, a column stands at another position.
	r.db.Exec(t, "ALTER TABLE calendar_events DROP COLUMN title")
	r.db.Exec(t, "UPDATE calendar_events SET description = 'Without a title' WHERE id = 'event-1'")
	r.until("event-1 is parked for its column", func() bool {
		m := r.mapping("event-1")
		return m != nil && m.Error != nil && *m.Error == "missing_column:title"
	})
	r.db.Exec(t, "ALTER TABLE calendar_events ADD COLUMN title TEXT NOT NULL DEFAULT 'Back'")
	r.db.Exec(t, "UPDATE calendar_events SET description = 'With a title', title = 'Title of ' || id")
	for range 3 { // as the app does before each insert
		r.db.Exec(t, "ALTER TABLE calendar_events DROP CONSTRAINT calendar_events_type_check")
		r.db.Exec(t, "ALTER TABLE calendar_events ADD CONSTRAINT calendar_events_type_check CHECK (type IN ('onboarding', 'firstdraft', 'seconddraft', 'handover'))")
		r.insert(next("app"), "handover", "As the app does")
	}
	r.caughtUp()
	r.same()
}

func next(prefix string) string {
	return fmt.Sprintf("%s-%d", prefix, serial.Add(1))
}

// TestEchoAndAdoption: an appointment booked in GHL, and one that the app made
// itself, are not booked again; their later edits and deletes reach GHL.
func TestEchoAndAdoption(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.db.Exec(t, "ALTER TABLE calendar_events ADD COLUMN ghl_appointment_id VARCHAR(255)")
	r.start()
	r.caughtUp()
	r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		VALUES ('booked', 1, 'Booked', '2030-01-01', '2030-01-01', '09:00', '10:00', E'Calendar: Main\nAppointment ID: apt_echo\nContact: x', 'onboarding')`)
	r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type, ghl_appointment_id)
		VALUES ('made', 1, 'Made', '2030-01-01', '2030-01-01', '09:00', '10:00', 'onboarding', 'apt_app')`)
	r.caughtUp()
	for id, appointment := range map[string]string{"booked": "apt_echo", "made": "apt_app"} {
		m := r.mapping(id)
		if m == nil || m.Status != "synced" || m.AppointmentID == nil || *m.AppointmentID != appointment {
			t.Errorf("%s is %+v, want it adopted as %s", id, m, appointment)
		}
		if n := len(r.requestsOf(id)); n != 0 {
			t.Errorf("%d calls for %s, which GHL has", n, id)
		}
	}
	r.db.Exec(t, "UPDATE calendar_events SET updated_at = now() WHERE id IN ('booked', 'made')")
	r.caughtUp()
	if n := len(r.requestsOf("booked")); n != 0 {
		t.Errorf("%d calls for a touched row", n)
	}
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Edited' WHERE id = 'booked'")
	r.until("the edit is sent with the adopted id", func() bool {
		q := r.requestsOf("booked")
		return len(q) > 0 && q[0].AppointmentID == "apt_echo"
	})
}

func (r *rig) requestsOf(id string) []sandbox.Request {
	var of []sandbox.Request
	for _, q := range r.ghl.Requests() {
		if q.EventID == id {
			of = append(of, q)
		}
	}
	return of
}

// TestCommandsWithoutADaemon: the state can be read, and worked on, while nothing
// runs.
func TestCommandsWithoutADaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.faults(sandbox.Rule{Event: "event-1", Status: http.StatusBadRequest})
	r.insert("event-1", "onboarding", "First")
	r.until("event-1 is parked", func() bool { m := r.mapping("event-1"); return m != nil && m.Status == "failed" })
	r.proc.stop()
	out, errs, code := r.run("status", "--json")
	if code != 1 || !strings.Contains(out, `"down"`) {
		t.Errorf("status without a daemon exits %d: %s%s", code, out, errs)
	}
	if out, _, code = r.run("mappings", "list", "--json"); code != 0 || !containsID(out, "event-1") {
		t.Errorf("list exits %d: %s", code, out)
	}
	if _, errs, code = r.run("mappings", "retry", "--failed"); code != 0 {
		t.Errorf("retry exits %d: %s", code, errs)
	}
	r.faults()
	r.start()
	r.caughtUp()
	r.same()
}
