package calendars

import (
	"context"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
)

// Paced lets each request wait for its turn: pace returns when it may leave, or
// with the error of its context.
func Paced(g GHL, pace func(context.Context) error) GHL { return paced{g, pace} }

type paced struct {
	GHL
	pace func(context.Context) error
}

// broken is the end of a request that did not get its turn.
var broken = ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeInterrupted}

func (p paced) ListEvents(ctx context.Context, calendarID string, from, to time.Time) ([]api.Appointment, ghl.Result) {
	if p.pace(ctx) != nil {
		return nil, broken
	}
	return p.GHL.ListEvents(ctx, calendarID, from, to)
}

func (p paced) GetAppointment(ctx context.Context, id string) (api.Appointment, ghl.Result) {
	if p.pace(ctx) != nil {
		return api.Appointment{}, broken
	}
	return p.GHL.GetAppointment(ctx, id)
}

func (p paced) ContactOf(ctx context.Context, eventData []byte) (string, ghl.Result) {
	if p.pace(ctx) != nil {
		return "", broken
	}
	return p.GHL.ContactOf(ctx, eventData)
}
