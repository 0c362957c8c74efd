package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ghlsync/internal/config"
)

// The addresses have checks of their own, which tell what is wrong with them.
const (
	databaseURL = "SENTRA_DATABASE_URL"
	webhookURL  = "GHL_WEBHOOK_URL"
	apiURL      = "GHL_API_URL"
)

// settings tells whether the daemon would take its settings.
func settings(ctx context.Context, env *config.Environment) Result {
	_, warnings, err := config.Load(ctx, env, config.All()...)
	const name = "settings"
	if others := problemsOf(err, databaseURL, webhookURL, apiURL); len(others) > 0 {
		r := settingsResult(others)
		r.Name = name
		return r
	}
	if len(warnings) > 0 {
		return Result{Name: name, Status: Warn, Detail: strings.Join(warnings, "; "), Mend: "write it as the README's table does, or remove it"}
	}
	return Result{Name: name, Status: OK, Detail: "all are usable"}
}

// problemsOf lists the problems in an error of config.Load but those of some
// variables.
func problemsOf(err error, but ...string) []config.Problem {
	var problems *config.Error
	if !errors.As(err, &problems) {
		return nil
	}
	var others []config.Problem
	for _, p := range problems.Problems {
		skip := false
		for _, name := range but {
			skip = skip || p.Name == name
		}
		if !skip {
			others = append(others, p)
		}
	}
	return others
}

// settingsResult is what is wrong with some settings.
func settingsResult(problems []config.Problem) Result {
	r := Result{Status: Fail}
	var details, mends []string
	for _, p := range problems {
		mend := p.Mend
		p.Mend = ""
		details = append(details, p.String())
		if mend != "" {
			mends = append(mends, fmt.Sprintf("%s: %s", p.Name, mend))
		}
	}
	r.Detail, r.Mend = strings.Join(details, "; "), strings.Join(mends, "; ")
	return r
}

// needing loads the settings of some needs. The second value is not nil if they
// are not usable: own is the variable that the asking check is about, and a problem
// of another one is for the check of the settings to tell.
func needing(ctx context.Context, env *config.Environment, own string, needs ...config.Need) (config.Config, *Result) {
	cfg, _, err := config.Load(ctx, env, needs...)
	if err == nil {
		return cfg, nil
	}
	if others := problemsOf(err, own); len(others) > 0 {
		r := skip("%s is not usable, see settings", others[0].Name)
		return cfg, &r
	}
	r := settingsResult(problemsOf(err))
	return cfg, &r
}
