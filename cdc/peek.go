package cdc

import (
	"context"
	"errors"
)

// Peek reads one event as it is now, and its client, on a connection of its own.
// found is false if there is no such event; client is nil if it has none. It asks
// for no right but to read, and does not wait for the stream. Errors are those of
// Open.
func Peek(ctx context.Context, cfg Config, id string) (row Row, client *Client, found bool, err error) {
	v, err := NewVisit(ctx, cfg)
	if err != nil {
		return row, nil, false, err
	}
	defer func() { err = errors.Join(err, v.Close(ctx)) }()
	s := v.source
	if _, row, found, err = s.askEvent(ctx, id); err != nil || !found {
		return row, nil, found, err
	}
	of := row.Text(ClientID)
	if of == "" {
		return row, nil, true, nil
	}
	clients, err := s.Clients(ctx, nil, []string{of})
	if c, ok := clients[of]; ok {
		client = &c
	}
	return row, client, true, err
}
