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
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Why it is left, Who may do it, and the SQL that does, where there is any.
	Why string   `json:"why,omitempty"`
	Who string   `json:"who,omitempty"`
	SQL []string `json:"sql,omitempty"`
}

// Report is what became of all steps.
type Report struct {
	Done  bool     `json:"done"` // nothing is left
	Steps []Result `json:"steps"`
}

// Run does every step that the connected role has the right to, on the database of
// t.Source.URL, which was looked at before. An error says that it could not go on;
// the report tells what was done before.
func Run(ctx context.Context, t Target) (r Report, err error) {
	steps, err := t.steps()
	if err != nil {
		return r, err
	}
	conn, err := connect(ctx, t.Source.URL)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	r.add(t.walResult())
	last := len(steps) - 1
	for _, s := range steps[:last] {
		result, err := perform(ctx, conn, s)
		if err != nil {
			return r, err
		}
		r.add(result)
	}
	if err := t.replicate(ctx, conn, steps[last], &r); err != nil {
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
	level := t.seen().WALLevel
	if level == "logical" {
		return Result{Name: "wal_level", Status: Already}
	}
	words, sql := t.Host.walMend()
	return Result{Name: "wal_level", Status: Left, Why: fmt.Sprintf("it is %s, not logical: %s", level, words), Who: t.Host.admin(), SQL: sql}
}

// replicate makes publication and slot, unless something is in the way that a
// person has to mend.
func (t Target) replicate(ctx context.Context, conn *pgx.Conn, publication step, r *Report) error {
	found := t.seen().Findings
	for _, find := range found {
		r.add(Result{Name: find.Code, Status: Left, Why: find.Problem + ": " + find.Mend, Who: publication.who, SQL: find.SQL})
	}
	if len(found) > 0 {
		return nil
	}
	made, err := perform(ctx, conn, publication)
	if err != nil {
		return err
	}
	r.add(made)
	slot, err := t.slotResult(ctx, made.Status)
	if err != nil {
		return err
	}
	r.add(slot)
	return nil
}

// slotResult makes the slot where it can be decoded, which is behind its
// publication.
func (t Target) slotResult(ctx context.Context, publication Status) (Result, error) {
	survey := t.seen()
	result := Result{Name: "slot " + t.Source.Slot, Status: Left, Who: "a role that may replicate; the daemon does it itself at its next start, unless CDC_CREATE is false"}
	create := t.Source.SlotSQL(t.Version)
	switch {
	case publication == Left, survey.WALLevel != "logical":
		result.Why, result.SQL = "publication and wal_level come first", []string{create}
		return result, nil
	case survey.Slot != nil && publication == Done:
		result.Why, result.SQL = "it is older than the publication and cannot be read from before it", []string{t.Source.DropSlotSQL(), create}
		return result, nil
	case survey.Slot != nil && survey.Slot.Lost():
		result.Why, result.SQL = "it has lost WAL that it needs", []string{t.Source.DropSlotSQL(), create}
		return result, nil
	case survey.Slot != nil:
		return Result{Name: result.Name, Status: Already}, nil
	}
	_, err := cdc.MakeSlot(ctx, t.Source)
	switch {
	case err == nil:
		return Result{Name: result.Name, Status: Done}, nil
	case errors.Is(err, cdc.ErrConnectionLost), ctx.Err() != nil:
		return result, err
	}
	result.Why, result.SQL = err.Error(), []string{create}
	if found := cdc.Findings(err); len(found) > 0 {
		result.Why = found[0].Problem // the mend is about who looked, not the daemon
	}
	return result, nil
}

// perform looks whether a step is done, does it, and looks again.
func perform(ctx context.Context, conn *pgx.Conn, s step) (Result, error) {
	there, sql, err := ask(ctx, conn, s)
	if err != nil || there {
		return Result{Name: s.name, Status: Already}, err
	}
	result := Result{Name: s.name, Status: Left, Who: s.who, SQL: sql}
	for _, sql := range sql {
		if _, err := conn.Exec(ctx, sql); err != nil {
			result.Why, err = refusal(err)
			return result, err
		}
	}
	// A GRANT by somebody without the right to it succeeds with a warning.
	if there, err = holds(ctx, conn, s.there); err != nil || there {
		return Result{Name: s.name, Status: Done}, err
	}
	result.Why = "the connected role has no right to give this"
	return result, nil
}

// ask tells whether a step is done, and what would do it.
func ask(ctx context.Context, conn *pgx.Conn, s step) (there bool, sql []string, err error) {
	if there, err = holds(ctx, conn, s.there); err != nil || there {
		return there, nil, err
	}
	for _, statement := range s.sql {
		needed := statement.when == ""
		if !needed {
			if needed, err = holds(ctx, conn, "SELECT "+statement.when); err != nil {
				return false, nil, err
			}
		}
		if needed {
			sql = append(sql, statement.text)
		}
	}
	return false, sql, nil
}

// refusal tells what the server will not let us do from what went wrong.
func refusal(err error) (string, error) {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Message, nil
	}
	return "", errLost
}

// errLost stands for the driver's errors, which hold the connection string.
var errLost = errors.New("the connection to the source is lost")

// holds asks for one boolean. What the server refuses to answer, as about a role
// or a table that does not exist, does not hold.
func holds(ctx context.Context, conn *pgx.Conn, query string) (bool, error) {
	var there *bool
	err := conn.QueryRow(ctx, query).Scan(&there)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		_, err = refusal(err)
		return false, err
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
		return nil, errLost
	}
	return conn, nil
}
