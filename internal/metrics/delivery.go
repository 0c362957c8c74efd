package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"ghlsync/ghl/deliver"
	"ghlsync/internal/admin"
)

var deliveryFamilies = []family{
	gauge("delivery_enabled", "Whether anything is sent (GHL_WEBHOOK_ENABLED).",
		ofDelivery(func(d *admin.Delivery) *float64 { return truth(d.Enabled) })),
	labelled(prometheus.GaugeValue, "delivery_paused", "Whether delivery is paused, by an operator or because GHL lets nothing in.", "by", tellPaused),
	oneOf("delivery_breaker", "The circuit breaker: 1 for the state that it is in.", "state",
		[]string{deliver.BreakerClosed, deliver.BreakerOpen, deliver.BreakerHalfOpen},
		func(s *snapshot) string { return s.facts.Status.Delivery.Breaker }),
	gauge("delivery_throttled", "Whether GHL asked for a break.",
		ofDelivery(func(d *admin.Delivery) *float64 { return truth(d.ThrottledUntil != nil) })),
	gauge("delivery_next_probe_timestamp_seconds", "When the next probing call may leave; absent while nothing is probed.",
		ofDelivery(func(d *admin.Delivery) *float64 { return unix(d.NextProbe) })),
	gauge("delivery_last_attempt_timestamp_seconds", "When the last call to GHL left.",
		ofDelivery(func(d *admin.Delivery) *float64 { return unix(d.LastSyncAttempt) })),
	gauge("delivery_calls_in_flight", "Calls that have left, or are about to, and have not ended.",
		ofDelivery(func(d *admin.Delivery) *float64 { return number(d.InFlight) })),
	gauge("delivery_rate_tokens", "Calls that GHL_RATE lets leave at once, GHL_BURST at most; absent without a limit.",
		ofDelivery(func(d *admin.Delivery) *float64 { return maybe(d.RateTokens) })),
	gauge("delivery_calls_per_second", "Calls that ended in a second, of the last minute.",
		ofDelivery(func(d *admin.Delivery) *float64 { return &d.PerSecond })),
	gauge("delivery_backlog_done_timestamp_seconds", "When what is pending will have been sent at that pace; absent where nothing is pending or sent.",
		ofDelivery(func(d *admin.Delivery) *float64 { return unix(d.BacklogDoneAt) })),
	gauge("ghl_rate_remaining", "Requests that GHL takes before its interval ends, by its last answer; absent where it does not say.",
		ofQuota(func(q *admin.Quota) int { return q.Remaining })),
	gauge("ghl_rate_daily_remaining", "Requests that GHL takes today, by its last answer; absent where it does not say.",
		ofQuota(func(q *admin.Quota) int { return q.DailyRemaining })),
	gauge("ghl_rate_daily_limit", "Requests that GHL takes a day; absent where it does not say.",
		ofQuota(func(q *admin.Quota) int { return q.DailyMax })),
	gauge("delivery_store_failing", "Whether the ends of calls cannot be recorded, so that nothing leaves.",
		ofDelivery(func(d *admin.Delivery) *float64 { return truth(d.StoreFailing) })),
}

// tellPaused tells who paused delivery. Behind an operator's word nobody sees what
// GHL would say.
func tellPaused(s *snapshot, send send) {
	d := s.facts.Status.Delivery
	operator := d.Paused && d.PauseReason == admin.PausedByOperator
	send(*truth(operator), "operator")
	if !operator {
		send(*truth(d.Paused), "ghl")
	}
}

// ofQuota is nil for what GHL did not say.
func ofQuota(value func(q *admin.Quota) int) func(s *snapshot) *float64 {
	return ofDelivery(func(d *admin.Delivery) *float64 {
		if d.Quota == nil || value(d.Quota) < 0 {
			return nil
		}
		return number(value(d.Quota))
	})
}

func ofDelivery(value func(d *admin.Delivery) *float64) func(s *snapshot) *float64 {
	return func(s *snapshot) *float64 { return value(&s.facts.Status.Delivery) }
}
