package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"ghlsync/cdc"
	"ghlsync/state"
	"ghlsync/translator"
)

// sample bounds how many rows a check looks at, and shown how many ids it tells.
const (
	sample = 1000
	shown  = 5
)

// markers are patterns to propose where the configured one does not match, the
// default first.
var markers = []string{
	translator.DefaultEcho,
	`(?mi)^\s*Appointment ID\s*[:=#-]?\s*(\S+)`,
	`(?mi)Appointment ID\s*[:=#-]?\s*(\S+)`,
}

// echo looks for events that seem to have been booked in GHL, and whose marker the
// pattern does not know: such an event would be booked in GHL a second time.
func (s *source) echo(ctx context.Context) Result {
	pattern := s.cfg.Sentra.EchoPattern.Regexp()
	if pattern == nil {
		return good("switched off: events booked in GHL are pushed like others")
	}
	rows, err := s.visit.Rows(ctx, fmt.Sprintf(`
		SELECT id::text, description FROM %s
		WHERE type::text = ANY ($1::text[]) AND description ILIKE '%%appointment id%%' LIMIT %d`, s.visit.EventsTable(), sample),
		cdc.TextArray(s.cdc.Types))
	if err != nil {
		return unsure(err)
	}
	var ids, missed []string
	for _, r := range rows {
		if !names(pattern, r[1]) {
			ids, missed = append(ids, fmt.Sprintf("%q", r[0])), append(missed, r[1])
		}
	}
	if len(rows) == 0 {
		return good("no event seems to have been booked in GHL")
	}
	if len(missed) == 0 {
		return good("knows the marker of all of %s that seem to have been booked in GHL", plural(len(rows), "event", "events"))
	}
	r := Result{
		Status: Warn, Mend: "set SENTRA_ECHO_PATTERN to an expression that matches their line, with one group around the id",
		Detail: fmt.Sprintf("SENTRA_ECHO_PATTERN does not match the appointment id in %s: %s",
			plural(len(ids), "event", "events"), list(ids[:min(shown, len(ids))])),
	}
	if better := matchingAll(missed); better != "" {
		r.Mend = "set SENTRA_ECHO_PATTERN=" + better
	}
	return r
}

// names tells whether the pattern finds an id.
func names(pattern *regexp.Regexp, description string) bool {
	m := pattern.FindStringSubmatch(description)
	return len(m) > 1 && m[1] != ""
}

// matchingAll is the first marker that finds an id in each; "" if none does.
func matchingAll(descriptions []string) string {
	for _, marker := range markers {
		pattern, all := regexp.MustCompile(marker), true
		for _, d := range descriptions {
			all = all && names(pattern, d)
		}
		if all {
			return marker
		}
	}
	return ""
}

// inApp looks for events that got an appointment id since our baseline that the
// state does not hold: somebody else calls GHL for them.
func (s *source) inApp(ctx context.Context) Result {
	if !s.visit.HasAppointmentColumn() {
		return good("the events table has no ghl_appointment_id, so nothing tells")
	}
	_, baseline, err := s.store.prior(ctx, s.cdc.Slot)
	if err != nil {
		return unsure(err)
	}
	if baseline.IsZero() {
		return skip("the daemon has not taken its baseline yet")
	}
	rows, err := s.visit.Rows(ctx, fmt.Sprintf(`
		SELECT id::text, ghl_appointment_id FROM %s
		WHERE type::text = ANY ($1::text[]) AND ghl_appointment_id <> '' AND updated_at > $2::timestamptz
		ORDER BY updated_at DESC LIMIT %d`, s.visit.EventsTable(), sample),
		cdc.TextArray(s.cdc.Types), baseline.UTC().Format(time.RFC3339Nano))
	if err != nil {
		return unsure(err)
	}
	var foreign []string
	for _, r := range rows {
		m, err := s.store.reader.Get(ctx, state.EventID(r[0]))
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return unsure(err)
		}
		if m == nil || m.AppointmentID != r[1] {
			foreign = append(foreign, fmt.Sprintf("%q", r[0]))
		}
	}
	if len(foreign) == 0 {
		return good("no event has got an appointment id from elsewhere")
	}
	return Result{
		Status: Warn,
		Detail: fmt.Sprintf("%s got an appointment id that is not from here: %s",
			plural(len(foreign), "event", "events"), list(foreign[:min(shown, len(foreign))])),
		Mend: "switch the app's own webhooks off (VITE_GHL_WEBHOOK_ENABLED=false in its environment, and build it anew), or each event is booked twice",
	}
}
