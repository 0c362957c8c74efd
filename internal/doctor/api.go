package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/internal/daemon"
)

// calendarAPI is GHL under examination with GHL_MODE=api. The check of the token
// makes all the reads, one each of what a daemon reads, and the checks behind it
// judge the answers. GHL reports no scopes: they show in what it lets through. What
// it looks at first is, as integrators report, the token (401), then the scope (401
// with a message of its own), then the location (403).
type calendarAPI struct {
	*target

	calendars []calendarAnswer
	events    ghl.Result // of a list of appointments, which names location and calendar
	contact   ghl.Result // of a search for a contact, which names the location

	quota ghl.Quota
	ahead time.Duration // this machine's clock before GHL's
	dated bool          // GHL told its time
}

// calendarAnswer is what GHL says of the calendar that a variable names.
type calendarAnswer struct {
	variable, id string
	found        api.Calendar // if res is Delivered
	res          ghl.Result
}

func (a *calendarAPI) checks() []check {
	all := []check{
		{"api", nil, a.reach},
		{"certificate", []string{"api"}, a.certificate},
		{"token", []string{"api"}, a.token},
		{"location", []string{"token"}, a.location},
		{"scopes", []string{"token"}, a.scopes},
		{"calendars", []string{"location"}, a.judgeCalendars},
		{"calendar_team", []string{"location"}, a.team},
		{"clock", []string{"token"}, a.clock},
		{"quota", []string{"token"}, a.headroom},
	}
	if a.options.SendTest {
		all = append(all, check{"send_test", []string{"token"}, a.sendTest})
	}
	return all
}

func (a *calendarAPI) client() (*api.Client, error) {
	o := daemon.APIOptions(a.cfg)
	o.Timeout, o.Now = min(o.Timeout, checkLimit), a.options.Now
	o.Observe = func(q ghl.Quota) { a.quota = q }
	o.Clock = func(theirs time.Time) { a.ahead, a.dated = a.options.Now().Sub(theirs), true }
	client, err := api.New(o)
	if err != nil {
		return nil, fmt.Errorf("set up the client of GHL: %w", err)
	}
	return client, nil
}

// nobody is an address that no contact can have: .invalid is kept for such.
const nobody = "ghlsync-doctor-test@example.invalid"

// token asks, and tells whether GHL knows who does.
func (a *calendarAPI) token(ctx context.Context) Result {
	client, err := a.client()
	if err != nil {
		return failure(err)
	}
	defer client.Close()
	g := a.cfg.GHL
	a.calendars = []calendarAnswer{
		{variable: "GHL_ONBOARDING_CALENDAR_ID", id: g.OnboardingCalendarID},
		{variable: "GHL_HANDOVER_CALENDAR_ID", id: g.HandoverCalendarID},
	}
	for i := range a.calendars {
		c := &a.calendars[i]
		c.found, c.res = client.GetCalendar(ctx, c.id)
	}
	now := a.options.Now()
	_, a.events = client.ListEvents(ctx, g.OnboardingCalendarID, now, now.Add(time.Minute))
	_, a.contact = client.FindContact(ctx, nobody, "")
	return a.judgeToken()
}

func (a *calendarAPI) results() []ghl.Result {
	all := []ghl.Result{a.events, a.contact}
	for _, c := range a.calendars {
		all = append(all, c.res)
	}
	return all
}

func (a *calendarAPI) judgeToken() Result {
	worst := a.contact
	for _, res := range a.results() {
		switch {
		case letThrough(res), res.Code == ghl.CodeAPIScopeMissing, res.Code == ghl.CodeAPIForbidden:
			return good("GHL knows it")
		case res.Code == ghl.CodeAPIUnauthorized:
			worst = res
		}
	}
	return Result{Status: Fail, Detail: answerOf(worst), Mend: ghl.Explain(worst.Code)}
}

// letThrough tells whether GHL has looked at what a call is about.
func letThrough(res ghl.Result) bool {
	return res.Outcome == ghl.Delivered || res.Outcome == ghl.NotFound || res.Outcome == ghl.Permanent
}

// unauthorized is, of a token that GHL knows, a scope that it lacks, whatever the
// words.
func unauthorized(res ghl.Result) bool {
	return res.Code == ghl.CodeAPIScopeMissing || res.Code == ghl.CodeAPIUnauthorized
}

// location goes by the call that names nothing else, or else by the other one.
func (a *calendarAPI) location(context.Context) Result {
	id := a.cfg.GHL.LocationID
	for _, res := range []ghl.Result{a.contact, a.events} {
		switch {
		case res.Outcome == ghl.Delivered:
			return good("the token reaches %s", id)
		case res.Code == ghl.CodeAPIForbidden:
			return a.beyondReach(id)
		}
	}
	if a.calendarsAre() == id {
		return good("the calendars are in %s", id)
	}
	return Result{
		Status: Warn, Detail: fmt.Sprintf("whether the token reaches %s could not be told: %s, %s", id, answerOf(a.contact), answerOf(a.events)),
		Mend: "mend what the other checks tell, and ask again",
	}
}

func (a *calendarAPI) beyondReach(id string) Result {
	r := Result{Status: Fail, Detail: fmt.Sprintf("GHL does not let the token into %s (HTTP 403)", id)}
	if other := a.calendarsAre(); other != "" && other != id {
		r.Detail += "; the calendars are in " + other
		r.Mend = "set GHL_LOCATION_ID=" + other
		return r
	}
	r.Mend = "copy GHL_LOCATION_ID from the location's business profile, and take GHL_API_TOKEN from a Private Integration made in that location; where both are so, look for what refuses this machine"
	return r
}

// calendarsAre is the location of all calendars that could be read, "" if that is
// not one.
func (a *calendarAPI) calendarsAre() (id string) {
	for _, c := range a.calendars {
		where := c.found.LocationID
		if id != "" && where != "" && where != id {
			return ""
		}
		if where != "" {
			id = where
		}
	}
	return id
}

// The scopes for reading, of GHL's published OpenAPI files.
const (
	readCalendars = "calendars.readonly"
	readEvents    = "calendars/events.readonly"
	readContacts  = "contacts.readonly"
)

// scopes goes by what was let through, and claims nothing of writing.
func (a *calendarAPI) scopes(context.Context) Result {
	reads := map[string][]ghl.Result{readEvents: {a.events}, readContacts: {a.contact}}
	for _, c := range a.calendars {
		reads[readCalendars] = append(reads[readCalendars], c.res)
	}
	var has, lacks, open []string
	for _, scope := range []string{readCalendars, readEvents, readContacts} {
		switch standing(reads[scope]) {
		case OK:
			has = append(has, scope)
		case Fail:
			lacks = append(lacks, scope)
		default:
			open = append(open, scope)
		}
	}
	open = append(open, "calendars/events.write")
	if a.cfg.GHL.CreateContacts {
		open = append(open, "contacts.write")
	}
	unknown := "not known by reading: " + strings.Join(open, ", ")
	if len(lacks) > 0 {
		status := Fail
		if slices.Equal(lacks, []string{readCalendars}) {
			status = Warn // only these checks look at calendars
		}
		return Result{
			Status: status, Detail: "the token lacks " + strings.Join(lacks, ", ") + " (HTTP 401); " + unknown,
			Mend: "give the Private Integration in the location's settings in GHL " + strings.Join(lacks, ", "),
		}
	}
	return good("the token has %s; %s", strings.Join(has, ", "), unknown)
}

// standing is OK for a scope that GHL has let a call through by, also one that it
// refuses for the location, Fail for one that it has not, and else "".
func standing(answers []ghl.Result) Status {
	var s Status
	for _, res := range answers {
		switch {
		case letThrough(res), res.Code == ghl.CodeAPIForbidden:
			return OK
		case unauthorized(res):
			s = Fail
		}
	}
	return s
}

// sendTest makes the one call that was asked for, by which the scope for writing
// shows.
func (a *calendarAPI) sendTest(ctx context.Context) Result {
	client, err := a.client()
	if err != nil {
		return failure(err)
	}
	defer client.Close()
	return judgeAnswer("appointment", client.DeleteAppointment(ctx, testEvent))
}

// maxSkew is how far two clocks may be apart.
const maxSkew = 5 * time.Minute

func (a *calendarAPI) clock(context.Context) Result {
	apart := a.ahead.Abs().Round(time.Second)
	switch {
	case !a.dated:
		return skip("GHL did not tell its time")
	case a.ahead.Abs() <= maxSkew:
		return good("within %s of GHL's", max(apart, time.Second))
	case a.ahead > 0:
		return Result{Status: Warn, Detail: fmt.Sprintf("this machine's clock is %s ahead of GHL's", apart), Mend: "set this machine's clock, by NTP"}
	}
	return Result{Status: Warn, Detail: fmt.Sprintf("this machine's clock is %s behind GHL's", apart), Mend: "set this machine's clock, by NTP"}
}

func (a *calendarAPI) headroom(context.Context) Result {
	var left []string
	if a.quota.Max > 0 && a.quota.Interval > 0 {
		left = append(left, fmt.Sprintf("%d of %d requests in %s", a.quota.Remaining, a.quota.Max, a.quota.Interval))
	}
	if a.quota.DailyMax > 0 {
		left = append(left, fmt.Sprintf("%d of %d requests in a day", a.quota.DailyRemaining, a.quota.DailyMax))
	}
	if left == nil {
		return good("GHL did not tell of a limit")
	}
	return good("left are %s", strings.Join(left, ", "))
}
