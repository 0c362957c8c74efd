package ghl_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(proxyChild); url != "" {
		os.Exit(callThroughProxy(url))
	}
	goleak.VerifyTestMain(m)
}
