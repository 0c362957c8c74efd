package metrics

import "ghlsync/internal/admin"

var slotFamilies = []family{
	gauge("source_up", "Whether the source answered the question about the slot.", func(s *snapshot) *float64 {
		if s.facts.SlotError == "" && s.facts.Status.Slot == nil {
			return nil // it was not asked
		}
		return truth(s.facts.SlotError == "" || s.facts.SlotMissing)
	}),
	gauge("slot_exists", "Whether the source has the replication slot.", func(s *snapshot) *float64 {
		if s.facts.Status.Slot == nil && !s.facts.SlotMissing {
			return nil
		}
		return truth(!s.facts.SlotMissing)
	}),
	gauge("slot_active", "Whether a session streams from the slot.",
		ofSlot(func(t *admin.Slot) *float64 { return truth(t.Active) })),
	oneOf("slot_wal_status", "Postgres's word about the slot's WAL: 1 for the one that holds.", "wal_status",
		[]string{"reserved", "extended", "unreserved", "lost"},
		func(s *snapshot) string {
			if t := s.facts.Status.Slot; t != nil && t.WALStatus != nil {
				return *t.WALStatus
			}
			return ""
		}),
	gauge("slot_confirmed_flush_lsn_bytes", "Up to where the source knows that changes are durable here, as a position in its WAL.",
		ofSlot(func(t *admin.Slot) *float64 { return position(t.ConfirmedFlushLSN) })),
	gauge("slot_restart_lsn_bytes", "From where the source keeps WAL for the slot, as a position in it.",
		ofSlot(func(t *admin.Slot) *float64 { return position(t.RestartLSN) })),
	gauge("slot_lag_bytes", "WAL that was written behind what is confirmed.",
		ofSlot(func(t *admin.Slot) *float64 { return maybe(t.LagBytes) })),
	gauge("slot_retained_wal_bytes", "WAL that the source keeps for the slot.",
		ofSlot(func(t *admin.Slot) *float64 { return maybe(t.RetainedWALBytes) })),
	gauge("slot_safe_wal_bytes", "WAL that may be written before the slot can be lost; absent without max_slot_wal_keep_size.",
		ofSlot(func(t *admin.Slot) *float64 { return maybe(t.SafeWALSize) })),
	gauge("slot_wal_left_bytes", "WAL that may be written before max_slot_wal_keep_size, else CDC_WAL_BUDGET, is used up; absent without either.",
		ofSlot(func(t *admin.Slot) *float64 { return maybe(t.WALLeftBytes) })),
	gauge("slot_wal_left_seconds", "How long that lasts at the present rate; absent where it is longer than anybody plans for.",
		ofSlot(func(t *admin.Slot) *float64 { return maybe(t.WALLeftSeconds) })),
	gauge("source_wal_bytes_per_second", "How fast the source writes WAL, of late.",
		ofSlot(func(t *admin.Slot) *float64 { return maybe(t.WALBytesPerSecond) })),

	gauge("canary_interval_seconds", "How often a canary is sent through the stream (CDC_CANARY); 0: never.",
		func(s *snapshot) *float64 { return seconds(s.canary) }),
	gauge("canary_sent_timestamp_seconds", "When the latest canary was sent.",
		ofCanary(func(c *admin.Canary) *float64 { return unix(&c.SentAt) })),
	gauge("canary_round_trip_seconds", "How long the last canary that came through was under way.",
		ofCanary(func(c *admin.Canary) *float64 {
			if c.RoundTripMS == nil {
				return nil
			}
			return number(*c.RoundTripMS / 1000)
		})),
	gauge("canary_waiting_seconds", "How long the latest canary has been under way; 0 once it is through.",
		ofCanary(func(c *admin.Canary) *float64 {
			if c.WaitingSeconds == nil {
				return number(0)
			}
			return number(*c.WaitingSeconds)
		})),
}

func ofSlot(value func(t *admin.Slot) *float64) func(s *snapshot) *float64 {
	return func(s *snapshot) *float64 {
		if t := s.facts.Status.Slot; t != nil {
			return value(t)
		}
		return nil
	}
}

func ofCanary(value func(c *admin.Canary) *float64) func(s *snapshot) *float64 {
	return func(s *snapshot) *float64 {
		if c := s.facts.Status.Canary; c != nil {
			return value(c)
		}
		return nil
	}
}
