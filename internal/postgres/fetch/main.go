// Command fetch puts the server programs of PostgreSQL versions into the cache, where they are not there yet, and
// prints each one's folder, as PG_BIN wants it:
//
//	go run ./internal/postgres/fetch 14 18
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"ghlsync/internal/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, arg := range os.Args[1:] {
		if err := fetch(ctx, arg); err != nil {
			fmt.Fprintln(os.Stderr, "fetch:", err)
			os.Exit(1)
		}
	}
}

func fetch(ctx context.Context, arg string) error {
	major, err := strconv.Atoi(arg)
	if err != nil {
		return fmt.Errorf("%q is no major version of PostgreSQL", arg)
	}
	b, err := postgres.Fetch(ctx, major)
	if err != nil {
		return err
	}
	_, err = fmt.Println(b.Dir)
	return err
}
