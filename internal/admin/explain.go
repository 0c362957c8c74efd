package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ghlsync/ghl"
	"ghlsync/state"
)

// EventSource asks Sentra about one event.
type EventSource interface {
	// Event tells how the event is now. wanted is the payload that the state wants;
	// nil where it wants none. It answers within seconds; its errors hold no secret.
	Event(ctx context.Context, id string, wanted []byte) (Sentra, error)
}

// The verdicts on an event as Sentra has it.
const (
	VerdictShow       = "show"         // GHL should show it
	VerdictOutOfScope = "out_of_scope" // its type is not synced
	VerdictCannot     = "cannot"       // it should be shown, but cannot be: Sentra.Reason
	VerdictGone       = "gone"         // there is no such event
)

// Sentra is what Sentra has of one event now.
type Sentra struct {
	Asked     bool    `json:"asked"`
	Problem   *string `json:"problem"` // why it could not be asked
	Found     bool    `json:"found"`
	EventType string  `json:"event_type,omitempty"`
	Verdict   string  `json:"verdict,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	// Differs names the fields that are not as the state wants them.
	Differs []string `json:"differs,omitempty"`
}

// Explanation is the whole story of one event.
type Explanation struct {
	SentraEventID string  `json:"sentra_event_id"`
	Sentra        Sentra  `json:"sentra"`
	Mapping       *Detail `json:"mapping"` // null: the state knows nothing of it
	// Story says in sentences how it stands, why it waits, and until when.
	Story []string `json:"story"`
}

// Explain tells everything of one event, also of one that the state does not know.
func (s *Service) Explain(ctx context.Context, id string, o Show) (Explanation, error) {
	e := Explanation{SentraEventID: id}
	d, err := s.Show(ctx, id, Show{Payload: true, Attempts: o.Attempts})
	var wanted []byte
	switch {
	case err == nil:
		wanted = d.Payload
		if !o.Payload {
			d.Payload = nil
		}
		e.Mapping = &d
	case !errors.Is(err, state.ErrNotFound):
		return e, err
	}
	e.Sentra = s.askSentra(ctx, id, wanted)
	delivery := s.Live.Delivery()
	if paused, err := s.State.PausedAt(ctx); err != nil {
		return e, err
	} else if !paused.IsZero() {
		delivery.pausedByOperator(paused)
	}
	e.Story = story(e, delivery, s.now())
	return e, ctx.Err()
}

func (s *Service) askSentra(ctx context.Context, id string, wanted []byte) Sentra {
	problem := "SENTRA_DATABASE_URL is not set"
	if s.Events != nil {
		found, err := s.Events.Event(ctx, id, wanted)
		if err == nil {
			return found
		}
		problem = err.Error()
	}
	return Sentra{Problem: &problem}
}

// story puts an explanation into sentences. It is pure.
func story(e Explanation, d Delivery, now time.Time) []string {
	all := []string{sentraStory(e.Sentra)}
	if e.Mapping != nil && state.IsOrphan(state.EventID(e.SentraEventID)) {
		all[0] = "It is no event of Sentra's: it stands for an appointment in GHL that no event has, or has any more. It is to be deleted."
	}
	if e.Mapping == nil {
		all = append(all, "ghlsync has no mapping for it: it was never captured as an event of a synced type, or its deletion is done and forgotten.")
		if e.Sentra.Verdict == VerdictShow || e.Sentra.Verdict == VerdictCannot {
			all = append(all, "That it is missing here means that its change is on its way, or was missed: 'ghlsync reconcile --dry-run' tells.")
		}
		return all
	}
	all = append(all, wantedStory(*e.Mapping))
	if text := driftStory(e); text != "" {
		all = append(all, text)
	}
	all = append(all, ghlStory(*e.Mapping))
	if e.Mapping.Drift != nil {
		all = append(all, foreignStory(*e.Mapping))
	}
	return append(all, waitStory(*e.Mapping, d, now)...)
}

func sentraStory(s Sentra) string {
	switch {
	case !s.Asked:
		return "Sentra was not asked: " + *s.Problem + "."
	case s.Verdict == VerdictGone:
		return "Sentra has no such event (any more)."
	case s.Verdict == VerdictOutOfScope:
		return fmt.Sprintf("Sentra has it with type %q, which is not one that goes to GHL.", s.EventType)
	case s.Verdict == VerdictCannot:
		return fmt.Sprintf("Sentra has it with type %q, which goes to GHL, but it cannot be shown there: %s.", s.EventType, s.Reason)
	default:
		return fmt.Sprintf("Sentra has it with type %q, which goes to GHL.", s.EventType)
	}
}

func wantedStory(m Detail) string {
	since := fmt.Sprintf("since the commit at %s of %s (revision %d)", m.CommitLSN, when(m.CommittedAt), m.Revision)
	if m.Wanted == string(state.Absent) {
		return "Wanted is that GHL has no appointment, " + since + "."
	}
	return "Wanted is that GHL shows it, " + since + "."
}

// driftStory says where Sentra and what is wanted differ.
func driftStory(e Explanation) string {
	const why = ": the change is on its way, or was missed ('ghlsync reconcile --dry-run' tells)."
	present := e.Mapping.Wanted == string(state.Present)
	shown := e.Sentra.Verdict == VerdictShow || e.Sentra.Verdict == VerdictCannot
	switch {
	case !e.Sentra.Asked:
		return ""
	case present != shown:
		return "That is not what Sentra has now" + why
	case len(e.Sentra.Differs) > 0:
		return "In Sentra it differs by now in " + strings.Join(e.Sentra.Differs, ", ") +
			": a change that is on its way, or client data that changed since."
	default:
		return ""
	}
}

func ghlStory(m Detail) string {
	id := ""
	if m.GHLAppointmentID != nil {
		id = " (appointment " + *m.GHLAppointmentID + ")"
	}
	since := ", known since " + when(m.GHLAt)
	switch {
	case m.Assumed:
		return "GHL is taken to have had it since before ghlsync" + id + "; nothing is sent until it changes."
	case m.GHLState == string(state.GHLUnknown):
		return "Whether GHL has it is not known: a call may have been acted on."
	case m.GHLState == string(state.GHLAbsent):
		return "GHL has nothing."
	case m.GHLHash != nil && m.PayloadHash != nil && *m.GHLHash == *m.PayloadHash:
		return "GHL has exactly that" + id + since + "."
	default:
		return "GHL has an older or unknown state of it" + id + since + "."
	}
}

// foreignStory says what somebody else did in GHL.
func foreignStory(m Detail) string {
	const mend = ": it is made as Sentra has it with the event's next change, or now by 'ghlsync mappings retry'."
	if *m.Drift == string(state.DriftDeleted) {
		return "Somebody deleted the appointment in GHL, as GHL told at " + when(m.DriftAt) + mend
	}
	return "Somebody changed the appointment in GHL, as GHL told at " + when(m.DriftAt) + mend
}

// waitStory says why nothing is sent now, and until when.
func waitStory(m Detail, d Delivery, now time.Time) []string {
	if m.ParkedReason != nil {
		return []string{fmt.Sprintf("It has failed with %s: %s It waits for a change in Sentra, or for 'ghlsync mappings retry'.", *m.ParkedReason, explainCode(*m.ParkedReason))}
	}
	if m.Hold != nil {
		if text := holdStory(*m.Hold); text != "" {
			return []string{text}
		}
	}
	if m.SyncStatus == string(state.Synced) {
		return []string{"Nothing is due."}
	}
	if m.LeaseUntil != nil && m.Call != nil {
		return []string{fmt.Sprintf("A call (%s, delivery %s) is in flight since %s.", m.Call.Operation, m.Call.DeliveryID, when(m.Call.StartedAt))}
	}
	all := []string{dueStory(m, now)}
	if text := deliveryWaits(d); text != "" {
		all = append(all, text)
	}
	return all
}

func holdStory(hold string) string {
	switch state.Hold(hold) {
	case state.Held:
		return "The delete fuse holds its deletion, until 'ghlsync mappings release' or 'drop'."
	case state.Kept:
		return "An operator kept its appointment: the deletion was dropped."
	default:
		return ""
	}
}

func dueStory(m Detail, now time.Time) string {
	because := ""
	if m.SyncError != nil && m.Attempts > 0 {
		because = fmt.Sprintf(" after %d attempts, the last of which ended with %s: %s", m.Attempts, *m.SyncError, explainCode(*m.SyncError))
	}
	if m.Call != nil && m.Call.State == string(state.Unknown) {
		because = fmt.Sprintf(": a %s of unknown outcome is found out about first, by the same call again (delivery %s)", m.Call.Operation, m.Call.DeliveryID)
	}
	switch {
	case m.NextAttemptAt == nil:
		return "Nothing is scheduled."
	case m.NextAttemptAt.After(now):
		return fmt.Sprintf("The next call is due at %s, in %s%s", when(m.NextAttemptAt), m.NextAttemptAt.Sub(now).Round(time.Second), ending(because))
	default:
		return fmt.Sprintf("A call has been due since %s%s", when(m.NextAttemptAt), ending(because))
	}
}

func ending(because string) string {
	if strings.HasSuffix(because, ".") {
		return because
	}
	return because + "."
}

// deliveryWaits says what keeps all calls back.
func deliveryWaits(d Delivery) string {
	reasons := deliveryReasons(d)
	switch {
	case len(reasons) > 0:
		return "It waits with all others: " + reasons[0] + "."
	case d.ThrottledUntil != nil:
		return "It waits with all others until " + when(d.ThrottledUntil) + ": GHL asked for a break."
	case d.Breaker == BreakerUnknown:
		return "No daemon is running that would send it."
	default:
		return ""
	}
}

// explainCode is a sentence for a code of a call. Reasons of our own are not in
// upper case and speak for themselves.
func explainCode(code string) string {
	if code != strings.ToUpper(code) {
		return "the row cannot be shown in GHL as it is."
	}
	return ghl.Explain(code)
}

func when(t *time.Time) string {
	if t == nil {
		return "an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}
