package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Contact is one of GHL's contacts.
type Contact struct {
	ID    string   `json:"id"` // empty: given when it is added
	Email string   `json:"email,omitempty"`
	Phone string   `json:"phone,omitempty"`
	Name  string   `json:"name,omitempty"`
	Tags  []string `json:"tags,omitempty"` // an upsert with tags overwrites them
}

// contacts are those of the location. Their owner holds the lock. Of several
// with one address the latest is found.
type contacts struct {
	last    int
	byID    map[string]*contact
	byEmail map[string]*contact // in lower case
	byPhone map[string]*contact // digits
}

type contact struct {
	Contact
	number int
	shown  time.Time // from when on the search finds it
}

func newContacts(seed []Contact) contacts {
	c := contacts{byID: map[string]*contact{}, byEmail: map[string]*contact{}, byPhone: map[string]*contact{}}
	for _, given := range seed {
		c.add(given, time.Time{})
	}
	return c
}

func (c *contacts) add(given Contact, shown time.Time) *contact {
	c.last++
	if given.ID == "" {
		given.ID = fmt.Sprintf("contact_%06d", c.last)
	}
	added := &contact{Contact: given, number: c.last, shown: shown}
	c.byID[given.ID] = added
	c.index(added)
	return added
}

func (c *contacts) index(added *contact) {
	if added.Email != "" {
		c.byEmail[strings.ToLower(added.Email)] = added
	}
	if digits := digitsOf(added.Phone); digits != "" {
		c.byPhone[digits] = added
	}
}

// find looks as documented: by e-mail first, then by phone.
func (c *contacts) find(email, phone string) *contact {
	if found := c.byEmail[strings.ToLower(email)]; found != nil && email != "" {
		return found
	}
	return c.byPhone[digitsOf(phone)]
}

func digitsOf(phone string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
}

// Contacts copies the contacts in the order in which they came.
func (s *Sandbox) Contacts() []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*contact, 0, len(s.contacts.byID))
	for _, c := range s.contacts.byID {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *contact) int { return cmp.Compare(x.number, y.number) })
	out := make([]Contact, len(all))
	for i, c := range all {
		out[i] = c.Contact
	}
	return out
}

// AddContacts adds contacts as a person in GHL would; the search finds them at
// once. It gives their ids.
func (s *Sandbox) AddContacts(given ...Contact) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(given))
	for i, g := range given {
		ids[i] = s.contacts.add(g, time.Time{}).ID
	}
	s.wake()
	return ids
}

func (s *Sandbox) serveAddContacts(w http.ResponseWriter, r *http.Request) {
	var given []Contact
	if readJSON(w, r, &given) {
		writeJSON(w, s.AddContacts(given...))
	}
}

// searchContact finds a contact, or null. Spec: no schema; the shape is
// reported.
func searchContact(in *input) action {
	location := in.param("locationId", true)
	email, phone := in.param("email", false), in.param("number", false)
	in.location = &location
	if email == "" && phone == "" {
		in.wrong = append(in.wrong, "email or number should not be empty")
	}
	if strings.HasPrefix(phone, " ") || strings.Contains(email, " ") {
		in.odd = append(in.odd, "a + was not sent as %2B")
	}
	return func(s *Sandbox, _ *call) (reply, verdict) {
		found := s.contacts.find(email, phone)
		if found == nil && s.api.AutoContacts {
			found = s.contacts.add(Contact{Email: email, Phone: phone}, time.Time{})
		}
		var shown any
		if found != nil && !s.opts.Now().Before(found.shown) {
			shown = found.ghl(s.api.LocationID)
		}
		return reply{http.StatusOK, string(mustJSON(map[string]any{"contact": shown, "traceId": "sandbox"}))}, verdict{}
	}
}

// upsertContact changes the contact with the address, or adds one. It sees its
// own writes at once; the search does not.
func upsertContact(in *input) action {
	in.need("locationId")
	in.location = in.text("locationId")
	given := Contact{Email: in.optional("email"), Phone: in.optional("phone"), Name: in.optional("name")}
	first, last := in.optional("firstName"), in.optional("lastName")
	given.Name = or(given.Name, strings.TrimSpace(first+" "+last))
	if given.Email != "" && !strings.Contains(given.Email, "@") {
		in.wrong = append(in.wrong, "email must be an email")
	}
	tags := take[[]string](in, "tags", "must be an array")
	if tags != nil {
		in.odd = append(in.odd, "tags overwrites all tags of the contact")
		given.Tags = *tags
	}
	for _, name := range []string{"address1", "city", "companyName", "country", "postalCode", "source", "state", "timezone", "website"} {
		in.optional(name) // the sandbox has no use for them
	}
	return func(s *Sandbox, _ *call) (reply, verdict) {
		status, kept := http.StatusOK, s.contacts.find(given.Email, given.Phone)
		if kept == nil {
			// Reported; the specification has 200 only.
			status, kept = http.StatusCreated, s.contacts.add(given, s.opts.Now().Add(s.api.SearchLag))
		} else {
			kept.merge(given)
			s.contacts.index(kept)
		}
		return reply{status, string(mustJSON(map[string]any{
			"new": status == http.StatusCreated, "contact": kept.ghl(s.api.LocationID), "traceId": "sandbox",
		}))}, verdict{}
	}
}

// optional is text that may be null.
func (in *input) optional(name string) string {
	if string(in.fields[name]) == "null" {
		delete(in.fields, name)
	}
	if text := in.text(name); text != nil {
		return *text
	}
	return ""
}

func (c *contact) merge(given Contact) {
	c.Email, c.Phone, c.Name = or(given.Email, c.Email), or(given.Phone, c.Phone), or(given.Name, c.Name)
	if given.Tags != nil {
		c.Tags = given.Tags
	}
}

// ghl is the contact as GHL shows it.
func (c *contact) ghl(location string) map[string]any {
	return map[string]any{
		"id": c.ID, "locationId": location, "email": c.Email, "phone": c.Phone,
		"contactName": c.Name, "tags": append([]string{}, c.Tags...),
	}
}
