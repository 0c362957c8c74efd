package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"
)

// API sets up the calendar API. The zero value has a location, a token and two
// calendars of its own, no contacts, and no quota.
type API struct {
	LocationID string     `json:"location_id"` // empty: "sandboxLocation"
	Token      string     `json:"token"`       // empty: "pit-sandbox"
	OldTokens  []string   `json:"old_tokens"`  // valid beside it, as for seven days after a rotation
	Calendars  []Calendar `json:"calendars"`   // none: "calOnboarding" and "calHandover"

	Contacts     []Contact `json:"-"`             // there from the start and after a Reset
	AutoContacts bool      `json:"auto_contacts"` // a search for anyone unknown finds a new contact
	// SearchLag is how long after an upsert the search does not show it.
	// Reported: about ten seconds.
	SearchLag time.Duration `json:"-"`

	Quota         Quota `json:"quota"`
	SlotConflicts bool  `json:"slot_conflicts"` // refuse what overlaps with another appointment of the same user

	// GoneIs400 answers 400 "The event id is invalid." for an appointment that
	// is not there, as is reported of PUT, instead of 404. The specification has
	// neither: only 400, for whatever reason.
	GoneIs400 bool `json:"gone_is_400"`
}

// Calendar is one of GHL's calendars.
type Calendar struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	EventType string   `json:"event_type"` // what Sentra has in it
	Inactive  bool     `json:"inactive"`
	Team      []string `json:"team"` // ids of its users; GHL assigns the first free one
}

func (a API) normal() API {
	a.LocationID = or(a.LocationID, "sandboxLocation")
	a.Token = or(a.Token, "pit-sandbox")
	if len(a.Calendars) == 0 {
		a.Calendars = []Calendar{
			{ID: "calOnboarding", Name: "Onboarding", EventType: "onboarding", Team: []string{"userOne"}},
			{ID: "calHandover", Name: "Handover", EventType: "handover", Team: []string{"userOne"}},
		}
	}
	return a
}

func (a API) calendar(id string) (Calendar, bool) {
	i := slices.IndexFunc(a.Calendars, func(c Calendar) bool { return c.ID == id })
	if i < 0 {
		return Calendar{}, false
	}
	return a.Calendars[i], true
}

// APIURL is the calendar API's base URL, without a slash at the end; empty
// unless started.
func (s *Sandbox) APIURL() string { return s.URL() }

// API gives the calendar API's set-up.
func (s *Sandbox) API() API {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.api
}

// SetAPI sets the calendar API up anew: another token, an inactive calendar, a
// lower quota. Contacts are added to those that are there. Reset brings the
// one of Options back.
func (s *Sandbox) SetAPI(a API) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api = a.normal()
	for _, contact := range a.Contacts {
		s.contacts.add(contact, time.Time{})
	}
	s.wake()
}

type plainAPI API

// apiJSON is an API on the wire: durations are text.
type apiJSON struct {
	*plainAPI
	SearchLag duration `json:"search_lag"`
}

// MarshalJSON writes the form that UnmarshalJSON reads, without contacts.
func (a API) MarshalJSON() ([]byte, error) {
	return json.Marshal(apiJSON{(*plainAPI)(&a), duration(a.SearchLag)})
}

// UnmarshalJSON changes what is named and leaves the rest; it refuses fields
// that it does not know.
func (a *API) UnmarshalJSON(data []byte) error {
	in := apiJSON{(*plainAPI)(a), duration(a.SearchLag)}
	if err := strict(data, &in); err != nil {
		return err
	}
	a.SearchLag = time.Duration(in.SearchLag)
	return nil
}

func (s *Sandbox) serveSetAPI(w http.ResponseWriter, r *http.Request) {
	set := s.API()
	calendars, tokens := set.Calendars, set.OldTokens
	// A list is replaced as a whole, not merged; contacts are there already.
	set.Calendars, set.OldTokens, set.Contacts = nil, nil, nil
	if !readJSON(w, r, &set) {
		return
	}
	if set.Calendars == nil {
		set.Calendars = calendars
	}
	if set.OldTokens == nil {
		set.OldTokens = tokens
	}
	s.SetAPI(set)
	writeJSON(w, s.API())
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		http.Error(w, "body cannot be read: "+err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always have an encoding
	}
	return b
}
