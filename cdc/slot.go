package cdc

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// heldUpNotice is when a slot's creation that waits says so in the log.
	heldUpNotice = 2 * time.Second
	// cancelGrace bounds the wait for the server to give a creation up.
	cancelGrace = 5 * time.Second
	// failoverSince is the first version with slots that are synchronised to standbys.
	failoverSince = 170000
	// temporaryPrefix begins the names of slots that live for one snapshot.
	temporaryPrefix = "ghlsync_snapshot_"
)

// SnapshotHandle keeps an exported snapshot alive until Close. It holds a
// transaction's xmin, but no lock on any table.
type SnapshotHandle struct {
	// LSN is the consistent point: a transaction is in the snapshot if and only
	// if its commit LSN is below it.
	LSN pglogrepl.LSN
	// Name is the snapshot's.
	Name string
	// Slot is the slot that was created with it.
	Slot string

	conn *pgconn.PgConn
}

// Close ends the connection that keeps the snapshot; a temporary slot goes with
// it. It may be called more than once.
func (h *SnapshotHandle) Close(ctx context.Context) error { return closeConn(ctx, h.conn) }

// CreateSlot creates the configured slot, which streams from h.LSN on, and
// exports its snapshot. The publication must exist before. A slot is only ready
// when all transactions that were open have ended, prepared ones too; the wait
// for them is bounded by Config.SlotWait and ends in a *HeldUpError. If it fails
// or ctx ends, no slot is left behind. ErrSlotExists if there is one.
func (s *Source) CreateSlot(ctx context.Context) (*SnapshotHandle, error) {
	if !s.cfg.Create {
		return nil, &Finding{
			Code: CodeSlot, Problem: fmt.Sprintf("slot %s does not exist", s.cfg.Slot),
			Mend: "CDC_CREATE is false, so run this on the source", SQL: []string{createSlotSQL(s.version, s.cfg)},
		}
	}
	h, err := s.createSlot(ctx, s.cfg.Slot, false)
	if err != nil {
		return nil, err
	}
	s.cfg.Logger.Info("replication slot is created", "slot", h.Slot, "lsn", h.LSN.String())
	return h, nil
}

// CreateTemporary creates a slot for the sake of its snapshot only. It goes with
// the handle.
func (s *Source) CreateTemporary(ctx context.Context) (*SnapshotHandle, error) {
	name, err := temporaryName()
	if err != nil {
		return nil, err
	}
	return s.createSlot(ctx, name, true)
}

func temporaryName() (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("name a temporary slot: %w", err)
	}
	return temporaryPrefix + hex.EncodeToString(random), nil
}

// CreateShadow creates a temporary slot that Stream then streams from, in place of
// the configured one, and exports its snapshot. The slot goes with the Source, so
// that nothing of it is left on the server. The snapshot ends when Stream begins.
func (s *Source) CreateShadow(ctx context.Context) (*SnapshotHandle, error) {
	name, err := temporaryName()
	if err != nil {
		return nil, err
	}
	// On the stream's own connection: a temporary slot is of one session.
	h, err := s.runCreation(ctx, s.repl, name, createCommand(s.version, name, true, false))
	if err != nil {
		return nil, fmt.Errorf("create slot %s: %w", name, err)
	}
	h.conn = nil // closed with the Source
	s.shadow = name
	return h, nil
}

// slot is the name of the one that is streamed from.
func (s *Source) slot() string {
	if s.shadow != "" {
		return s.shadow
	}
	return s.cfg.Slot
}

// DropSlot drops the configured slot. One that does not exist is no error.
func (s *Source) DropSlot(ctx context.Context) error {
	_, err := s.look.query(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`, s.cfg.Slot)
	switch stateOf(err) {
	case stateUndefinedObject:
		return nil
	case stateObjectInUse:
		return fmt.Errorf("drop slot %s: %w", s.cfg.Slot, ErrSlotActive)
	}
	if err != nil {
		return fmt.Errorf("drop slot %s: %w", s.cfg.Slot, err)
	}
	return nil
}

func (s *Source) createSlot(ctx context.Context, name string, temporary bool) (*SnapshotHandle, error) {
	if s.cfg.Failover && !temporary && s.version < failoverSince {
		s.cfg.Logger.Warn("slot will not survive a failover, which came with Postgres 17", "slot", name, "postgres", s.version/10000)
	}
	conn, err := s.connect(ctx, replication, " snapshot")
	if err != nil {
		return nil, err
	}
	h, err := s.runCreation(ctx, conn, name, createCommand(s.version, name, temporary, s.cfg.Failover))
	if err == nil && ctx.Err() != nil {
		// It came about in the moment we were told to stop.
		err = errors.Join(context.Cause(ctx), s.dropUnused(ctx, conn, name))
	}
	if err != nil {
		return nil, fmt.Errorf("create slot %s: %w", name, errors.Join(err, closeConn(ctx, conn)))
	}
	return h, nil
}

// createCommand spells the replication command. Options in parentheses came with
// Postgres 15, failover with 17; a temporary slot cannot have it.
func createCommand(version int, name string, temporary, failover bool) string {
	command := "CREATE_REPLICATION_SLOT " + quoteIdent(name)
	if temporary {
		command += " TEMPORARY"
	}
	command += " LOGICAL pgoutput"
	switch {
	case version < 150000:
		return command + " EXPORT_SNAPSHOT"
	case failover && !temporary && version >= failoverSince:
		return command + " (SNAPSHOT 'export', FAILOVER true)"
	}
	return command + " (SNAPSHOT 'export')"
}

type creation struct {
	result pglogrepl.CreateReplicationSlotResult
	err    error
}

// runCreation runs the command and watches over it. The server does not notice
// that a client went away while it waits for transactions, and keeps the slot's
// name all that time; so the wait is ended by a cancel request, and its answer
// awaited.
func (s *Source) runCreation(ctx context.Context, conn *pgconn.PgConn, name, command string) (*SnapshotHandle, error) {
	done := make(chan creation, 1)
	go func() {
		// Not under ctx: the driver would drop the connection when it ends.
		result, err := pglogrepl.ParseCreateReplicationSlot(conn.Exec(context.Background(), command))
		done <- creation{result, err}
	}()
	begun := time.Now()
	notice, limit := time.NewTimer(heldUpNotice), time.NewTimer(s.cfg.SlotWait)
	defer notice.Stop()
	defer limit.Stop()
	for {
		select {
		case c := <-done:
			return s.created(conn, c)
		case <-notice.C:
			open, _ := s.openTransactions(ctx, conn.PID()) // only for the log; the error has its own
			s.cfg.Logger.Warn("slot creation waits for open transactions", "slot", name, "open", describeOpen(open))
		case <-limit.C:
			open, err := s.openTransactions(ctx, conn.PID())
			heldUp := &HeldUpError{Slot: name, Waited: time.Since(begun), Open: open}
			return s.cancelCreation(ctx, conn, done, errors.Join(heldUp, err))
		case <-ctx.Done():
			return s.cancelCreation(ctx, conn, done, context.Cause(ctx))
		}
	}
}

func (s *Source) created(conn *pgconn.PgConn, c creation) (*SnapshotHandle, error) {
	if stateOf(c.err) == stateDuplicateObject {
		return nil, ErrSlotExists
	}
	if c.err != nil {
		return nil, s.serverError(c.err)
	}
	lsn, err := pglogrepl.ParseLSN(c.result.ConsistentPoint)
	if err != nil {
		return nil, fmt.Errorf("read the consistent point: %w", err)
	}
	return &SnapshotHandle{LSN: lsn, Name: c.result.SnapshotName, Slot: c.result.SlotName, conn: conn}, nil
}

// cancelCreation ends the creation for cause. If it is done all the same, a wait
// that ran out has its slot, and it is used.
func (s *Source) cancelCreation(ctx context.Context, conn *pgconn.PgConn, done <-chan creation, cause error) (*SnapshotHandle, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
	defer cancel()
	if err := conn.CancelRequest(ctx); err != nil {
		cause = errors.Join(cause, fmt.Errorf("cancel the creation: %w", s.serverError(err)))
	}
	select {
	case c := <-done:
		if c.err == nil {
			return s.created(conn, c)
		}
		return nil, cause
	case <-ctx.Done():
	}
	// The server does not answer: cut the connection, which ends the goroutine.
	if err := conn.Conn().Close(); err != nil {
		cause = errors.Join(cause, errors.New("cut the connection"))
	}
	<-done
	return nil, cause
}

// dropUnused drops a slot that came about too late.
func (s *Source) dropUnused(ctx context.Context, conn *pgconn.PgConn, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
	defer cancel()
	err := pglogrepl.DropReplicationSlot(ctx, conn, quoteIdent(name), pglogrepl.DropReplicationSlotOptions{})
	return s.serverError(err)
}
