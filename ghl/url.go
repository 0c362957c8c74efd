package ghl

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseWebhookURL checks a webhook URL: https, or http to a loopback address.
// Its errors say what is wrong and what to do, and never hold the URL, which
// is the secret that admits to the account.
func ParseWebhookURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("webhook URL is empty: copy it from the inbound webhook trigger of the GHL workflow")
	}
	if strings.TrimSpace(raw) != raw {
		return nil, errors.New("webhook URL has white space around it: remove it")
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Parse quotes its input in the error: none of it goes on.
		return nil, errors.New("webhook URL is not a URL: copy it again from the inbound webhook trigger, without quotes or line breaks")
	}
	if u.Opaque != "" || u.Hostname() == "" {
		return nil, errors.New("webhook URL has no host: it must look like https://services.leadconnectorhq.com/hooks/…")
	}
	if err := checkPort(u.Port()); err != nil {
		return nil, err
	}
	if u.Fragment != "" {
		return nil, errors.New("webhook URL has a fragment (#…): remove it")
	}
	switch u.Scheme {
	case "https":
		return u, nil
	case "http":
		if isLoopback(u.Hostname()) {
			return u, nil
		}
		return nil, errors.New("webhook URL is http on an address that is not loopback: use https, since the URL is the only secret and the body holds client data")
	}
	return nil, errors.New("webhook URL has an unusable scheme: use https (http only to a loopback address)")
}

func checkPort(port string) error {
	if port == "" {
		return nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return errors.New("webhook URL has a port out of range: use 1 to 65535, or none")
	}
	return nil
}

// isLoopback takes "localhost" for one although a resolver could say
// otherwise: net/http's proxy rules do the same.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// RedactURL gives scheme and host of a URL and "…" for all that may be secret.
// What is no URL becomes "…" as a whole.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "…"
	}
	return u.Scheme + "://" + u.Host + "/…"
}
