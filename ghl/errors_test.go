package ghl

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// What the wire tests cannot bring about without leaving this machine.
func TestClassifyError(t *testing.T) {
	t.Parallel()
	alive := t.Context()
	cancelled, cancel := context.WithCancel(alive)
	cancel()
	late, stop := context.WithDeadline(alive, time.Now().Add(-time.Second))
	defer stop()
	dial := func(err error) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)} }
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		left bool
		want Result
	}{
		"no such host":     {alive, &net.DNSError{IsNotFound: true, Name: "secret.example"}, false, Result{Outcome: Retry, Code: "DNS"}},
		"resolver is slow": {alive, &net.DNSError{IsTimeout: true}, false, Result{Outcome: Retry, Code: "DNS"}},
		"no host":          {alive, dial(syscall.EHOSTUNREACH), false, Result{Outcome: Retry, Code: "NO_ROUTE"}},
		"no network":       {alive, dial(syscall.ENETUNREACH), false, Result{Outcome: Retry, Code: "NO_ROUTE"}},
		"dial too slow":    {alive, dial(syscall.ETIMEDOUT), false, Result{Outcome: Retry, Code: "CONNECT_TIMEOUT"}},
		"TLS alert":        {alive, &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, false, Result{Outcome: Retry, Code: "TLS"}},
		"proxy says no":    {alive, errors.New("Forbidden"), false, Result{Outcome: Retry, Code: "CONNECTION_FAILED"}},
		"call ended":       {late, late.Err(), false, Result{Outcome: Retry, Code: "CONNECT_TIMEOUT"}},
		"cancelled":        {cancelled, cancelled.Err(), false, Result{Outcome: Retry, Code: "INTERRUPTED"}},

		// The same errors mean nothing certain once a connection was handed over.
		"lost":                 {alive, io.EOF, true, Result{Outcome: Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"refused on a retry":   {alive, dial(syscall.ECONNREFUSED), true, Result{Outcome: Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"TCP gave up":          {alive, fmt.Errorf("read: %w", syscall.ETIMEDOUT), true, Result{Outcome: Unknown, Code: "TIMEOUT", MaybeActed: true}},
		"call ended, sent":     {late, late.Err(), true, Result{Outcome: Unknown, Code: "TIMEOUT", MaybeActed: true}},
		"cancelled, sent":      {cancelled, cancelled.Err(), true, Result{Outcome: Unknown, Code: "INTERRUPTED", MaybeActed: true}},
		"caller's time is up":  {late, late.Err(), true, Result{Outcome: Unknown, Code: "TIMEOUT", MaybeActed: true}},
		"lost, then cancelled": {cancelled, io.EOF, true, Result{Outcome: Unknown, Code: "INTERRUPTED", MaybeActed: true}},
	} {
		if got := classifyError(test.ctx, test.err, test.left); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// A label of a metric has few values, whatever GHL answers.
func TestCodeClass(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"": "", CodeTimeout: CodeTimeout, CodeOutcomeUnknown: CodeOutcomeUnknown, CodeNotFound: CodeNotFound,
		"HTTP_503": "HTTP_5xx", "HTTP_429": "HTTP_4xx", "HTTP_5": "OTHER", "CLIENT_ONE": "OTHER", "text of GHL": "OTHER",
	} {
		if got := CodeClass(code); got != want {
			t.Errorf("CodeClass(%q) is %q, want %q", code, got, want)
		}
	}
}
