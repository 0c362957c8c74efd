package ghl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// newTransport keeps to HTTP/1.1: a call has a connection to itself, so one
// that breaks leaves one outcome unknown and not all that run.
func newTransport(timeout time.Duration, concurrency int) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: min(timeout, 10*time.Second), KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment, // never for loopback
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:           concurrency,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        30 * time.Second, // below what servers use, so they seldom close under a request
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              protocols,
	}
}

// progress tells how far a call came. Its hook runs on the transport's
// goroutines, which may outlive the call.
type progress struct{ connected atomic.Bool }

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// The point of no return: from here on the transport writes, and what
		// it has written cannot be known for sure.
		GotConn: func(httptrace.GotConnInfo) { p.connected.Store(true) },
	}
}

func (p *progress) mayHaveLeft() bool { return p.connected.Load() }

// classifyError turns the failure of an exchange under ctx into a result; left
// tells whether any byte of the request may have left this machine.
func classifyError(ctx context.Context, err error, left bool) Result {
	res := Result{Outcome: Retry, Code: notSentCode(err)}
	if left {
		res = Result{Outcome: Unknown, Code: lostCode(err), MaybeActed: true}
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		res.Code = CodeInterrupted
	case left && (ctx.Err() != nil || isTimeout(err)):
		res.Code = CodeTimeout
	case ctx.Err() != nil:
		res.Code = CodeConnectTimeout
	}
	return res
}

// notSentCode is for failures before the request had a connection.
func notSentCode(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return CodeDNS
	case isTLS(err):
		return CodeTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return CodeConnectionRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return CodeNoRoute
	case isTimeout(err):
		return CodeConnectTimeout
	}
	return CodeConnectionFailed
}

// lostCode is for failures after that. net/http has no types for an answer
// that is no HTTP; both codes mean the same outcome, so that a mistake here
// costs an operator a hint and no event its safety.
func lostCode(err error) string {
	var protocol textproto.ProtocolError
	if errors.As(err, &protocol) || strings.Contains(err.Error(), "malformed HTTP") {
		return CodeMalformed
	}
	return CodeConnectionLost
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func isTLS(err error) bool {
	var (
		record       tls.RecordHeaderError
		alert        tls.AlertError
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verification) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
