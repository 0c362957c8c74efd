// Package dump writes all of a state to a stream and reads it into another, of
// whatever backend: a backup, and the way from SQLite to PostgreSQL and back.
//
// The stream is lines of JSON. The first is a [Header]; then comes one line for each
// [state.Content], with times in UTC to the microsecond and bodies in base64; the
// last has how many there were of each kind, and the SHA-256 of all bytes before it:
//
//	{"header":{"format":"ghlsync state","schema":1,"source":"sqlite","program":"v1.4.0","exported_at":"2026-03-04T10:00:00Z"}}
//	{"checkpoint":{"slot":"ghlsync","end_lsn":23836488,"epoch":1,…}}
//	{"delivery":{"last_attempt_at":"2026-03-04T09:59:58.5Z"}}
//	{"mapping":{"sentra_event_id":"event-1","wanted":"present",…}}
//	{"end":{"checkpoints":1,"retired":0,"mappings":1,"attempts":0,"paused":false,"sha256":"…"}}
//
// What it promises:
//
//   - [Write] shows one moment of the state, whoever works on it meanwhile. Calls in
//     flight are written as such: the daemon that starts on them takes them for calls
//     of unknown outcome, as after a crash.
//   - [Read] stores all or nothing, in one [state.Tx], and only where nothing is. It
//     refuses a stream that was cut off or changed in one byte, or that a newer ghlsync
//     wrote. A crash leaves nothing.
//   - Neither needs more memory for more rows.
//   - What a stream holds is client data. None of it is in an error.
//
// The fields of the rows are those of package state's types, so none can be left out
// here; package statetest exports from each backend and imports into it. A field that
// is added there needs no change here if its zero value means what older rows mean;
// then, and else, [Schema] rises by one.
package dump
