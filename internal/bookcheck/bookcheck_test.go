package bookcheck

import (
	"strings"
	"testing"

	"ghlsync/ghl/sandbox"
)

func TestDifferences(t *testing.T) {
	t.Parallel()
	early, late := "2024-01-15T09:00:00Z", "2024-01-15T10:00:00Z"
	f := sandbox.Fields{
		ClientID: 456, ClientEmail: "client@example.com", ClientPhone: "+1234567890", ClientName: "Client Business Name",
		EventTitle: "Onboarding Session", EventType: "onboarding", StartDate: "2024-01-15", EndDate: "2024-01-15",
		StartTime: "10:00", EndTime: "11:00", Description: "Initial client onboarding", CreatedAt: &early, UpdatedAt: &early,
	}
	altered := func(change func(*sandbox.Fields)) sandbox.Fields {
		g := f
		change(&g)
		return g
	}
	own := Event{ID: "1", Fields: f}
	theirs := Event{ID: "1", Booked: "ghl_7", Fields: f}
	in := func(f sandbox.Fields) sandbox.Appointment {
		return sandbox.Appointment{ID: "ghl_7", SentraEventID: "1", Fields: f}
	}
	adopted := sandbox.Appointment{ID: "ghl_7"}
	other := in(f)
	other.ID = "ghl_8"

	// over is what the calendar API has of an event.
	over := func(change func(*sandbox.Appointment)) sandbox.Appointment {
		a := in(altered(func(f *sandbox.Fields) {
			f.ClientID, f.ClientPhone, f.ClientName, f.CreatedAt, f.UpdatedAt = 0, "", "Contact", nil, nil
		}))
		a.Booking = &sandbox.Booking{}
		change(&a)
		return a
	}
	untidy := Event{ID: "1", Fields: altered(func(f *sandbox.Fields) {
		f.Description, f.ClientEmail, f.EndTime = f.Description+" \n", "Client@example.com ", "24:00"
	})}
	cancelled := in(f)
	cancelled.Status = sandbox.StatusCancelled

	cases := map[string]struct {
		events []Event
		book   []sandbox.Appointment
		wrong  string // empty: equal
	}{
		"equal":                      {[]Event{own}, []sandbox.Appointment{in(f)}, ""},
		"both empty":                 {nil, nil, ""},
		"missing":                    {[]Event{own}, nil, "no appointment"},
		"unwanted":                   {nil, []sandbox.Appointment{in(f)}, "ghl_7"},
		"double":                     {[]Event{own}, []sandbox.Appointment{in(f), other}, "has 2 appointments: ghl_7, ghl_8"},
		"touched since":              {[]Event{{ID: "1", Fields: altered(func(f *sandbox.Fields) { f.UpdatedAt = &late })}}, []sandbox.Appointment{in(f)}, ""},
		"newer in GHL":               {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.UpdatedAt = &late }))}, "updated_at"},
		"booked in GHL":              {[]Event{theirs}, []sandbox.Appointment{adopted}, ""},
		"booked in GHL, then edited": {[]Event{theirs}, []sandbox.Appointment{in(f)}, ""},
		"booked in GHL and again":    {[]Event{theirs}, []sandbox.Appointment{adopted, other}, "has 2 appointments"},
		"booked in GHL, another's":   {[]Event{theirs}, []sandbox.Appointment{other}, "booked as ghl_7"},
		"not booked in GHL":          {[]Event{own}, []sandbox.Appointment{adopted}, "no appointment"},
		"client":                     {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.ClientID++ }))}, "client_id"},
		"e-mail":                     {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.ClientEmail = "" }))}, "client_email"},
		"phone":                      {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.ClientPhone = "" }))}, "client_phone"},
		"name":                       {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.ClientName = "" }))}, "client_name"},
		"title":                      {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.EventTitle = "" }))}, "event_title"},
		"type":                       {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.EventType = "handover" }))}, "event_type"},
		"first day":                  {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.StartDate = "" }))}, "start_date"},
		"last day":                   {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.EndDate = "" }))}, "end_date"},
		"begin":                      {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.StartTime = "" }))}, "start_time"},
		"end":                        {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.EndTime = "" }))}, "end_time"},
		"description":                {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.Description = "" }))}, "description"},
		"over the API":               {[]Event{own}, []sandbox.Appointment{over(func(*sandbox.Appointment) {})}, ""},
		"over the API, untidy": {[]Event{untidy}, []sandbox.Appointment{over(func(a *sandbox.Appointment) {
			a.EndDate, a.EndTime = "2024-01-16", "00:00"
		})}, ""},
		"over the API, other title":  {[]Event{own}, []sandbox.Appointment{over(func(a *sandbox.Appointment) { a.EventTitle = "" })}, "event_title"},
		"over the API, other text":   {[]Event{own}, []sandbox.Appointment{over(func(a *sandbox.Appointment) { a.Description = "" })}, "description"},
		"over the API, other time":   {[]Event{own}, []sandbox.Appointment{over(func(a *sandbox.Appointment) { a.StartTime = "11:00" })}, "start_time"},
		"over the API, other e-mail": {[]Event{own}, []sandbox.Appointment{over(func(a *sandbox.Appointment) { a.ClientEmail = "x@example.com" })}, "client_email"},
		"cancelled":                  {[]Event{own}, []sandbox.Appointment{cancelled}, "no appointment"},
		"cancelled and booked again": {[]Event{own}, []sandbox.Appointment{cancelled, other}, ""},
		"cancelled and unwanted":     {nil, []sandbox.Appointment{cancelled}, ""},
		"created_at":                 {[]Event{own}, []sandbox.Appointment{in(altered(func(f *sandbox.Fields) { f.CreatedAt = nil }))}, "created_at"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := differences(c.events, c.book)
			if c.wrong == "" && len(wrong) > 0 {
				t.Errorf("found %q, want nothing", wrong)
			}
			if c.wrong != "" && !strings.Contains(strings.Join(wrong, "\n"), c.wrong) {
				t.Errorf("found %q, want %q", wrong, c.wrong)
			}
		})
	}
}
