package calendars

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/state"
)

// GHL is what is asked of the calendar API. [api.Client] implements it.
type GHL interface {
	// CalendarIDs are the configured calendars.
	CalendarIDs() []string
	ListEvents(ctx context.Context, calendarID string, from, to time.Time) ([]api.Appointment, ghl.Result)
	GetAppointment(ctx context.Context, id string) (api.Appointment, ghl.Result)
	// Wanted is the appointment as an event with this event_data has it; false
	// where it can have none.
	Wanted(eventID string, eventData []byte) (api.Appointment, bool)
	// ContactOf is the id of the contact that the event_data names, by e-mail or
	// phone; "" with Delivered if there is none.
	ContactOf(ctx context.Context, eventData []byte) (id string, res ghl.Result)
}

// Store is what is needed of the state. See [state.Store].
type Store interface {
	Begin(ctx context.Context) (state.Tx, error)
	List(ctx context.Context, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error)
	Get(ctx context.Context, id state.EventID) (*state.Mapping, error)
}

// Options say what is to be done.
type Options struct {
	DryRun bool // only report
	// AdoptByTime looks for appointments without our marker by contact and time,
	// where GHL is taken to have one whose id is not known.
	AdoptByTime bool
	Progress    func(done, total int64) // requests to GHL, or nil
}

// Comparison compares. Its fields are set once; Run may be called again.
type Comparison struct {
	GHL     GHL
	Store   Store
	Fuse    int // GHL_DELETE_FUSE
	Now     func() time.Time
	Changed func() // called after every commit that made something due
	Log     *slog.Logger
}

// Kind is one kind of difference.
type Kind struct {
	Count int          `json:"count"`
	Items []Difference `json:"items"` // never null
}

// Difference is one of them. It holds ids only.
type Difference struct {
	EventID       string `json:"sentra_event_id"`
	AppointmentID string `json:"ghl_appointment_id,omitempty"`
	// Why is what differs, or how the appointment was found.
	Why string `json:"why,omitempty"`
}

func (k *Kind) add(id state.EventID, appointmentID, why string) {
	k.Count++
	k.Items = append(k.Items, Difference{EventID: string(id), AppointmentID: appointmentID, Why: why})
}

// Report is what a comparison found.
type Report struct {
	DryRun       bool `json:"dry_run"`
	Appointments int  `json:"appointments"` // listed in the configured calendars
	Requests     int  `json:"requests"`     // that GHL was asked
	Changed      Kind `json:"changed"`
	Deleted      Kind `json:"deleted"`
	Adopted      Kind `json:"adopted"` // or would be: an id becomes known
	Lost         Kind `json:"lost"`    // with AdoptByTime: GHL has none, so it is created, if it is wanted
	Unnamed      Kind `json:"unnamed"` // nothing was found, or more than one
	Orphans      Kind `json:"orphans"`
	// Held is how many deletions of orphans the delete fuse holds.
	Held int `json:"held"`
	// Withheld is how many deleted ones are not made again, since they are more than
	// the fuse lets through: another location, or a book that somebody emptied, is
	// for a person to look at.
	Withheld int `json:"withheld"`
	// Waiting is how many mappings were left out because delivery is busy with them.
	Waiting int `json:"waiting"`
}

func newReport(o Options) Report {
	none := Kind{Items: []Difference{}}
	return Report{DryRun: o.DryRun, Changed: none, Deleted: none, Adopted: none, Lost: none, Unnamed: none, Orphans: none}
}

// page is how many mappings are read, and how many mended in one transaction.
const page = 500

// Run compares once. With an error the report is what was found, and mended, up to
// there. A failing request to GHL ends it: half a list would make orphans of the
// rest.
func (c *Comparison) Run(ctx context.Context, o Options) (Report, error) {
	r := &run{Comparison: c, o: o, report: newReport(o), began: c.Now()}
	err := r.all(ctx)
	if err != nil {
		return r.report, fmt.Errorf("compare GHL's calendars: %w", err)
	}
	n := &r.report
	c.Log.Info("comparison with GHL is complete", slog.Bool("dry_run", o.DryRun), slog.Int("appointments", n.Appointments),
		slog.Int("changed", n.Changed.Count), slog.Int("deleted", n.Deleted.Count), slog.Int("adopted", n.Adopted.Count),
		slog.Int("lost", n.Lost.Count), slog.Int("unnamed", n.Unnamed.Count), slog.Int("orphans", n.Orphans.Count))
	return r.report, nil
}

// run is one comparison.
type run struct {
	*Comparison
	o      Options
	report Report
	began  time.Time

	booked    map[string]*booking          // by appointment id
	byEvent   map[state.EventID][]*booking // those with our marker
	byContact map[string][]*booking        // those without
	mending   []mend
	gone      []mend // deleted in GHL
	planned   int64  // requests, about
}

// booking is an appointment in the listing, without its description.
type booking struct {
	api.Appointment
	event   state.EventID // that the marker names; "" without one
	claimed bool          // a mapping stands for it
}

func (r *run) all(ctx context.Context) error {
	times, err := r.times(ctx)
	if err != nil {
		return err
	}
	if err := r.list(ctx, times); err != nil {
		return err
	}
	if err := r.claim(ctx); err != nil {
		return err
	}
	if err := r.describe(ctx); err != nil {
		return err
	}
	r.index()
	if err := r.eachRow(ctx, r.judge); err != nil {
		return err
	}
	if err := r.remake(ctx); err != nil {
		return err
	}
	return r.orphans(ctx)
}

// remake mends what was deleted in GHL, unless that is too much to be true.
func (r *run) remake(ctx context.Context) error {
	if n := len(r.gone); r.Fuse > 0 && n > r.Fuse {
		r.report.Withheld = n
		return r.flush(ctx)
	}
	for _, m := range r.gone {
		if err := r.mend(ctx, m); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// eachRow goes through all mappings.
func (r *run) eachRow(ctx context.Context, do func(context.Context, *state.Mapping) error) error {
	for after := state.EventID(""); ; {
		rows, err := r.Store.List(ctx, state.Filter{}, after, page)
		if err != nil {
			return fmt.Errorf("list mappings: %w", err)
		}
		for _, m := range rows {
			if err := do(ctx, m); err != nil {
				return err
			}
			after = m.ID
		}
		if len(rows) < page {
			return nil
		}
	}
}

// Margins of the listing: people move appointments, and an orphan may be of an
// event that nothing is known of any more.
const (
	margin = 7 * 24 * time.Hour
	past   = 31 * 24 * time.Hour
	future = 366 * 24 * time.Hour
	window = 31 * 24 * time.Hour // of one request: GHL does not page
)

// times are the beginnings of the windows to list: those in which events are known,
// and around the present. One event in a far year adds its own alone.
func (r *run) times(ctx context.Context) ([]time.Time, error) {
	windows := make(map[time.Time]struct{})
	add := func(from, to time.Time) {
		for at := from.UTC().Truncate(window); !at.After(to); at = at.Add(window) {
			windows[at] = struct{}{}
		}
	}
	add(r.began.Add(-past), r.began.Add(future))
	err := r.eachRow(ctx, func(_ context.Context, m *state.Mapping) error {
		if !m.StartsAt.IsZero() && (m.Wanted != state.Absent || !m.Settled()) {
			add(m.StartsAt.Add(-margin), m.StartsAt.Add(margin))
		}
		if was, ok := r.GHL.Wanted(string(m.ID), m.Known); ok {
			add(was.Start.Add(-margin), was.Start.Add(margin))
		}
		return nil
	})
	return slices.SortedFunc(maps.Keys(windows), time.Time.Compare), err
}

// list reads what the calendars hold.
func (r *run) list(ctx context.Context, times []time.Time) error {
	r.booked = make(map[string]*booking)
	ids := r.GHL.CalendarIDs()
	r.planned = int64(len(ids) * len(times))
	for _, calendarID := range ids {
		for _, at := range times {
			events, res := r.GHL.ListEvents(ctx, calendarID, at, at.Add(window))
			if err := r.asked(ctx, res); err != nil {
				return err
			}
			for _, a := range events {
				a.CalendarID = cmp.Or(a.CalendarID, calendarID)
				event := marked(a)
				a.Description = "" // of a million they would be most of what is kept
				r.booked[a.ID] = &booking{Appointment: a, event: event}
			}
		}
	}
	r.report.Appointments = len(r.booked)
	return nil
}

func marked(a api.Appointment) state.EventID {
	event, _ := ghl.MarkedEvent(a.Description)
	return state.EventID(event)
}

// describe asks for what the list may leave out: the description of appointments
// that nobody stands for, where the marker is.
func (r *run) describe(ctx context.Context) error {
	for _, b := range r.booked {
		if b.claimed || b.Described {
			continue
		}
		a, res := r.GHL.GetAppointment(ctx, b.ID)
		if res.Outcome == ghl.NotFound {
			continue
		}
		if err := r.asked(ctx, res); err != nil {
			return err
		}
		b.event = marked(a)
	}
	return nil
}

// index sorts the bookings that nobody stands for by what they are looked for by.
func (r *run) index() {
	r.byEvent, r.byContact = make(map[state.EventID][]*booking), make(map[string][]*booking)
	for _, b := range r.booked {
		switch {
		case b.claimed:
		case b.event != "":
			r.byEvent[b.event] = append(r.byEvent[b.event], b)
		case b.ContactID != "":
			r.byContact[b.ContactID] = append(r.byContact[b.ContactID], b)
		}
	}
}

// asked counts a request and tells why its answer is of no use.
func (r *run) asked(ctx context.Context, res ghl.Result) error {
	r.report.Requests++
	if r.o.Progress != nil {
		r.o.Progress(int64(r.report.Requests), max(r.planned, int64(r.report.Requests)))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if res.Outcome == ghl.Delivered {
		return nil
	}
	return fmt.Errorf("GHL answered a request for its appointments with %s (%s): run it again when GHL answers", res.Code, ghl.Explain(res.Code))
}

// claim marks the bookings that a mapping names, before any is judged: one that
// another mapping names is no candidate.
func (r *run) claim(ctx context.Context) error {
	return r.eachRow(ctx, func(_ context.Context, m *state.Mapping) error {
		if b := r.booked[m.AppointmentID]; b != nil {
			b.claimed = true
		}
		return nil
	})
}
