package chaos

import (
	"net/http"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// How the daemon is set. A call that was cut may still be acted on for as long as
// a fault delays it, and not later: that is what GHL_SETTLE has to cover.
const (
	callTimeout = time.Second
	settle      = 2500 * time.Millisecond
	actsLate    = callTimeout + 800*time.Millisecond
)

// webhookRules are the ways in which a workflow fails.
var webhookRules = []sandbox.Rule{
	{Status: http.StatusBadGateway},
	{Status: http.StatusServiceUnavailable},
	{Status: http.StatusInternalServerError, Act: sandbox.ActYes},
	{Status: http.StatusTooManyRequests, RetryAfter: "1"},
	{Status: http.StatusRequestTimeout},
	{Status: http.StatusUnauthorized},
	{Status: http.StatusForbidden},
	{Status: http.StatusNotFound},
	{Status: http.StatusGone},
	{Status: http.StatusUnprocessableEntity},
	{Code: "SLOT_UNAVAILABLE"},
	{Code: "CONTACT_NOT_FOUND", Operation: ghl.Created},
	{Effect: sandbox.EffectDraft},
	{Effect: sandbox.EffectRedirect, Location: "https://elsewhere.invalid/"},
	{Effect: sandbox.EffectReal},
	{Effect: sandbox.EffectOlder},
	{Effect: sandbox.EffectMalformed},
	{Effect: sandbox.EffectMalformed, Body: `{"success":`},
	{Effect: sandbox.EffectCut},
	{Effect: sandbox.EffectDropBefore},
	{Effect: sandbox.EffectDropBefore, Reset: true},
	{Effect: sandbox.EffectDropAfter},
	{Effect: sandbox.EffectDropAfter, Reset: true},
	{Effect: sandbox.EffectHangBefore},
	{Effect: sandbox.EffectHangAfter},
	{Effect: sandbox.EffectHangThenAct, ActAfter: actsLate},
	{DelayBefore: callTimeout * 3 / 2},
	{DelayAfter: callTimeout * 3 / 2},
	{DelayBefore: callTimeout / 4},
}

// apiRules are those of the calendar API. A status that says 'not found' of what
// is there is left out: GHL would be telling an untruth, and is to be believed.
var apiRules = []sandbox.Rule{
	{Status: http.StatusBadGateway},
	{Status: http.StatusServiceUnavailable},
	{Status: http.StatusInternalServerError, Act: sandbox.ActYes},
	{Status: http.StatusTooManyRequests, RetryAfter: "1"},
	{Status: http.StatusUnauthorized},
	{Status: http.StatusForbidden},
	{Status: http.StatusUnprocessableEntity},
	{Status: http.StatusBadGateway, Act: sandbox.ActYes, Call: sandbox.CallCreateAppointment},
	{Effect: sandbox.EffectMalformed, Call: sandbox.CallCreateAppointment},
	{Effect: sandbox.EffectMalformed},
	{Effect: sandbox.EffectCut},
	{Effect: sandbox.EffectCut, Call: sandbox.CallDeleteAppointment},
	{Effect: sandbox.EffectDropBefore},
	{Effect: sandbox.EffectDropBefore, Reset: true},
	{Effect: sandbox.EffectDropAfter},
	{Effect: sandbox.EffectDropAfter, Reset: true, Call: sandbox.CallCreateAppointment},
	{Effect: sandbox.EffectHangBefore},
	{Effect: sandbox.EffectHangAfter},
	{Effect: sandbox.EffectHangThenAct, ActAfter: actsLate, Call: sandbox.CallCreateAppointment},
	{Effect: sandbox.EffectHangThenAct, ActAfter: actsLate},
	{DelayBefore: callTimeout * 3 / 2},
	{DelayAfter: callTimeout * 3 / 2},
	{Effect: sandbox.EffectDropBefore, Call: sandbox.CallListEvents},
	{Status: http.StatusInternalServerError, Call: sandbox.CallSearchContact},
}

// rule is what GHL does while the fault lasts: to all calls or to a part of them.
func (f Fault) rule(mode Mode) sandbox.Rule {
	rules := webhookRules
	if mode == API {
		rules = apiRules
	}
	r := rules[(f.Pick>>8)%uint64(len(rules))]
	r.Probability = []float64{0.2, 0.5, 1}[(f.Pick>>4)%3]
	return r
}
