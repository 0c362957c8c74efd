package doctor_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/config"
	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/testdata/sentra"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience bounds the wait for what a server does in its own time.
const patience = 20 * time.Second

// rig is a Sentra, a GHL and the settings of a daemon between them, with nothing
// wrong.
type rig struct {
	db      *pgtest.DB
	role    string
	ghl     *sandbox.Sandbox
	env     map[string]string
	options doctor.Options
}

func newRig(t *testing.T, db *pgtest.DB) *rig {
	t.Helper()
	r := &rig{db: db, ghl: sandbox.New(sandbox.Options{})}
	db.Exec(t, sentra.Seed)
	var url string
	r.role, url = db.Role(t, "login replication bypassrls")
	db.Exec(t, fmt.Sprintf(`GRANT pg_monitor TO %[1]s; GRANT SELECT ON calendar_events TO %[1]s;
		GRANT SELECT (id, name, business_name, email, phone) ON clients TO %[1]s;
		CREATE PUBLICATION %[2]s FOR TABLE calendar_events WITH (publish_via_partition_root = true)`, r.role, db.Name))
	if err := r.ghl.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.ghl.Close)
	r.env = map[string]string{
		"SENTRA_DATABASE_URL": url,
		"CDC_SLOT":            db.Name,
		"CDC_PUBLICATION":     db.Name,
		"STATE_URL":           "sqlite:" + filepath.Join(t.TempDir(), "state.db"),
		"GHL_WEBHOOK_URL":     r.ghl.WebhookURL(),
	}
	return r
}

// examine runs the doctor and gives its results by name.
func (r *rig) examine(t *testing.T) map[string]doctor.Result {
	t.Helper()
	o := r.options
	o.Environment = config.FromMap(r.env)
	report := doctor.Run(t.Context(), o)
	results := make(map[string]doctor.Result)
	for _, c := range report.Checks {
		results[c.Name] = c
	}
	return results
}

// expect examines and checks how one check ends.
func (r *rig) expect(t *testing.T, check string, want doctor.Status) doctor.Result {
	t.Helper()
	got := r.examine(t)[check]
	if got.Status != want {
		t.Fatalf("%s: %+v, want %s", check, got, want)
	}
	return got
}

// await examines until a check ends as wanted: a server takes a new setting in its
// own time.
func (r *rig) await(t *testing.T, check string, want doctor.Status) doctor.Result {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := r.examine(t)[check]
		if got.Status == want {
			return got
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s stays %+v, want %s", check, got, want)
		}
	}
}

var setting = regexp.MustCompile(`^set ([A-Z_]+)=(.*)$`)

// mend does what a result says, exactly.
func (r *rig) mend(t *testing.T, result doctor.Result) {
	t.Helper()
	for _, sql := range result.SQL {
		r.db.Exec(t, sql)
	}
	if m := setting.FindStringSubmatch(result.Mend); m != nil {
		r.env[m[1]] = m[2]
	} else if len(result.SQL) == 0 {
		t.Fatalf("nothing to do in %+v", result)
	}
}

// plant makes something wrong. {role} and {name} stand for the rig's, and ;; parts
// what cannot be sent in one.
func (r *rig) plant(t *testing.T, sql string, env map[string]string) {
	t.Helper()
	for statement := range strings.SplitSeq(strings.NewReplacer("{role}", r.role, "{name}", r.db.Name).Replace(sql), ";;") {
		r.db.Exec(t, statement)
	}
	maps.Copy(r.env, env)
}

// fault is something wrong that a check has to find, with a mend that works.
type fault struct {
	name, check string
	status      doctor.Status
	sql         string // see plant
	env         map[string]string
	before      doctor.Status // how the check ends before; "": ok
	says        string        // a part of the detail
	since       int           // the major versions of Postgres that have it; 0: all
	until       int
}

// prove plants the fault, has it found, mends it as printed, and sees the check
// well.
func (f fault) prove(t *testing.T, r *rig) {
	t.Helper()
	if f.before == "" {
		f.before = doctor.OK
	}
	r.expect(t, f.check, f.before)
	r.plant(t, f.sql, f.env)
	found := r.await(t, f.check, f.status)
	if !strings.Contains(found.Detail, f.says) {
		t.Errorf("%q does not say %q", found.Detail, f.says)
	}
	r.mend(t, found)
	r.await(t, f.check, doctor.OK)
}
