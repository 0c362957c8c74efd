package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// index is the page at / for those who do not ask for HTML.
const index = `GHL sandbox

POST   /hooks/{location}/webhook-trigger/{id}   the workflow webhook; any location and id will do
…      /calendars/…, /contacts/…                calendar API v2: this address is its base URL; unless set otherwise the
                                                token is pit-sandbox, the location sandboxLocation, and the calendars are
                                                calOnboarding and calHandover
GET    /sandbox/api                             token, location, calendars, quota of the calendar API
PUT    /sandbox/api                             set some of them: {"quota":{"burst":100,"interval":"10s"},"slot_conflicts":true}
GET    /sandbox/contacts                        the contacts; POST adds a list of them: [{"email":"…","phone":"…"}]
GET    /sandbox/appointments                    the appointment book; ?sentra_event_id=ID for one event
DELETE /sandbox/appointments/{id}               as a person deletes one in GHL
PATCH  /sandbox/appointments/{id}               as a person changes one: {"status":"showed"} or {"start":"…","end":"…"}
GET    /sandbox/requests?after=N&limit=M        the request log behind number N
GET    /sandbox/requests/{N}                    one request of it
GET    /sandbox/stats                           counts
GET    /sandbox/violations                      what differed from the guide or the specification
GET    /sandbox/faults                          the fault rules in force
PUT    /sandbox/faults                          set them: a rule, a list of rules, or {"seed":1,"rules":[…]}
DELETE /sandbox/faults                          all is well again
POST   /sandbox/reset                           empty everything

A fault rule, all of it optional, the first that fires decides:
  which requests   "call": "webhook" | "create_appointment" | "update_appointment" | "get_appointment" |
                     "delete_appointment" | "list_events" | "get_calendar" | "search_contact" | "upsert_contact",
                   "operation": "created" | "updated" | "deleted", "event": "ID"
  how often        "count": 3, "probability": 0.1
  delays           "delay_before": "200ms", "delay_after": "2s"   (before and after the book changes)
  effect           "effect": one of
    status (with "status", "retry_after", "body"), failure (with "code"), draft, redirect (with "location"),
    real, older, malformed, cut, drop_before, drop_after ("reset": true for a TCP reset),
    hang_before, hang_after, hang_then_act (with "act_after")
  the book         "act": "yes" | "no" where the effect's name does not say

  curl -X PUT --data '{"status":503,"retry_after":"2","count":3}' http://HOST/sandbox/faults
`

func (s *Sandbox) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{location}/webhook-trigger/{id}", s.serveHook)
	s.calendarRoutes(mux)
	s.pageRoutes(mux)
	mux.HandleFunc("GET /sandbox/appointments", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, s.AppointmentsOf(r.FormValue("sentra_event_id")))
	})
	mux.HandleFunc("DELETE /sandbox/appointments/{id}", s.serveRemove)
	mux.HandleFunc("GET /sandbox/requests", s.serveRequests)
	mux.HandleFunc("GET /sandbox/requests/{number}", s.serveRequest)
	mux.HandleFunc("GET /sandbox/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Stats()) })
	mux.HandleFunc("GET /sandbox/violations", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Violations()) })
	mux.HandleFunc("GET /sandbox/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Faults()) })
	mux.HandleFunc("PUT /sandbox/faults", s.serveSetFaults)
	mux.HandleFunc("DELETE /sandbox/faults", s.serveClearFaults)
	mux.HandleFunc("POST /sandbox/reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (s *Sandbox) serveRemove(w http.ResponseWriter, r *http.Request) {
	if id := r.PathValue("id"); !s.Remove(id) {
		http.Error(w, fmt.Sprintf("no appointment %q in the book", id), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) serveRequests(w http.ResponseWriter, r *http.Request) {
	var numbers [2]int64
	for i, name := range []string{"after", "limit"} {
		value := r.FormValue(name)
		if value == "" {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 0 {
			http.Error(w, fmt.Sprintf("%s=%q is not a number of 0 or more", name, value), http.StatusBadRequest)
			return
		}
		numbers[i] = n
	}
	writeJSON(w, s.RequestsAfter(numbers[0], int(numbers[1])))
}

func (s *Sandbox) serveRequest(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	found := s.RequestsAfter(n-1, 1)
	if err != nil || len(found) == 0 || found[0].Number != n {
		http.Error(w, fmt.Sprintf("no request %q in the log", r.PathValue("number")), http.StatusNotFound)
		return
	}
	writeJSON(w, found[0])
}

func (s *Sandbox) serveSetFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "faults were cut or are too large", http.StatusBadRequest)
		return
	}
	var f Faults
	if err := json.Unmarshal(body, &f); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.Set(f); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, s.Faults())
}

func (s *Sandbox) serveClearFaults(w http.ResponseWriter, _ *http.Request) {
	if err := s.Set(Faults{}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // who has left does not hear it; our own types always have an encoding
}
