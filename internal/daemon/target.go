package daemon

import (
	"context"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/ghl/deliver"
	"ghlsync/internal/config"
	"ghlsync/internal/version"
)

// target is the client that makes the calls.
type target interface {
	deliver.Sender
	// Encode builds the body of a call.
	Encode(op ghl.Operation, eventID, appointmentID string, eventData []byte) []byte
	// Close ends idle connections, after the last Send.
	Close()
}

// newTarget makes the client of GHL_MODE. pace and observe are those of the
// deliverer that uses it.
func newTarget(cfg config.Config, pace func(context.Context) error, observe func(ghl.Quota)) (target, error) {
	g := cfg.GHL
	if g.Mode != config.API {
		w, err := ghl.NewWebhook(ghl.WebhookOptions{
			URL: g.WebhookURL.Reveal(), Timeout: g.Timeout, Concurrency: g.Concurrency, Version: version.Read().String(),
		})
		if err != nil {
			return nil, err // and not a target that holds no webhook
		}
		return w, nil
	}
	o := APIOptions(cfg)
	o.Pace, o.Observe = pace, observe
	c, err := api.New(o)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Encoder builds the bodies of calls in GHL_MODE, where none is made.
func Encoder(cfg config.Config) func(op ghl.Operation, eventID, appointmentID string, eventData []byte) []byte {
	if cfg.GHL.Mode == config.API {
		return APIOptions(cfg).Encode
	}
	return ghl.Envelope
}

// APIOptions is what package api needs of the configuration.
func APIOptions(cfg config.Config) api.Options {
	g := cfg.GHL
	return api.Options{
		URL: g.APIURL, Token: g.APIToken.Reveal(), LocationID: g.LocationID,
		Calendars: g.Calendars(),
		Zone:      cfg.Sentra.Timezone.Location(), CreateContacts: g.CreateContacts,
		AssignedUserID: g.AssignedUserID, MeetingLocationType: g.MeetingLocationType,
		IgnoreFreeSlot: g.IgnoreFreeSlot, Notify: g.Notify,
		Timeout: g.Timeout, Concurrency: g.Concurrency, Version: version.Read().String(),
	}
}
