package postgres

import (
	"context"
	"fmt"
	"time"

	"ghlsync/state"
)

// Setting is what the server has for a setting within a Tx, in its smallest unit.
func Setting(ctx context.Context, open state.Tx, name string) (value string, err error) {
	t, ok := open.(*tx)
	if !ok {
		return "", fmt.Errorf("a %T is not ours", open)
	}
	err = t.conn.QueryRow(ctx, "SELECT setting FROM pg_settings WHERE name = $1", name).Scan(&value)
	return value, err
}

// Backend is the server's process that a Tx runs in.
func Backend(open state.Tx) (uint32, error) {
	t, ok := open.(*tx)
	if !ok {
		return 0, fmt.Errorf("a %T is not ours", open)
	}
	return t.conn.Conn().PgConn().PID(), nil
}

// SetClock makes the store take at for the server's time.
func SetClock(s *Store, at time.Time) { s.setClock(at.UnixMicro()) }
