package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"ghlsync/internal/pipeline"
)

// Reconcile has the daemon compare Sentra, the mappings and, where it can, GHL. It
// ends when ctx does, at the daemon too.
func (c *Client) Reconcile(ctx context.Context, o Reconcile, progress func(done, total int64)) (report Reconciliation, err error) {
	err = c.work(ctx, "/api/v1/reconcile", o, progress, &report)
	return report, err
}

// Backfill has the daemon do what [pipeline.Capture.Backfill] does.
func (c *Client) Backfill(ctx context.Context, o pipeline.BackfillOptions) (report pipeline.BackfillReport, err error) {
	err = c.work(ctx, "/api/v1/backfill", Backfill{Which: o.Which, DryRun: o.DryRun}, o.Progress, &report)
	return report, err
}

// work reads the answer line by line, however long it takes.
func (c *Client) work(ctx context.Context, path string, body any, progress func(int64, int64), into any) (err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	resp, err := c.send(ctx, http.MethodPost, path, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
		}
		return refusal(resp.StatusCode, text)
	}
	lines := json.NewDecoder(resp.Body)
	for {
		var line Line
		switch err := lines.Decode(&line); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("%w any more at %s: its answer ended early", ErrUnreachable, c.base)
		case line.Error != "":
			return errors.New(line.Error)
		case line.Report != nil:
			return decodeReport(line.Report, into)
		case line.Progress != nil && progress != nil:
			progress(line.Progress.Done, line.Progress.Total)
		}
	}
}

func decodeReport(text json.RawMessage, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read the daemon's report: %w", err)
	}
	return nil
}
