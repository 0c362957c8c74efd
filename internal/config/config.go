package config

import (
	"time"

	// Time zones must load in an image without /usr/share/zoneinfo.
	_ "time/tzdata"
)

// Config holds every setting, checked as far as the Needs of Load ask for. The
// tags are the one list of names and defaults:
//
//   - env is go-envconfig's: the name and the default;
//   - need names the Need under which the variable is checked;
//   - show says how Redacted shows it: not at all ("secret"), or scheme and
//     host alone ("url");
//   - file:"true" allows the value in a file, which the variable with _FILE at the
//     end of its name names;
//   - empty:"value" keeps an explicitly empty variable from meaning 'not set'.
type Config struct {
	Sentra Sentra
	CDC    CDC
	State  State
	GHL    GHL
	HTTP   HTTP
	Log    Log

	settings []Setting
}

// Sentra is the source.
type Sentra struct {
	// DatabaseURL is a connection string for a direct, unpooled connection, as a
	// URL or in keyword/value form.
	DatabaseURL Secret `env:"SENTRA_DATABASE_URL" need:"database" show:"url" file:"true"`
	// Tables are 'schema.table', in the spelling of SQL.
	EventsTable  string `env:"SENTRA_EVENTS_TABLE,default=public.calendar_events" need:"objects"`
	ClientsTable string `env:"SENTRA_CLIENTS_TABLE,default=public.clients" need:"objects"`
	// EventTypes are the values of the column type that go to GHL.
	EventTypes EventTypes `env:"SENTRA_EVENT_TYPES,default=onboarding,handover" need:"objects"`
	Timezone   Timezone   `env:"SENTRA_TIMEZONE,default=UTC" need:"source"`
	// EchoPattern finds the id of an appointment that was booked in GHL in an
	// event's description.
	EchoPattern Pattern  `env:"SENTRA_ECHO_PATTERN,default=(?m)^Appointment ID:\\s*(\\S+)" need:"source" empty:"value"`
	Backfill    Backfill `env:"SENTRA_BACKFILL,default=none" need:"source"`
}

// CDC is the capture: slot and publication in the source's database.
type CDC struct {
	Slot        string `env:"CDC_SLOT,default=ghlsync" need:"slot"`
	Publication string `env:"CDC_PUBLICATION,default=ghlsync" need:"objects"`
	// Create makes publication and slot where they are missing; false only says how.
	Create bool `env:"CDC_CREATE,default=true" need:"source"`
	// SlotFailover marks a slot made by us for failover; Postgres 17 and later.
	SlotFailover bool       `env:"CDC_SLOT_FAILOVER,default=false" need:"objects"`
	OnSlotLoss   OnSlotLoss `env:"CDC_ON_SLOT_LOSS,default=resync" need:"source"`
	// Canary is how often a logical message goes through the stream; 0: never.
	Canary time.Duration `env:"CDC_CANARY,default=30s" need:"source"`
	// WALBudget is how much WAL the slot may hold back by the operator's word; 0:
	// the server's limit alone counts.
	WALBudget Bytes `env:"CDC_WAL_BUDGET" need:"source"`
}

// State is where mappings and checkpoint are kept.
type State struct {
	URL StateURL `env:"STATE_URL,default=sqlite:ghlsync.db" need:"state" show:"url" file:"true"`
}

// GHL is the target and how it is called.
type GHL struct {
	Mode Mode `env:"GHL_MODE,default=webhook" need:"ghl"`
	// WebhookURL has passed ghl.ParseWebhookURL. Empty with GHL_MODE=api.
	WebhookURL Secret `env:"GHL_WEBHOOK_URL" need:"ghl" show:"url" file:"true"`
	// WebhookEnabled false captures and keeps what is wanted, and delivers nothing.
	WebhookEnabled bool `env:"GHL_WEBHOOK_ENABLED,default=true" need:"ghl"`

	// These belong to GHL_MODE=api.
	APIToken             Secret `env:"GHL_API_TOKEN" need:"ghl" show:"secret" file:"true"`
	LocationID           string `env:"GHL_LOCATION_ID" need:"ghl"`
	OnboardingCalendarID string `env:"GHL_ONBOARDING_CALENDAR_ID" need:"ghl"`
	HandoverCalendarID   string `env:"GHL_HANDOVER_CALENDAR_ID" need:"ghl"`
	APIURL               string `env:"GHL_API_URL,default=https://services.leadconnectorhq.com" need:"ghl" show:"url"` // has passed ghl.ParseAPIURL
	CreateContacts       bool   `env:"GHL_CREATE_CONTACTS,default=false" need:"ghl"`
	AssignedUserID       string `env:"GHL_ASSIGNED_USER_ID" need:"ghl"`
	// IgnoreFreeSlot: Sentra's calendar decides what is free, not GHL's.
	IgnoreFreeSlot      bool   `env:"GHL_IGNORE_FREE_SLOT,default=true" need:"ghl"`
	Notify              bool   `env:"GHL_NOTIFY,default=false" need:"ghl"`
	MeetingLocationType string `env:"GHL_MEETING_LOCATION_TYPE" need:"ghl"`

	Rate  Rate `env:"GHL_RATE,default=8/s" need:"ghl"`
	Burst int  `env:"GHL_BURST,default=20" need:"ghl"`
	// Settle is how long after its end a call of unknown outcome is left alone.
	Settle      time.Duration `env:"GHL_SETTLE,default=60s" need:"ghl"`
	Concurrency int           `env:"GHL_CONCURRENCY,default=8" need:"ghl"`
	Timeout     time.Duration `env:"GHL_TIMEOUT,default=15s" need:"ghl"`
	RetryBase   time.Duration `env:"GHL_RETRY_BASE,default=1s" need:"ghl"`
	RetryCap    time.Duration `env:"GHL_RETRY_CAP,default=5m" need:"ghl"`
	// AppPublicKey is that of GHL's marketplace; none: no endpoint for an app.
	AppPublicKey PublicKey `env:"GHL_APP_PUBLIC_KEY" need:"ghl" show:"secret" file:"true"`
	// Drift is what becomes of appointments that somebody else changed.
	Drift Drift `env:"GHL_DRIFT,default=report" need:"ghl"`
	// DeleteFuse is how many retractions in a minute are too many; 0 is off.
	DeleteFuse int `env:"GHL_DELETE_FUSE,default=50" need:"ghl"`
}

// Calendars gives the calendar of each event type that has one in GHL_MODE=api.
func (g GHL) Calendars() map[string]string {
	return map[string]string{"onboarding": g.OnboardingCalendarID, "handover": g.HandoverCalendarID}
}

// HTTP is the daemon's own server.
type HTTP struct {
	Addr  string `env:"HTTP_ADDR,default=127.0.0.1:8089" need:"http"`
	Token Secret `env:"HTTP_TOKEN" need:"http" show:"secret" file:"true"`
	// CallbackSecret empty: no callback endpoint.
	CallbackSecret Secret `env:"CALLBACK_SECRET" need:"http" show:"secret" file:"true"`
}

// Log is how the daemon speaks.
type Log struct {
	Level  LogLevel  `env:"LOG_LEVEL,default=info" need:"log"`
	Format LogFormat `env:"LOG_FORMAT,default=auto" need:"log"`
}
