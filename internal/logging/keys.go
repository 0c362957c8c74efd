package logging

// Keys of attributes. Values are ids, words of ours, codes, numbers and times.
const (
	Component       = "component"        // which part of the daemon speaks
	Error           = "error"            // an error's text
	Mend            = "mend"             // what a person can do about it
	Reason          = "reason"           // why something is so: a code or a short phrase
	Event           = "event"            // sentra_event_id
	EventType       = "event_type"       // onboarding, handover
	Appointment     = "appointment"      // ghl_appointment_id
	Operation       = "operation"        // create, update, delete
	Delivery        = "delivery"         // delivery id of a call
	Outcome         = "outcome"          // of a call
	Code            = "code"             // error code of a call
	HTTPStatus      = "http_status"      // of an answer
	Slot            = "slot"             // replication slot
	Publication     = "publication"      // name of the publication
	LSN             = "lsn"              // a position in the WAL, X/Y
	ConsistentPoint = "consistent_point" // of a snapshot, X/Y
	Epoch           = "epoch"            // of versions
	Rows            = "rows"             // a count of rows
	Count           = "count"            // of anything else
	Held            = "held"             // retractions that the fuse holds
	Phase           = "phase"            // of capture
	Addr            = "addr"             // an address that is listened on
	Method          = "method"           // of an HTTP request
	Path            = "path"             // of an HTTP route, never with an id in it
	Duration        = "duration"         // how long something took
	Version         = "version"          // of this program
	Variable        = "variable"         // name of a setting
)
