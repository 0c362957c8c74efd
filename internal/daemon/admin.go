package daemon

import "context"

type adminServer interface{ Stop(ctx context.Context) error }

func (d *Daemon) startAdmin(ctx context.Context) error { return nil }
