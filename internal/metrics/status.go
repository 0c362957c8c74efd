package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"ghlsync/internal/admin"
)

var statusFamilies = []family{
	oneOf("health", "The verdict of 'ghlsync status': 1 for the one that holds.", "health",
		words(admin.OK, admin.Degraded, admin.Down),
		func(s *snapshot) string { return string(s.facts.Status.Health) }),
	oneOf("capture_phase", "What capture is doing: 1 for the phase that it is in.", "phase",
		words(admin.Starting, admin.Snapshotting, admin.Streaming, admin.Standby, admin.Reconnecting, admin.Stopped),
		func(s *snapshot) string { return string(s.facts.Status.Daemon.Phase) }),
	gauge("capture_phase_start_timestamp_seconds", "When capture entered its phase.",
		func(s *snapshot) *float64 { return unix(s.facts.Status.Daemon.Since) }),
	counter("capture_transactions_total", "Transactions of the source that came through the stream.",
		func(s *snapshot) *float64 { return number(s.facts.Streamed.Transactions) }),
	counter("capture_rows_total", "Changed rows of the events table that came through the stream.",
		func(s *snapshot) *float64 { return number(s.facts.Streamed.Rows) }),
	counter("capture_commits_total", "Durable commits of capture's checkpoint.",
		func(s *snapshot) *float64 { return number(s.facts.Streamed.Commits) }),

	gauge("state_up", "Whether the state could be read.",
		func(s *snapshot) *float64 { return truth(s.facts.StateError == "") }),
	gauge("checkpoint_lsn_bytes", "How far the stream is durable here, as a position in the source's WAL.",
		ofCheckpoint(func(_ *snapshot, c *admin.Checkpoint) *float64 { return position(&c.LSN) })),
	gauge("checkpoint_epoch", "How often capture has begun anew; positions compare within one epoch.",
		ofCheckpoint(func(_ *snapshot, c *admin.Checkpoint) *float64 { return number(c.Epoch) })),
	gauge("checkpoint_age_seconds", "Seconds since the last durable commit of the checkpoint.",
		ofCheckpoint(func(s *snapshot, c *admin.Checkpoint) *float64 {
			if c.UpdatedAt == nil {
				return nil
			}
			return seconds(max(s.facts.Status.At.Sub(*c.UpdatedAt), 0))
		})),
	gauge("checkpoint_source_commit_timestamp_seconds", "When the last transaction that is durable here was committed in the source.",
		ofCheckpoint(func(_ *snapshot, c *admin.Checkpoint) *float64 { return unix(c.CommittedAt) })),
	gauge("checkpoint_snapshot_pending", "Whether a snapshot is being taken, or was interrupted.",
		ofCheckpoint(func(_ *snapshot, c *admin.Checkpoint) *float64 { return truth(c.Snapshotting) })),

	labelled(prometheus.GaugeValue, "mappings", "Events by the status of their mapping.", "status", func(s *snapshot, send send) {
		if c := s.facts.Status.Mappings; s.facts.StateError == "" {
			send(float64(c.Synced), "synced")
			send(float64(c.Pending), "pending")
			send(float64(c.Failed), "failed")
		}
	}),
	gauge("mappings_held", "Deletions that the delete fuse holds.", ofState(func(s *snapshot) *float64 { return number(s.facts.Status.Mappings.Held) })),
	gauge("mappings_assumed", "Events that are taken to be in GHL since before the first start.",
		ofState(func(s *snapshot) *float64 { return number(s.facts.Status.Mappings.Assumed) })),
}

// words are the values of a label.
func words[T ~string](all ...T) []string {
	text := make([]string, len(all))
	for i, w := range all {
		text[i] = string(w)
	}
	return text
}

// ofState is a value that only a state which can be read has.
func ofState(value func(s *snapshot) *float64) func(s *snapshot) *float64 {
	return func(s *snapshot) *float64 {
		if s.facts.StateError != "" {
			return nil
		}
		return value(s)
	}
}

func ofCheckpoint(value func(s *snapshot, c *admin.Checkpoint) *float64) func(s *snapshot) *float64 {
	return func(s *snapshot) *float64 {
		if c := s.facts.Status.Checkpoint; c != nil {
			return value(s, c)
		}
		return nil
	}
}
