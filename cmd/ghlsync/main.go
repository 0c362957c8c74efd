package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one has its usual effect again: it ends the
	// process, whatever is still being waited for.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], streams{out: os.Stdout, err: os.Stderr, dir: "."})
	stop()
	os.Exit(code)
}
