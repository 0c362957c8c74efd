package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/openapicheck"
)

const event = "event-1753862400.123456"

const data = `{"sentra_event_id":"` + event + `","client_id":456,"client_email":"client@example.com","client_phone":"+1234567890",` +
	`"client_name":"Client Business Name","event_title":"Onboarding Session","event_type":"onboarding","start_date":"2026-01-15",` +
	`"end_date":"2026-01-15","start_time":"10:00","end_time":"11:00","description":"Initial client onboarding"}`

// rig is a client and a sandbox that every request is checked on its way to.
type rig struct {
	*testing.T
	box    *sandbox.Sandbox
	client *api.Client
}

func newRig(t *testing.T, set sandbox.API, change func(*api.Options)) *rig {
	t.Helper()
	if set.Contacts == nil {
		set.Contacts = []sandbox.Contact{{ID: "con1", Email: "client@example.com", Phone: "+1234567890", Name: "Client Business Name"}}
	}
	box := sandbox.New(sandbox.Options{API: set})
	server := httptest.NewServer(openapicheck.Find(t).Handler(box, t.Error))
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	o := api.Options{
		URL: server.URL, Token: "pit-sandbox", LocationID: "sandboxLocation", Zone: zone, IgnoreFreeSlot: true, Timeout: 10 * time.Second,
		Calendars: map[string]string{"onboarding": "calOnboarding", "handover": "calHandover"},
	}
	if change != nil {
		change(&o)
	}
	client, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		box.Close()
		server.Close()
		for _, v := range box.Violations() {
			t.Errorf("violation %+v", v)
		}
	})
	return &rig{T: t, box: box, client: client}
}

func (r *rig) fault(rules ...sandbox.Rule) {
	r.Helper()
	if err := r.box.Set(sandbox.Faults{Rules: rules}); err != nil {
		r.Fatal(err)
	}
}

// send makes a call for the event as data has it, changed by pairs of old and new.
func (r *rig) send(op ghl.Operation, q ghl.Request, pairs ...string) ghl.Result {
	r.Helper()
	q.Operation, q.EventID = op, event
	q.Body = r.client.Encode(op, event, q.AppointmentID, []byte(strings.NewReplacer(pairs...).Replace(data)))
	return r.client.Send(r.Context(), q)
}

// must ends the test unless GHL has it, and gives its id.
func (r *rig) must(res ghl.Result) string {
	r.Helper()
	if res.Outcome != ghl.Delivered || res.AppointmentID == "" || res.MaybeActed {
		r.Fatalf("%+v", res)
	}
	return res.AppointmentID
}

// only gives the event's appointment, of which there must be one.
func (r *rig) only() sandbox.Appointment {
	r.Helper()
	all := r.box.AppointmentsOf(event)
	if len(all) != 1 || all[0].Booking == nil {
		r.Fatalf("appointments %+v", all)
	}
	return all[0]
}

func TestLifeOfAnAppointment(t *testing.T) {
	t.Parallel()
	r := newRig(t, sandbox.API{}, nil)
	id := r.must(r.send(ghl.Created, ghl.Request{}))
	a := r.only()
	if a.ID != id || a.Status != "confirmed" || a.EventTitle != "Onboarding Session" || a.Description != "Initial client onboarding" ||
		a.Booking.CalendarID != "calOnboarding" || a.Booking.ContactID != "con1" || a.Booking.Notified ||
		a.Booking.Start.Format(time.RFC3339) != "2026-01-15T10:00:00+01:00" || a.Booking.End.Format(time.RFC3339) != "2026-01-15T11:00:00+01:00" {
		t.Errorf("booked %+v %+v", a, a.Booking)
	}
	for _, status := range []string{"showed", "cancelled", "noshow", "confirmed"} {
		r.box.SetStatus(id, status)
		r.must(r.send(ghl.Updated, ghl.Request{AppointmentID: id}, "Session", status))
		if a = r.only(); a.Status != status || a.EventTitle != "Onboarding "+status {
			t.Errorf("%s became %s, title %s", status, a.Status, a.EventTitle)
		}
	}
	// In summer, into the other calendar, without a description.
	r.must(r.send(ghl.Updated, ghl.Request{AppointmentID: id}, `:"onboarding"`, `:"handover"`, "01-15", "07-15", "Initial client onboarding", ""))
	a = r.only()
	if a.ID != id || a.Booking.CalendarID != "calHandover" || a.Booking.Start.Format(time.RFC3339) != "2026-07-15T10:00:00+02:00" || a.Description != "" {
		t.Errorf("moved to %+v %+v", a, a.Booking)
	}
	r.must(r.send(ghl.Deleted, ghl.Request{AppointmentID: id}))
	for _, op := range []ghl.Operation{ghl.Updated, ghl.Deleted} {
		if res := r.send(op, ghl.Request{AppointmentID: id}); res.Outcome != ghl.NotFound {
			t.Errorf("%s of what is gone: %+v", op, res)
		}
	}
	if all := r.box.Appointments(); len(all) != 0 {
		t.Errorf("left are %+v", all)
	}
}

// GHL has said 400 where there is no appointment.
func TestGoneIs400(t *testing.T) {
	t.Parallel()
	r := newRig(t, sandbox.API{GoneIs400: true}, nil)
	for _, op := range []ghl.Operation{ghl.Updated, ghl.Deleted} {
		if res := r.send(op, ghl.Request{AppointmentID: "none"}); res.Outcome != ghl.NotFound {
			t.Errorf("%s: %+v", op, res)
		}
	}
}

// However a create ends, its repetition leaves one appointment.
func TestRepeatedCreateBooksOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule sandbox.Rule
		want ghl.Outcome
		acts bool
	}{
		"status":           {sandbox.Rule{Status: 500}, ghl.Retry, false},
		"status that acts": {sandbox.Rule{Status: 502, Act: sandbox.ActYes}, ghl.Retry, true},
		"malformed":        {sandbox.Rule{Effect: sandbox.EffectMalformed}, ghl.Unknown, true},
		"lie":              {sandbox.Rule{Act: sandbox.ActNo}, ghl.Unknown, false},
		"drop before":      {sandbox.Rule{Effect: sandbox.EffectDropBefore}, ghl.Unknown, false},
		"drop after":       {sandbox.Rule{Effect: sandbox.EffectDropAfter}, ghl.Unknown, true},
		"reset after":      {sandbox.Rule{Effect: sandbox.EffectDropAfter, Reset: true}, ghl.Unknown, true},
		"cut":              {sandbox.Rule{Effect: sandbox.EffectCut}, ghl.Unknown, true},
		"hang after":       {sandbox.Rule{Effect: sandbox.EffectHangAfter}, ghl.Unknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, sandbox.API{}, func(o *api.Options) {
				if test.rule.Effect == sandbox.EffectHangAfter {
					o.Timeout = 3 * time.Second
				}
			})
			test.rule.Call, test.rule.Count = sandbox.CallCreateAppointment, 1
			r.fault(test.rule)
			res := r.send(ghl.Created, ghl.Request{})
			if res.Outcome != test.want || !res.MaybeActed || (len(r.box.AppointmentsOf(event)) == 1) != test.acts {
				t.Fatalf("%+v, booked %+v", res, r.box.AppointmentsOf(event))
			}
			id := r.must(r.send(ghl.Created, ghl.Request{Tried: true}))
			if a := r.only(); a.ID != id || r.box.Stats().Doubles != 0 {
				t.Errorf("%s, booked %+v, %+v", id, a, r.box.Stats())
			}
		})
	}
}

// A look-up that fails, however it does, never leads to a create.
func TestFailedLookUpCreatesNothing(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]sandbox.Rule{
		"status": {Status: 500}, "busy": {Status: 503}, "refused": {Status: 422}, "gone": {Status: 404}, "malformed": {Effect: sandbox.EffectMalformed},
		"empty": {Effect: sandbox.EffectMalformed, Body: `{}`}, "drop": {Effect: sandbox.EffectDropAfter}, "cut": {Effect: sandbox.EffectCut},
		"redirect": {Effect: sandbox.EffectRedirect}, "no token": {Status: 401},
	} {
		r := newRig(t, sandbox.API{}, nil)
		rule.Call = sandbox.CallListEvents
		r.fault(rule)
		for _, request := range []ghl.Request{{Tried: true}, {Tried: true, Known: []byte(data)}} {
			res := r.send(ghl.Created, request)
			if res.Outcome != ghl.Retry && res.Outcome != ghl.Paused || res.MaybeActed || len(r.box.Appointments()) > 0 {
				t.Errorf("%s: %+v, booked %+v", name, res, r.box.Appointments())
			}
		}
	}
}

// People moved it, and set its status, before we learnt that it is there.
func TestAdoptsWhatPeopleChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t, sandbox.API{}, nil)
	r.fault(sandbox.Rule{Call: sandbox.CallCreateAppointment, Effect: sandbox.EffectDropAfter, Count: 1})
	r.send(ghl.Created, ghl.Request{})
	a := r.only()
	r.box.Move(a.ID, a.Booking.Start.Add(20*time.Hour), a.Booking.End.Add(20*time.Hour))
	r.box.SetStatus(a.ID, "showed")
	r.must(r.send(ghl.Created, ghl.Request{Tried: true}))
	if b := r.only(); b.ID != a.ID || b.Status != "showed" || !b.Booking.Start.Equal(a.Booking.Start) {
		t.Errorf("%+v %+v", b, b.Booking)
	}
}

func TestDoublesAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t, sandbox.API{}, nil)
	first := r.must(r.send(ghl.Created, ghl.Request{}))
	r.must(r.send(ghl.Created, ghl.Request{}))
	r.must(r.send(ghl.Created, ghl.Request{}))
	if n := len(r.box.AppointmentsOf(event)); n != 3 {
		t.Fatalf("%d appointments", n)
	}
	if id := r.must(r.send(ghl.Created, ghl.Request{Tried: true})); id != first || r.only().ID != first {
		t.Errorf("kept %s, the first is %s", id, first)
	}
}

// Without an id the appointment is found by its marker, where it was sent to.
func TestWithoutAnID(t *testing.T) {
	t.Parallel()
	r := newRig(t, sandbox.API{}, nil)
	id := r.must(r.send(ghl.Created, ghl.Request{}))
	if got := r.must(r.send(ghl.Updated, ghl.Request{Exists: true, Known: []byte(data)}, "01-15", "05-05")); got != id {
		t.Errorf("found %s, want %s", got, id)
	}
	if a := r.only(); a.StartDate != "2026-05-05" {
		t.Errorf("is on %s", a.StartDate)
	}
	known := r.client.Encode(ghl.Updated, event, "", []byte(strings.ReplaceAll(data, "01-15", "05-05")))
	res := r.send(ghl.Deleted, ghl.Request{Exists: true, Known: []byte(data)})
	if res.Outcome != ghl.Permanent || res.Code != ghl.CodeAppointmentIDUnknown {
		t.Errorf("looked for in the wrong month: %+v", res)
	}
	if got := r.must(r.send(ghl.Deleted, ghl.Request{Exists: true, Known: known})); got != id || len(r.box.Appointments()) != 0 {
		t.Errorf("deleted %s, left %+v", got, r.box.Appointments())
	}
}

func TestContactIsMade(t *testing.T) {
	t.Parallel()
	set := sandbox.API{Contacts: []sandbox.Contact{{ID: "con9", Email: "other@example.com", Tags: []string{"vip"}}}, SearchLag: time.Hour}
	r := newRig(t, set, func(o *api.Options) { o.CreateContacts = true })
	r.must(r.send(ghl.Created, ghl.Request{}))
	r.must(r.send(ghl.Deleted, ghl.Request{AppointmentID: r.only().ID}))
	r.must(r.send(ghl.Created, ghl.Request{}))
	if all := r.box.Contacts(); len(all) != 2 || all[1].Email != "client@example.com" || all[1].Phone != "+1234567890" || all[1].Name != "Client Business Name" {
		t.Errorf("contacts %+v", all)
	}
	without := newRig(t, set, nil)
	if res := without.send(ghl.Created, ghl.Request{}); res.Outcome != ghl.Permanent || res.Code != ghl.CodeContactNotFound {
		t.Errorf("%+v", res)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	strict := func(o *api.Options) { o.IgnoreFreeSlot = false }
	for name, test := range map[string]struct {
		set    sandbox.API
		change func(*api.Options)
		want   ghl.Outcome
		code   string
	}{
		"token":    {sandbox.API{}, func(o *api.Options) { o.Token = "pit-other" }, ghl.Paused, ghl.CodeAPIUnauthorized},
		"slot":     {sandbox.API{SlotConflicts: true}, strict, ghl.Permanent, ghl.CodeSlotTaken},
		"inactive": {sandbox.API{Calendars: []sandbox.Calendar{{ID: "calOnboarding", Inactive: true}}}, nil, ghl.Permanent, ghl.CodeCalendarInactive},
		"calendar": {sandbox.API{Calendars: []sandbox.Calendar{{ID: "calOther"}}}, nil, ghl.Permanent, ghl.CodeCalendarNotFound},
		"user":     {sandbox.API{}, func(o *api.Options) { o.AssignedUserID = "userNine" }, ghl.Permanent, ghl.CodeUserNotInCalendar},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, test.set, test.change)
			if name == "slot" {
				other := r.client.Encode(ghl.Created, "other", "", []byte(data))
				r.must(r.client.Send(t.Context(), ghl.Request{Operation: ghl.Created, EventID: "other", Body: other}))
			}
			res := r.send(ghl.Created, ghl.Request{})
			if res.Outcome != test.want || res.Code != test.code || res.MaybeActed {
				t.Errorf("%+v, want %s %s", res, test.want, test.code)
			}
		})
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	var quotas []ghl.Quota
	set := sandbox.API{Quota: sandbox.Quota{Burst: 2, Interval: time.Hour, Daily: 100}}
	r := newRig(t, set, func(o *api.Options) { o.Observe = func(q ghl.Quota) { quotas = append(quotas, q) } })
	r.must(r.send(ghl.Created, ghl.Request{})) // a search and the create
	res := r.send(ghl.Updated, ghl.Request{AppointmentID: r.only().ID})
	if res.Outcome != ghl.Retry || res.Code != "HTTP_429" || res.RetryAfter != time.Hour || res.MaybeActed {
		t.Errorf("%+v", res)
	}
	want := ghl.Quota{Max: 2, Remaining: 0, Interval: time.Hour, DailyMax: 100, DailyRemaining: 98}
	if len(quotas) != 3 || quotas[0].Remaining != 1 || quotas[2] != want {
		t.Errorf("%+v", quotas)
	}
}

func TestGetCalendarOfSandbox(t *testing.T) {
	t.Parallel()
	r := newRig(t, sandbox.API{}, nil)
	c, res := r.client.GetCalendar(t.Context(), "calOnboarding")
	if res.Outcome != ghl.Delivered || !c.Active || c.Name != "Onboarding" || c.LocationID != "sandboxLocation" || len(c.UserIDs) != 1 || c.UserIDs[0] != "userOne" {
		t.Errorf("%+v, %+v", c, res)
	}
	if _, res := r.client.GetCalendar(t.Context(), "calNone"); res.Outcome != ghl.NotFound {
		t.Errorf("%+v", res)
	}
}
