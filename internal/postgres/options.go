package postgres

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Options says what server Start makes. The zero value is a server for tests.
type Options struct {
	// Binaries are the programs to run; FindOrFetch chooses where Dir of it is empty.
	Binaries Binaries
	// Template, if not nil, is copied in place of an initdb. Its Binaries are used and the field above is ignored.
	Template *Template
	// Dir is an existing folder to make the server's own in. Empty: memory (/dev/shm) where the system has it and a
	// gibibyte is free there, else the system's temporary folder. Started as root, the server's user must be able to
	// pass through it. What needs much room, such as a benchmark, names a folder on disk.
	Dir string
	// Standby makes the server one of another's system, of which Template is a Copy. Settings name the other in
	// primary_conninfo.
	Standby bool
	// WALLevel is wal_level; empty: logical.
	WALLevel string
	// WALSegments is the size of WAL segments in MB, a power of two; 0: 1, the least. It takes an initdb, so no Template.
	WALSegments int
	// Settings are added to postgresql.conf, over the defaults and WALLevel. The port and the addresses are not
	// settings: they are the server's own.
	Settings map[string]string
}

// defaults are the settings of every server. Those of initdb hold for the rest, autovacuum among them.
var defaults = map[string]string{
	"fsync":                     "off",
	"synchronous_commit":        "on",
	"max_connections":           "200",
	"max_wal_senders":           "20",
	"max_replication_slots":     "20",
	"max_prepared_transactions": "10",
	// Segments have 1 MB here, from which initdb derives bounds that would checkpoint all the time under load.
	"min_wal_size":    "32MB",
	"max_wal_size":    "512MB",
	"log_checkpoints": "off",
	"log_timezone":    "UTC",
	"timezone":        "UTC",
}

var settingName = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)?$`)

// reserved are decided by Start and Restart on the command line, where a setting would not count.
var reserved = []string{"port", "listen_addresses", "unix_socket_directories"}

// configuration is the text that Start adds to postgresql.conf, where the last line for a name counts.
func (o Options) configuration() (string, error) {
	settings := maps.Clone(defaults)
	settings["wal_level"] = "logical"
	if o.WALLevel != "" {
		settings["wal_level"] = o.WALLevel
	}
	maps.Copy(settings, o.Settings)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := settings[name]
		if !settingName.MatchString(name) || slices.Contains(reserved, name) || strings.ContainsAny(value, "\n\r\x00") {
			return "", fmt.Errorf("setting %q cannot be %q here", name, value)
		}
		quoted := strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(value)
		fmt.Fprintf(&b, "%s = '%s'\n", name, quoted)
	}
	return b.String(), nil
}
