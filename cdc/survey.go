package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Survey is what can be told of a source without streaming from it.
type Survey struct {
	Facts
	WALLevel string
	// Findings are what keeps the publication or the slot that are there from being
	// used, or the events table from being published.
	Findings []*Finding
}

// Look surveys the source on one ordinary connection, with no right but to log in,
// and changes nothing. Errors are those of Open.
func Look(ctx context.Context, cfg Config) (survey Survey, err error) {
	v, err := NewVisit(ctx, cfg)
	if err != nil {
		return survey, err
	}
	defer func() { err = errors.Join(err, v.Close(ctx)) }()
	s := v.source
	rows, err := v.Rows(ctx, `SELECT current_setting('wal_level'), timeline_id FROM pg_control_checkpoint()`)
	if err != nil {
		return survey, fmt.Errorf("look at the server: %w", err)
	}
	timeline, err := strconv.ParseInt(rows[0][1], 10, 32)
	if err != nil {
		return survey, fmt.Errorf("look at the server: %w", err)
	}
	survey.WALLevel, s.system.Timeline = rows[0][0], int32(timeline)
	if survey.Facts, err = v.Facts(ctx); err != nil {
		return survey, err
	}
	for _, find := range []*Finding{tableFinding(survey.Facts, cfg), publicationFinding(survey.Facts, cfg), foreignSlotFinding(survey.Facts, cfg)} {
		if find != nil {
			survey.Findings = append(survey.Findings, find)
		}
	}
	if survey.TableOID != 0 {
		survey.Findings = append(survey.Findings, Findings(s.checkIdentity(ctx, survey.TableOID))...)
	}
	return survey, nil
}

// DropSlot drops the configured slot, on one ordinary connection. ErrSlotActive if
// somebody streams from it; one that does not exist is no error.
func DropSlot(ctx context.Context, cfg Config) (err error) {
	v, err := NewVisit(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close(ctx)) }()
	return v.source.DropSlot(ctx)
}

// Tables are the two tables as schema and name, each as SQL quotes it.
func (c Config) Tables() (events, clients [2]string, err error) {
	for name, to := range map[string]*[2]string{c.EventsTable: &events, c.ClientsTable: &clients} {
		t, err := parseTable(name)
		if err != nil {
			return events, clients, fmt.Errorf("table %q: %w", name, err)
		}
		*to = [2]string{quoteIdent(t.schema), quoteIdent(t.name)}
	}
	return events, clients, nil
}

// ClientColumns are all columns of the clients table that are ever read.
func ClientColumns() []string { return append([]string(nil), clientColumns[:]...) }

// Quote is an identifier as SQL takes it, whatever it holds.
func Quote(ident string) string { return quoteIdent(ident) }

// Literal is a text as SQL takes it, whatever it holds.
func Literal(text string) string { return quoteLiteral(text) }
