package dashboard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"ghlsync/ghl"
	"ghlsync/internal/admin"
	"ghlsync/state"
)

// calls is how many calls the page of an event tells of.
const calls = 50

// story is the body of the page of one event.
type story struct {
	admin.Explanation
	Word     string // synced, pending, failed, held or none
	Headline string
	Timeline []moment
	Payload  string // client data
	Back     string // this page
	Stuck    bool   // it has failed, and there is nothing to try again
}

// moment is something that happened, or will.
type moment struct {
	At     time.Time
	Kind   string // synced, pending, failed: its icon and colour; "" for neither
	What   string
	Detail string
	Call   *admin.Attempt
}

func (s *site) event(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	// Sentra is asked, too, and has its own time for that.
	e, err := s.service.Explain(r.Context(), id, admin.Show{Payload: true, Attempts: calls})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	b := story{Explanation: e, Back: eventURL(id)}
	b.Word, b.Headline = headline(e)
	if e.Mapping != nil {
		b.Timeline = timeline(*e.Mapping)
		b.Payload = pretty(e.Mapping.Payload)
		b.Stuck = e.Mapping.ParkedReason != nil && e.Mapping.Wanted == string(state.Present) && len(e.Mapping.Payload) == 0
	}
	s.show(w, r, "event", id, b)
}

// headline is the one sentence that most people come for.
func headline(e admin.Explanation) (word, text string) {
	m := e.Mapping
	switch {
	case m == nil:
		return "none", "ghlsync has no mapping for this event."
	case m.SyncStatus == string(state.Failed):
		return "failed", "It could not be brought to GHL and waits for you, or for a change in Sentra."
	case m.Hold != nil && *m.Hold == string(state.Held):
		return "held", "Its deletion is held by the delete fuse and waits for your word."
	case m.SyncStatus == string(state.Pending):
		return "pending", "It is on its way to GHL."
	case m.Hold != nil && *m.Hold == string(state.Kept):
		return "synced", "It is gone from Sentra, and its appointment was kept in GHL by an operator."
	case m.Assumed:
		return "synced", "It is taken to be in GHL since before ghlsync; nothing is sent until it changes."
	case m.Wanted == string(state.Absent):
		return "synced", "It is gone from Sentra, and from GHL."
	default:
		return "synced", "GHL shows what Sentra has."
	}
}

// timeline is what is known of the past and the next step, newest first.
func timeline(m admin.Detail) []moment {
	var all []moment
	add := func(at *time.Time, kind, what, detail string) {
		if at != nil {
			all = append(all, moment{At: *at, Kind: kind, What: what, Detail: detail})
		}
	}
	add(m.NextAttemptAt, "pending", "Next call is due", "")
	add(m.LeaseUntil, "pending", "The call in flight is given up at the latest", "")
	add(m.UnsettledUntil, "pending", "An overtaken call may be acted on until here", "its delete is sent once more then")
	wanted := "GHL shows it"
	if m.Wanted == string(state.Absent) {
		wanted = "GHL has no appointment"
	}
	add(m.CommittedAt, "", "Committed in Sentra: from here on wanted is that "+wanted, "revision "+count(m.Revision)+", commit at "+m.CommitLSN)
	add(m.CreatedAt, "", "First known here", "")
	for i := range m.LastAttempts {
		all = append(all, callMoment(&m.LastAttempts[i]))
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(b.At.UnixMicro(), a.At.UnixMicro()) })
	return all
}

func callMoment(a *admin.Attempt) moment {
	m := moment{At: a.StartedAt, Kind: "failed", What: a.Operation + ": " + outcomeWords(a), Call: a}
	if a.Outcome == ghl.Delivered.String() || a.Outcome == ghl.NotFound.String() && a.Operation == string(state.Delete) {
		m.Kind = "synced"
	}
	if a.ErrorCode != nil {
		m.Detail = ghl.Explain(*a.ErrorCode)
	}
	return m
}

// outcomes are those of calls, in words.
var outcomes = map[string]string{
	ghl.Delivered.String(): "GHL has it",
	ghl.NotFound.String():  "GHL has no such appointment",
	ghl.Retry.String():     "not taken, tried again",
	ghl.Permanent.String(): "refused for good",
	ghl.Unknown.String():   "its outcome is not known",
	ghl.Paused.String():    "the way to GHL is shut",
}

func outcomeWords(a *admin.Attempt) string {
	if text, ok := outcomes[a.Outcome]; ok {
		return text
	}
	return a.Outcome
}

// Took is how long a call took; "" if that is not known.
func (m moment) Took() string {
	if m.Call == nil || m.Call.DurationMS == 0 {
		return ""
	}
	return took(time.Duration(m.Call.DurationMS * float64(time.Millisecond)))
}

// pretty sets JSON in lines.
func pretty(text json.RawMessage) string {
	var out bytes.Buffer
	if len(text) == 0 || json.Indent(&out, text, "", "  ") != nil {
		return string(text)
	}
	return out.String()
}
