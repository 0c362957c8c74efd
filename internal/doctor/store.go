package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ghlsync/cdc"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/pipeline"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// store is the daemon's state under examination.
type store struct {
	options Options

	reader daemon.Reader // nil: there is none yet
	held   bool          // a process works on it
}

func (s *store) checks() []check {
	return []check{
		{"state_directory", nil, s.directory},
		{"state", []string{"state_directory"}, s.state},
	}
}

func (s *store) close() {
	if s.reader != nil {
		// Nothing was written.
		_ = s.reader.Close()
	}
}

// url is where the state is; a path in it is an absolute one.
func (s *store) url(ctx context.Context) (config.StateURL, *Result) {
	cfg, wrong := needing(ctx, s.options.Environment, "", config.NeedState)
	if wrong != nil || cfg.State.URL.Postgres != "" {
		return cfg.State.URL, wrong
	}
	path, err := filepath.Abs(cfg.State.URL.Path)
	if err != nil {
		r := failure(fmt.Errorf("find the state: %w", err))
		return cfg.State.URL, &r
	}
	return config.StateURL{Path: path}, nil
}

// directory is asked for rights, and not tried: nothing is made.
func (s *store) directory(ctx context.Context) Result {
	url, wrong := s.url(ctx)
	if wrong != nil {
		return *wrong
	}
	if url.Postgres != "" {
		return good("the state is on a server: %s", url)
	}
	path := url.Path
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Result{Status: Fail, Detail: "there is no directory " + dir, Mend: "mkdir -p " + dir + ", or set STATE_URL to a file elsewhere"}
	case err != nil:
		return failure(fmt.Errorf("look at the state's directory: %w", err))
	case !info.IsDir():
		return Result{Status: Fail, Detail: dir + " is not a directory", Mend: "set STATE_URL to a file in a directory"}
	}
	const usable = 4 | 2 // R_OK and W_OK of access(2)
	for _, p := range []string{dir, path, path + ".lock"} {
		if err := syscall.Access(p, usable); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Result{Status: Fail, Detail: fmt.Sprintf("%s cannot be read and written: %v", p, err), Mend: "give it to the user that runs the daemon, on a file system that takes writes"}
		}
	}
	return good("%s can be written", dir)
}

func (s *store) state(ctx context.Context) Result {
	url, wrong := s.url(ctx)
	if wrong != nil {
		return *wrong
	}
	reader, err := daemon.OpenReader(ctx, url)
	if err == nil {
		s.reader = reader
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return good("there is none yet: the first start makes it")
	case errors.Is(err, state.ErrCorrupt), errors.Is(err, state.ErrNewerSchema):
		return Result{Status: Fail, Detail: err.Error(), Mend: "restore a backup, or see 'The state file is damaged' in docs/OPERATIONS.md"}
	case errors.Is(err, state.ErrOlderSchema):
		return skip("%v", err)
	case err != nil:
		return unanswered(err)
	}
	by, err := s.holder(ctx, url)
	if err != nil {
		return unanswered(err)
	}
	counts, err := s.reader.Counts(ctx)
	if err != nil {
		return unanswered(err)
	}
	return good("%s, %s", plural(int(counts.Total+counts.Assumed), "event", "events"), by)
}

// holder tells who works on the state.
func (s *store) holder(ctx context.Context, url config.StateURL) (by string, err error) {
	by = "nobody has it open"
	if url.Postgres != "" {
		addr, err := daemon.Working(ctx, s.reader)
		if s.held = addr != ""; s.held {
			by = "a daemon whose HTTP server is at " + addr + " works on it"
		}
		return by, err
	}
	holding, held, err := sqlite.Holder(url.Path)
	if s.held = held; held {
		by = fmt.Sprintf("process %d has it open", holding.PID)
	}
	return by, err
}

// prior is what the checkpoint says; nil if there is none. The second value is when
// the first snapshot was complete.
func (s *store) prior(ctx context.Context, slot string) (*cdc.Prior, time.Time, error) {
	if s.reader == nil {
		return nil, time.Time{}, nil
	}
	c, err := s.reader.Checkpoint(ctx, slot)
	if err != nil || c == nil {
		return nil, time.Time{}, err
	}
	return pipeline.PriorOf(c), c.Baseline, nil
}
