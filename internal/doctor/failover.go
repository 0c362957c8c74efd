package doctor

import (
	"context"
	"fmt"
	"slices"
)

// standbySlots judges a setting of Postgres 17 and later: a slot that is to survive a
// failover is not sent what the standbys named there have not received. One that is
// down, or is no more since a failover, holds the stream up.
func (s *source) standbySlots(ctx context.Context) Result {
	f, err := s.look(ctx)
	if err != nil {
		return unanswered(err)
	}
	const setting = "synchronized_standby_slots"
	wanted := parseStandbys(s.settings[setting].value)
	if !s.cdc.Failover && (f.Slot == nil || !f.Slot.Failover) || len(wanted.names) == 0 {
		return good("our stream waits for no standby")
	}
	rows, err := s.visit.Rows(ctx, `SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical' AND active`)
	if err != nil {
		return unanswered(err)
	}
	var away, connected []string
	for _, name := range wanted.names {
		if slices.ContainsFunc(rows, func(r []string) bool { return r[0] == name }) {
			connected = append(connected, name)
		} else {
			away = append(away, name)
		}
	}
	if len(away) == 0 {
		return good("our stream waits for %s, connected now", list(connected))
	}
	return Result{
		Status: Warn, Detail: fmt.Sprintf("%s names %s, which is not connected: our stream waits for it", setting, list(away)),
		Mend: "start that standby, or name only those that there are" + hosted,
		SQL:  []string{setServer(setting, list(connected)), reload},
	}
}
