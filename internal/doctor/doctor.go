package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ghlsync/cdc"
	"ghlsync/internal/config"
)

// Limit bounds a whole examination, but for the moment that closing takes, and
// checkLimit one check.
const (
	Limit      = 28 * time.Second
	checkLimit = 12 * time.Second
)

// Status is how a check ended.
type Status string

// The ways. A run would fail where a check fails; a warning is for a person to
// judge.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skipped Status = "skipped" // what it builds on is not there; Detail says what
)

// Result is what one check found.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Mend   string `json:"mend"` // in words; a setting is written 'set NAME=VALUE'
	// SQL is exact: run in this order, as a superuser or the owner, it mends what
	// was found (some of it after a restart of the server, which Mend says then).
	SQL []string `json:"sql"`
}

// Report is what all checks found.
type Report struct {
	// OK says that no check has failed.
	OK     bool     `json:"ok"`
	Checks []Result `json:"checks"`
}

// Options say what is examined. Only Environment is required.
type Options struct {
	Environment *config.Environment
	// SendTest makes one marked, harmless call to GHL: a deletion of what does not
	// exist.
	SendTest bool
	// LongTransaction is how long a transaction may be open before it is told of;
	// 0: 10 s.
	LongTransaction time.Duration
	Now             func() time.Time // nil: time.Now
	// Roots are the authorities that a certificate may be signed by; nil: the
	// system's.
	Roots *x509.CertPool
}

// check is one question. needs are checks of the same group that come before it
// and without which it has no answer.
type check struct {
	name  string
	needs []string
	run   func(context.Context) Result
}

// Run examines everything. It returns within Limit.
func Run(ctx context.Context, o Options) Report {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	if o.LongTransaction == 0 {
		o.LongTransaction = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var wg sync.WaitGroup
	var ofTarget []Result
	wg.Go(func() { ofTarget = examine(ctx, targetChecks(ctx, o)) })
	results := []Result{settings(ctx, o.Environment)}
	results = append(results, examineSource(ctx, o)...)
	wg.Wait()
	report := Report{Checks: append(results, ofTarget...)}
	for i := range report.Checks {
		report.Checks[i].SQL = append([]string{}, report.Checks[i].SQL...) // in JSON a list, not null
	}
	report.OK = !slices.ContainsFunc(report.Checks, func(r Result) bool { return r.Status == Fail })
	return report
}

// examineSource also closes what the checks have opened.
func examineSource(ctx context.Context, o Options) []Result {
	store := &store{options: o}
	s := &source{options: o, store: store}
	defer s.close(ctx)
	defer store.close()
	return examine(ctx, slices.Concat(store.checks(), s.checks()))
}

// examine runs checks in their order. Where one is not well, what builds on it is
// skipped for the reason of the first.
func examine(ctx context.Context, checks []check) []Result {
	results := make([]Result, 0, len(checks))
	missing := make(map[string]string) // why a check is nothing to build on
	for _, c := range checks {
		var r Result
		if why := unmet(c, missing); why != "" {
			r = skip("%s", why)
			missing[c.name] = why
		} else {
			r = c.within(ctx)
			switch r.Status {
			case Fail:
				missing[c.name] = c.name + " has failed"
			case Skipped:
				missing[c.name] = c.name + " was skipped"
			}
		}
		r.Name = c.name
		results = append(results, r)
	}
	return results
}

func unmet(c check, missing map[string]string) string {
	for _, need := range c.needs {
		if why := missing[need]; why != "" {
			return why
		}
	}
	return ""
}

func (c check) within(ctx context.Context) Result {
	if ctx.Err() != nil {
		return Result{Status: Skipped, Detail: "no time was left"}
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	return c.run(ctx)
}

func good(format string, args ...any) Result {
	return Result{Status: OK, Detail: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) Result {
	return Result{Status: Skipped, Detail: fmt.Sprintf(format, args...)}
}

// unanswered is for a question that got no answer: nobody knows, so it is not well.
func unanswered(err error) Result {
	r := failure(err)
	if errors.Is(err, context.DeadlineExceeded) {
		r.Mend = "look for what holds it up, such as a lock, and ask again"
	}
	return r
}

// unsure is for one without whose answer a run would work all the same.
func unsure(err error) Result {
	r := unanswered(err)
	r.Status = Warn
	return r
}

// failure tells of an error, and of the findings in it.
func failure(err error) Result {
	if found := cdc.Findings(err); len(found) > 0 {
		return findings(found)
	}
	return Result{Status: Fail, Detail: reason(err)}
}

func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return strings.TrimPrefix(err.Error(), cdc.ErrConnectionLost.Error()+": ")
}

// findings makes one failed result of several findings.
func findings(found []*cdc.Finding) Result {
	r := Result{Status: Fail}
	var problems, mends []string
	for _, f := range found {
		problems = append(problems, f.Problem)
		if f.Mend != "" && !slices.Contains(mends, f.Mend) {
			mends = append(mends, f.Mend)
		}
		r.SQL = append(r.SQL, f.SQL...)
	}
	r.Detail, r.Mend = strings.Join(problems, "; "), strings.Join(mends, "; ")
	return r
}
