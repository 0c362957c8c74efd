package cdc

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// EnsurePublication makes the publication exist and hold the events table. It
// refuses one that somebody made otherwise, and a table without replica
// identity: to publish that would make the application's own updates fail. It
// comes before the slot, which cannot be decoded from before its publication.
// created reports whether anything was changed.
func (s *Source) EnsurePublication(ctx context.Context) (created bool, err error) {
	f, err := s.Inspect(ctx)
	if err != nil {
		return false, err
	}
	if find := tableFinding(f, s.cfg); find != nil {
		return false, find
	}
	if find := publicationFinding(f, s.cfg); find != nil {
		return false, find
	}
	if f.Fingerprint != "" {
		return false, nil
	}
	sql := createPublicationSQL(s.cfg)
	if f.Publication != nil {
		sql = addTableSQL(s.cfg)
	}
	missing := fmt.Sprintf("publication %s does not publish the events table", s.cfg.Publication)
	if !s.cfg.Create {
		return false, &Finding{Code: CodePublication, Problem: missing, Mend: "CDC_CREATE is false, so run this on the source", SQL: []string{sql}}
	}
	if err := s.checkIdentity(ctx, f.TableOID); err != nil {
		return false, err
	}
	_, err = s.look.query(ctx, sql)
	switch stateOf(err) {
	case "":
	case stateDuplicateObject:
		// Another daemon was quicker.
		return false, nil
	case stateNoPrivilege:
		return false, &Finding{
			Code: CodePublication, Problem: fmt.Sprintf("%s, and role %q may not change that", missing, s.base.User),
			Mend: "let the owner of the table run this", SQL: []string{sql},
		}
	}
	if err != nil {
		return false, fmt.Errorf("create publication: %w", err)
	}
	s.cfg.Logger.Info("publication publishes the events table", "publication", s.cfg.Publication)
	return true, nil
}

func (s *Source) checkIdentity(ctx context.Context, oid uint32) error {
	return s.look.use(ctx, func(conn *pgconn.PgConn) error {
		find, err := s.identityFinding(ctx, conn, oid)
		if err != nil {
			return err
		}
		return find
	})
}
