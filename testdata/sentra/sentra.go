// Package sentra holds the SQL of a Sentra database: the source that the daemon runs beside, in the shape its installs
// have, with made-up rows. Demo, tests, benchmarks and docker-compose.yml all start from these files.
//
// Each text holds several statements and is sent as one simple query (pgx: Exec without arguments), by a role that may
// create roles. Schema comes first and expects an empty database; AppointmentColumn and Seed follow in either order.
//
// The package lies below testdata so that the SQL stays beside the other test material. The go command leaves such
// folders out of ./... patterns, yet imports of ghlsync/testdata/sentra build as any other.
package sentra

import _ "embed"

// Schema creates the tables clients and calendar_events with their constraints, update triggers and row level
// security, and the role authenticated where it is missing. The column ghl_appointment_id is not in it.
//
//go:embed schema.sql
var Schema string

// AppointmentColumn adds calendar_events.ghl_appointment_id, which some installs have and some do not.
//
//go:embed ghl_appointment_id.sql
var AppointmentColumn string

// Seed inserts four clients (ids 1 to 4) and ten events (ids event-1700000001.000001 to event-1700000010.000010) of
// all four types. Dates are reckoned from the day it is loaded, five of the events are onboarding or handover.
//
//go:embed seed.sql
var Seed string
