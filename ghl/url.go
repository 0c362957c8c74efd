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
	return parseURL(raw, kindOfURL{
		name:    "webhook URL",
		origin:  "copy it from the inbound webhook trigger of the GHL workflow",
		again:   "copy it again from the inbound webhook trigger, without quotes or line breaks",
		example: "https://services.leadconnectorhq.com/hooks/…",
		secrecy: "the URL is the only secret and the body holds client data",
	})
}

// ParseAPIURL checks the base address of the calendar API by the same rules. It
// may have a path, but neither credentials nor a query.
func ParseAPIURL(raw string) (*url.URL, error) {
	u, err := parseURL(raw, kindOfURL{
		name:    "API URL",
		origin:  "GHL's own is https://services.leadconnectorhq.com",
		again:   "write it without quotes or line breaks",
		example: "https://services.leadconnectorhq.com",
		secrecy: "every call carries the token and client data",
	})
	if err != nil {
		return nil, err
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery {
		return nil, errors.New("API URL has credentials or a query in it: remove them")
	}
	return u, nil
}

// kindOfURL is what the errors about a URL say.
type kindOfURL struct{ name, origin, again, example, secrecy string }

func parseURL(raw string, kind kindOfURL) (*url.URL, error) {
	wrong := func(what string) error { return errors.New(kind.name + " " + what) }
	if raw == "" {
		return nil, wrong("is empty: " + kind.origin)
	}
	if strings.TrimSpace(raw) != raw {
		return nil, wrong("has white space around it: remove it")
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Parse quotes its input in the error: none of it goes on.
		return nil, wrong("is not a URL: " + kind.again)
	}
	if u.Opaque != "" || u.Hostname() == "" {
		return nil, wrong("has no host: it must look like " + kind.example)
	}
	if !usablePort(u.Port()) {
		return nil, wrong("has a port out of range: use 1 to 65535, or none")
	}
	if u.Fragment != "" {
		return nil, wrong("has a fragment (#…): remove it")
	}
	switch {
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, wrong("is http on an address that is not loopback: use https, since " + kind.secrecy)
	}
	return nil, wrong("has an unusable scheme: use https (http only to a loopback address)")
}

func usablePort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n >= 1 && n <= 65535
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
// What is no URL becomes "…" as a whole, and so does one with an @ behind what
// looks like its host: of user:12#3@host a parser takes 'user:12' for that.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User == nil && strings.Contains(raw, "@") {
		return "…"
	}
	return u.Scheme + "://" + u.Host + "/…"
}
