package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ghlsync/cdc"
)

// Status is how a step ended.
type Status string

// It was so already, was done now, or is left to somebody else.
const (
	Already Status = "already"
	Done    Status = "done"
	Left    Status = "left"
)

// Result is the end of one step.
type Result struct {
	Name   string   `json:"name"`
	Status Status   `json:"status"`
	Why    string   `json:"why,omitempty"` // why it is left
	SQL    []string `json:"sql,omitempty"` // what does it, where it is left
}

// Report is what became of all steps.
type Report struct {
	Done  bool     `json:"done"` // nothing is left
	Steps []Result `json:"steps"`
}

// Run does every step that the connected role has the right to, on the database of
// t.Source.URL. An error says that it could not go on; the report tells what was
// done before.
func Run(ctx context.Context, t Target) (r Report, err error) {
	survey, err := cdc.Look(ctx, t.Source)
	if err != nil {
		return r, err
	}
	t.Version, t.Database, t.WALLevel = survey.ServerVersion, survey.Database, survey.WALLevel
	conn, err := connect(ctx, t.Source.URL)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	r.add(t.walResult())
	steps, err := t.roleSteps()
	if err != nil {
		return r, err
	}
	for _, s := range steps {
		result, err := perform(ctx, conn, s)
		if err != nil {
			return r, err
		}
		r.add(result)
	}
	if err := t.replicate(ctx, conn, survey, &r); err != nil {
		return r, err
	}
	r.Done = true
	for _, s := range r.Steps {
		r.Done = r.Done && s.Status != Left
	}
	return r, nil
}

func (r *Report) add(result Result) { r.Steps = append(r.Steps, result) }

func (t Target) walResult() Result {
	r := Result{Name: "wal_level", Status: Already}
	if t.WALLevel != "logical" {
		r.Status, r.Why = Left, fmt.Sprintf("it is %s, and needs a restart of the server (hosted: the provider's switch)", t.WALLevel)
		r.SQL = []string{"ALTER SYSTEM SET wal_level = 'logical';"}
	}
	return r
}

// replicate makes publication and slot, unless something is in the way that a
// person has to mend.
func (t Target) replicate(ctx context.Context, conn *pgx.Conn, survey cdc.Survey, r *Report) error {
	publication, err := t.publicationStep()
	if err != nil {
		return err
	}
	for _, find := range survey.Findings {
		r.add(Result{Name: find.Code, Status: Left, Why: find.Problem + ": " + find.Mend, SQL: find.SQL})
	}
	if len(survey.Findings) > 0 {
		return nil
	}
	result, err := perform(ctx, conn, publication)
	if err != nil {
		return err
	}
	if result.Status == Left {
		// Without the text around it, for whoever has to run it.
		result.SQL = []string{t.Source.PublicationSQL()}
		if survey.Publication != nil {
			result.SQL = []string{t.Source.AddTableSQL()}
		}
	}
	r.add(result)
	slot := t.slotStep()
	if result.Status == Left || t.WALLevel != "logical" {
		r.add(Result{Name: slot.name, Status: Left, Why: "publication and wal_level come first; the daemon makes the slot itself", SQL: []string{t.Source.SlotSQL(t.Version)}})
		return nil
	}
	if result, err = perform(ctx, conn, slot); err != nil {
		return err
	}
	r.add(result)
	return nil
}

// perform looks whether a step is done, does it, and looks again.
func perform(ctx context.Context, conn *pgx.Conn, s step) (Result, error) {
	result := Result{Name: s.name, Status: Already}
	there, err := holds(ctx, conn, s)
	if err != nil || there {
		return result, err
	}
	result.Status = Done
	for _, sql := range s.sql {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return left(result, s, err)
		}
	}
	// A GRANT by somebody without the right to it succeeds with a warning.
	if there, err = holds(ctx, conn, s); err == nil && !there {
		result.Status, result.Why, result.SQL = Left, "the connected role has no right to give this", s.sql
	}
	return result, err
}

// left tells what the server will not let us do from what went wrong.
func left(result Result, s step, err error) (Result, error) {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return result, fmt.Errorf("%s: %w", s.name, err)
	}
	result.Status, result.Why, result.SQL = Left, refused.Message, s.sql
	return result, nil
}

// undefinedObject is what a privilege function says of a role that is not there.
const undefinedObject = "42704"

func holds(ctx context.Context, conn *pgx.Conn, s step) (bool, error) {
	var there *bool
	err := conn.QueryRow(ctx, s.there).Scan(&there)
	var refused *pgconn.PgError
	if errors.Is(err, pgx.ErrNoRows) || errors.As(err, &refused) && refused.Code == undefinedObject {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.name, err)
	}
	return there != nil && *there, nil
}

// connect uses the simple protocol, in which a statement is sent as it is printed.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("SENTRA_DATABASE_URL cannot be read")
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.RuntimeParams["application_name"] = "ghlsync setup"
	config.RuntimeParams["search_path"] = "pg_catalog"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, errors.New("the source is not reachable") // the driver's error holds the connection string
	}
	return conn, nil
}
