package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// client reads the sandbox and the daemon as anybody else would. It keeps no
// connection, so that none is left behind, and knows no proxy: both are here.
var client = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   5 * time.Second,
}

// get reads a JSON document into v. A status document comes with 200 or 503,
// depending on what it says.
func get(ctx context.Context, url string, v any) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask: %w", err) // a *url.Error, which names the address
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("ask %s: it answers %s", url, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return nil
}

// status is the part of the daemon's status document that the verdict needs.
type status struct {
	Health   string   `json:"health"`
	Reasons  []string `json:"reasons"`
	Mappings struct {
		Total   int64 `json:"total"`
		Synced  int64 `json:"synced"`
		Pending int64 `json:"pending"`
		Failed  int64 `json:"failed"`
		Held    int64 `json:"held"`
	} `json:"mappings"`
	Delivery struct {
		InFlight int `json:"in_flight"`
	} `json:"delivery"`
}

// settled reports whether the daemon has nothing left to do, and is well.
func (s status) settled() bool {
	return s.Health == "ok" && s.Mappings.Pending == 0 && s.Mappings.Failed == 0 && s.Delivery.InFlight == 0
}

func (s status) String() string {
	return fmt.Sprintf("health %s %q, %d pending, %d failed, %d held, %d in flight",
		s.Health, s.Reasons, s.Mappings.Pending, s.Mappings.Failed, s.Mappings.Held, s.Delivery.InFlight)
}
