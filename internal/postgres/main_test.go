package postgres

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// victimMode makes the test binary a process that runs a server in the folder victimDir and then ends badly.
const (
	victimMode = "GHLSYNC_TEST_VICTIM"
	victimDir  = "GHLSYNC_TEST_VICTIM_DIR"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(victimMode); mode != "" {
		victim(mode, os.Getenv(victimDir))
	}
	goleak.VerifyTestMain(m)
}

// victim says the server's process id on stdout and waits for its end: "killed" by the test, with "unkept" after its
// keepers, and "panic" by itself once stdin closes.
func victim(mode, dir string) {
	ctx := context.Background()
	template, err := NewTemplate(ctx, Binaries{}, dir)
	if err != nil {
		panic(err)
	}
	server, err := Start(ctx, Options{Template: template, Dir: dir})
	if err != nil {
		panic(err)
	}
	if mode == "unkept" {
		for _, f := range []*folder{template.folder, server.place.folder} {
			if err := f.keeper.Process.Kill(); err != nil {
				panic(err)
			}
		}
	}
	fmt.Println(server.PID())
	if _, err := os.Stdin.Read(make([]byte, 1)); mode == "panic" {
		panic(fmt.Sprint("as told: ", err))
	}
	select {}
}
