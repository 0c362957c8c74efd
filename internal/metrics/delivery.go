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

func ofDelivery(value func(d *admin.Delivery) *float64) func(s *snapshot) *float64 {
	return func(s *snapshot) *float64 { return value(&s.facts.Status.Delivery) }
}
