package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/bookcheck"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state/sqlite"
	"ghlsync/testdata/sentra"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience bounds every wait. It is long, since a machine may be busy; nothing
// waits for it when all is well.
const patience = 60 * time.Second

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ghlsync-e2e-")
	if err != nil {
		return "", err
	}
	if err := dependOnSources("../.."); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ghlsync")
	out, err := exec.Command("go", "build", "-o", path, "ghlsync/cmd/ghlsync").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// dependOnSources looks at every source file, so that 'go test' takes no result
// from its cache that is of another binary: it knows the files that a test looked
// at, and not those that a command built from.
func dependOnSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".sql" {
			return err
		}
		_, err = os.Stat(path)
		return err
	})
}

// rig is a Sentra, a GHL and the place for a daemon between them.
type rig struct {
	t    *testing.T
	db   *pgtest.DB
	ghl  *sandbox.Sandbox
	dir  string
	env  map[string]string
	proc *process
	all  []*process // that were launched
}

// serial numbers what must be unique in the whole run.
var serial atomic.Int64

// newRig starts all but the daemon. Settings are quick ones, for tests.
func newRig(t *testing.T, env ...string) *rig {
	t.Helper()
	return newRigOn(t, pgtest.Database(t), env...)
}

// newRigOn is newRig on a given database.
func newRigOn(t *testing.T, db *pgtest.DB, env ...string) *rig {
	t.Helper()
	r := &rig{t: t, db: db, ghl: sandbox.New(sandbox.Options{}), dir: t.TempDir()}
	if db.QueryString(t, "SELECT count(*)::text FROM clients") == "0" {
		db.Exec(t, sentra.Seed)
	}
	if err := r.ghl.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.ghl.Close)
	r.env = map[string]string{
		"SENTRA_DATABASE_URL": r.db.URL,
		"CDC_SLOT":            "ghlsync_" + r.db.Name,
		"STATE_URL":           "sqlite:" + filepath.Join(r.dir, "state.db"),
		"GHL_WEBHOOK_URL":     r.ghl.WebhookURL(),
		"GHL_RATE":            "5000/s",
		"GHL_BURST":           "1000",
		"GHL_SETTLE":          "300ms",
		"GHL_TIMEOUT":         "2s",
		"GHL_RETRY_BASE":      "50ms",
		"GHL_RETRY_CAP":       "500ms",
		"GHL_DELETE_FUSE":     "0",
		"SENTRA_BACKFILL":     "all",
		"HTTP_ADDR":           "127.0.0.1:0",
		"LOG_FORMAT":          "json",
	}
	r.set(env...)
	return r
}

// set changes settings for the next start: "NAME=value".
func (r *rig) set(env ...string) {
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		r.env[name] = value
	}
}

// faults puts rules in force at GHL; none takes all away.
func (r *rig) faults(rules ...sandbox.Rule) {
	r.t.Helper()
	if err := r.ghl.Set(sandbox.Faults{Seed: 1, Rules: rules}); err != nil {
		r.t.Fatal(err)
	}
}

// process is one run of the binary.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *output
	done   chan struct{}
}

// output collects what a process prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// command prepares the binary with the rig's settings and nothing else of the
// environment.
func (r *rig) command(args ...string) *exec.Cmd {
	r.t.Helper()
	path, err := binary()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = r.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir}
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// run runs a command to its end.
func (r *rig) run(args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	cmd := r.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// launch starts the daemon without waiting for anything.
func (r *rig) launch() *process {
	r.t.Helper()
	p := &process{t: r.t, cmd: r.command("run"), stderr: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stderr, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is read from ProcessState
	}()
	r.t.Cleanup(func() {
		p.kill()
		if r.t.Failed() && p == r.proc {
			r.t.Logf("daemon said:\n%s", tail(p.stderr.String(), 6000))
		}
	})
	r.proc, r.all = p, append(r.all, p)
	return p
}

// start starts the daemon and waits until it streams.
func (r *rig) start() *process {
	r.t.Helper()
	p := r.launch()
	r.ready()
	return p
}

// ready waits until the daemon streams.
func (r *rig) ready() {
	r.t.Helper()
	r.until("the daemon streams", func() bool {
		select {
		case <-r.proc.done:
			r.t.Fatalf("daemon ended with code %d:\n%s", r.proc.cmd.ProcessState.ExitCode(), tail(r.proc.stderr.String(), 4000))
		default:
		}
		addr := r.addr()
		if addr == "" {
			return false
		}
		resp, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode == http.StatusOK
	})
}

// addr is where the running daemon's HTTP server listens, "" before it does.
func (r *rig) addr() string {
	if url := r.env["STATE_URL"]; strings.HasPrefix(url, "postgres") {
		return r.capturer().HTTPAddr
	}
	h, held, err := sqlite.Holder(strings.TrimPrefix(r.env["STATE_URL"], "sqlite:"))
	if err != nil || !held {
		return ""
	}
	return h.HTTPAddr
}

// kill ends the process as a power cut would, and waits for its end.
func (p *process) kill() {
	select {
	case <-p.done:
		return
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	<-p.done
}

// stop asks the process to end, and returns its exit code and how long it took.
func (p *process) stop() (code int, took time.Duration) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("daemon does not stop")
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// wait waits for the process to end by itself.
func (p *process) wait() (code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("daemon still runs:\n%s", tail(p.stderr.String(), 4000))
	}
	return p.cmd.ProcessState.ExitCode()
}

// until polls a condition with a deadline.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	poll(r.t, what, ok)
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// status is the document of 'status --json', from the running daemon.
type status struct {
	Health     string   `json:"health"`
	Reasons    []string `json:"reasons"`
	Checkpoint struct {
		LSN string `json:"lsn"`
	} `json:"checkpoint"`
	Mappings struct {
		Total, Synced, Pending, Failed, Held, Assumed int
	} `json:"mappings"`
	Delivery struct {
		Enabled  bool   `json:"enabled"`
		Paused   bool   `json:"paused"`
		Breaker  string `json:"breaker"`
		InFlight int    `json:"in_flight"`
		Quota    *struct {
			DailyMax       int `json:"daily_max"`
			DailyRemaining int `json:"daily_remaining"`
		} `json:"quota"`
	} `json:"delivery"`
}

func (r *rig) status() status {
	r.t.Helper()
	var s status
	resp, err := http.Get("http://" + r.addr() + "/api/v1/status")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// caughtUp waits until everything that Sentra committed before the call is
// durable in the state and nothing is left to send.
func (r *rig) caughtUp() {
	r.t.Helper()
	r.captured()
	r.until("nothing is pending", func() bool {
		s := r.status()
		return s.Mappings.Pending == s.Mappings.Held && s.Delivery.InFlight == 0
	})
}

// captured waits until everything that Sentra committed before the call is
// durable in the state. The stream is in the order of commits, so an event that
// is inserted now and known to the state tells. It is moved out of scope again.
func (r *rig) captured() {
	r.t.Helper()
	id := fmt.Sprintf("marker-%d", serial.Add(1))
	r.insert(id, "onboarding", "marker")
	r.until("the state knows "+id, func() bool { return r.mapping(id) != nil })
	r.db.Exec(r.t, "DELETE FROM calendar_events WHERE id = $1", id)
	r.until("the state retracts "+id, func() bool {
		m := r.mapping(id)
		return m == nil || m.Wanted == "absent"
	})
}

// insert adds an event of the seed's first client.
func (r *rig) insert(id, typ, title string) {
	r.t.Helper()
	r.db.Exec(r.t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		VALUES ($1, 1, $2, '2030-05-01', '2030-05-01', '10:00', '11:00', 'Described', $3)`, id, title, typ)
}

// mapping is what the running daemon says of one event; nil if it knows none.
type mapping struct {
	ID            string  `json:"sentra_event_id"`
	AppointmentID *string `json:"ghl_appointment_id"`
	Status        string  `json:"sync_status"`
	Error         *string `json:"sync_error"`
	Wanted        string  `json:"wanted"`
	Attempts      int     `json:"attempts"`
}

func (r *rig) mapping(id string) *mapping {
	r.t.Helper()
	resp, err := http.Get("http://" + r.addr() + "/api/v1/mappings/" + url.PathEscape(id))
	if err != nil {
		return nil // the daemon is starting or was killed: the caller polls
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	var m mapping
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		r.t.Fatal(err)
	}
	return &m
}

// same checks that the appointment book is equal to Sentra, and that the sandbox
// never got what it must not get.
func (r *rig) same() {
	r.t.Helper()
	for _, d := range r.differences() {
		r.t.Error(d)
	}
	stats := r.ghl.Stats()
	if stats.Violations > 0 || stats.MaxInFlightPerEvent > 1 {
		r.t.Errorf("%d violations, up to %d calls in flight for one event", stats.Violations, stats.MaxInFlightPerEvent)
	}
}

// differences compares the appointment book with Sentra.
func (r *rig) differences() []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	result, err := bookcheck.Compare(ctx, r.db.Conn(r.t), r.ghl.URL())
	if err != nil {
		r.t.Fatal(err)
	}
	return result.Differences
}

// containsID reports whether a JSON array of mappings has the event.
func containsID(document, id string) bool {
	var mappings []mapping
	if err := json.Unmarshal([]byte(document), &mappings); err != nil {
		return false
	}
	return slices.ContainsFunc(mappings, func(m mapping) bool { return m.ID == id })
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
