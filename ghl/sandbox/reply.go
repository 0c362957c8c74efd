package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"ghlsync/ghl"
)

// reply gives the answer of the fault, or the guide's.
func (s *Sandbox) reply(w http.ResponseWriter, r *http.Request, c *call, v verdict) {
	f := c.fault
	switch f.Effect {
	case EffectDropAfter:
		s.drop(w, c)
	case EffectHangAfter, EffectHangThenAct:
		s.hang(r.Context())
		s.drop(w, c)
	case EffectCut:
		s.cut(w, c, c.ordinary(v).body)
	case EffectStatus:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		s.answer(w, c, f.Status, or(f.Body, fmt.Sprintf(`{"statusCode":%d,"message":%q}`, f.Status, http.StatusText(f.Status))))
	case EffectRedirect:
		w.Header().Set("Location", or(f.Location, "/hooks/elsewhere/webhook-trigger/elsewhere"))
		s.answer(w, c, f.Status, or(f.Body, "moved"))
	default:
		given := c.ordinary(v)
		s.answer(w, c, given.status, or(effectBody(c, v), given.body))
	}
}

// ordinary is the answer where nothing goes wrong.
func (c *call) ordinary(v verdict) reply {
	if c.api == nil {
		return reply{http.StatusOK, guideBody(c.operation, v, "appointment_id")}
	}
	if c.api.done.status == 0 { // not acted on
		return reply{http.StatusOK, "{}"}
	}
	return c.api.done
}

// effectBody gives the body of the effects that replace no more than that;
// empty otherwise.
func effectBody(c *call, v verdict) string {
	switch c.fault.Effect {
	case EffectFailure:
		return failureBody(c.fault.Code, "The workflow could not do it")
	case EffectDraft:
		return `{"status":"Success: test request received"}`
	case EffectReal:
		// Twenty characters, as GHL's execution ids have.
		return fmt.Sprintf(`{"status":"Success: request sent to trigger execution server","id":"exec%016d"}`, c.entry.Number)
	case EffectOlder:
		return guideBody(c.operation, v, "ghl_appointment_id")
	case EffectMalformed:
		return or(c.fault.Body, "<html><body>OK</body></html>")
	}
	return ""
}

var messages = map[ghl.Operation]string{
	ghl.Created: "Appointment created successfully",
	ghl.Updated: "Appointment updated successfully",
	ghl.Deleted: "Appointment deleted successfully",
}

// guideBody is the guide's answer, with the id under the given name. A success
// of a request that was not acted on has no id.
func guideBody(op ghl.Operation, v verdict, name string) string {
	if v.code != "" {
		return failureBody(v.code, "Appointment not found in GHL")
	}
	if v.id == "" {
		return `{"success":true,"message":"Request received"}`
	}
	return fmt.Sprintf(`{"success":true,%q:%s,"message":%q}`, name, jsonString(v.id), messages[op])
}

// answer ends a request with a whole answer.
func (s *Sandbox) answer(w http.ResponseWriter, c *call, status int, body string) {
	s.conclude(c, status, body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // who has left does not hear it
}

// drop closes the connection without an answer.
func (s *Sandbox) drop(w http.ResponseWriter, c *call) {
	s.conclude(c, 0, "")
	conn := takeOver(w)
	if tcp, ok := conn.(*net.TCPConn); ok && c.fault.Reset {
		_ = tcp.SetLinger(0) // a failure means that the connection is gone already
	}
	_ = conn.Close() // likewise
}

// cut sends half of an answer that announces its whole length.
func (s *Sandbox) cut(w http.ResponseWriter, c *call, body string) {
	half := body[:len(body)/2]
	s.conclude(c, 0, half)
	conn := takeOver(w)
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), half)
	_ = conn.Close() // the client may have left before either
}

// takeOver gives the connection below a request. Where the server has none to
// give, net/http's own way to break it off is left.
func takeOver(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}

func or(given, otherwise string) string {
	if given != "" {
		return given
	}
	return otherwise
}

func jsonString(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has an encoding
	}
	return b
}
