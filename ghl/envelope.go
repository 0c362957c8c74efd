package ghl

import (
	"bytes"
	"encoding/json"
)

// The values of reference_mapping.sync_status in a body. They tell GHL what
// the mapping is from its side: pending until the create is acknowledged.
const (
	syncPending = "pending"
	syncSynced  = "synced"
)

// Envelope builds the webhook body of the guide:
//
//	{"event_type":…,"event_data":{…},"reference_mapping":{"sentra_event_id":…,"ghl_appointment_id":…,"sync_status":…}}
//
// eventData is the encoded event_data object of a create or an update and is
// taken over as it is; without one (always, for a delete) event_data holds the
// id alone. ghl_appointment_id is left out while unknown, and in a create,
// which has none by definition. The same arguments give the same bytes, so a
// hash of the body identifies the call.
func Envelope(op Operation, eventID, appointmentID string, eventData []byte) []byte {
	id := quote(eventID)
	var b bytes.Buffer
	b.Grow(len(eventData) + 2*len(id) + len(appointmentID) + 192)
	b.WriteString(`{"event_type":`)
	b.Write(quote(string(op)))
	b.WriteString(`,"event_data":`)
	if op == Deleted || len(eventData) == 0 {
		b.WriteString(`{"sentra_event_id":`)
		b.Write(id)
		b.WriteByte('}')
	} else {
		b.Write(eventData)
	}
	b.WriteString(`,"reference_mapping":{"sentra_event_id":`)
	b.Write(id)
	status := syncSynced
	if op == Created {
		status = syncPending
	} else if appointmentID != "" {
		b.WriteString(`,"ghl_appointment_id":`)
		b.Write(quote(appointmentID))
	}
	b.WriteString(`,"sync_status":"` + status + `"}}`)
	return b.Bytes()
}

// quote encodes a JSON string as it reads, <, > and & included: receivers
// compare ids as text and people read bodies.
func quote(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		// Encoding a string into memory cannot fail; a body with a hole must not leave.
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Encode is [Envelope]: the webhook's body is the same for every webhook.
func (w *Webhook) Encode(op Operation, eventID, appointmentID string, eventData []byte) []byte {
	return Envelope(op, eventID, appointmentID, eventData)
}
