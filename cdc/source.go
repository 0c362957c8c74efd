package cdc

import (
	"context"

	"github.com/jackc/pglogrepl"
)

// Source is a connection to the source database. Stream is called at most once;
// the look-ups, Inspect and Snapshot may be used side by side with it.
type Source struct{}

// Open connects.
func Open(ctx context.Context, cfg Config) (*Source, error) { return nil, nil }

// Close ends the connections.
func (s *Source) Close(ctx context.Context) error { return nil }

// Inspect looks.
func (s *Source) Inspect(ctx context.Context) (Facts, error) { return Facts{}, nil }

// EnsurePublication creates the publication.
func (s *Source) EnsurePublication(ctx context.Context) (created bool, err error) { return false, nil }

// SnapshotHandle keeps an exported snapshot alive until Close.
type SnapshotHandle struct {
	// LSN is the consistent point: a transaction is in the snapshot if and only
	// if its commit LSN is below it.
	LSN pglogrepl.LSN
	// Name is the snapshot's.
	Name string
	// Slot is the slot that was created with it.
	Slot string
}

// Close ends the connection that keeps the snapshot; a temporary slot goes with it.
func (h *SnapshotHandle) Close(ctx context.Context) error { return nil }

// CreateSlot creates the configured slot.
func (s *Source) CreateSlot(ctx context.Context) (*SnapshotHandle, error) { return nil, nil }

// CreateTemporary creates a slot with a random name for its snapshot.
func (s *Source) CreateTemporary(ctx context.Context) (*SnapshotHandle, error) { return nil, nil }

// DropSlot drops the configured slot.
func (s *Source) DropSlot(ctx context.Context) error { return nil }

// SnapshotRow is one event of a synced type, and its client if there is one.
type SnapshotRow struct {
	Row    Row
	Client *Client
}

// Snapshot reads.
func (s *Source) Snapshot(ctx context.Context, h *SnapshotHandle, chunk int, fn func(context.Context, []SnapshotRow) error) error {
	return nil
}

// Handler takes what the stream brings. The chunk's slice is the handler's
// until Handle returns; its strings may be kept.
type Handler interface {
	Handle(ctx context.Context, c Chunk) (durable pglogrepl.LSN, err error)
}

// Stream streams.
func (s *Source) Stream(ctx context.Context, from pglogrepl.LSN, h Handler) error { return nil }

// Clients looks up.
func (s *Source) Clients(ctx context.Context, xids []uint32, ids []string) (map[string]Client, error) {
	return nil, nil
}

// EventRow looks up.
func (s *Source) EventRow(ctx context.Context, xid uint32, id string) (row Row, found bool, err error) {
	return Row{}, false, nil
}

func describeOpen([]OpenTransaction) string { return "" }
