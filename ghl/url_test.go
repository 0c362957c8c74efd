package ghl_test

import (
	"strings"
	"testing"

	"ghlsync/ghl"
)

func TestParseWebhookURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://services.leadconnectorhq.com/hooks/LOC/webhook-trigger/5a7d0b0e-0000-4000-8000-000000000001",
		"https://relay.example:8443/x?key=1", "https://user:secret@relay.example/x",
		"http://127.0.0.1:8090/hooks/a/webhook-trigger/b", "http://localhost/x", "http://[::1]:80/x",
	} {
		if _, err := ghl.ParseWebhookURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, mend := range map[string]string{
		"":                                         "copy it",
		" https://h.example/topsecret":             "white space",
		"https://h.example/topsecret\n":            "white space",
		"https://h.example/top\x7fsecret":          "copy it again",
		"https://h.example/%zztopsecret":           "copy it again",
		"://topsecret":                             "copy it again",
		"services.example/hooks/topsecret":         "no host",
		"https:///hooks/topsecret":                 "no host",
		"https:topsecret":                          "no host",
		"https://h.example:99999/topsecret":        "1 to 65535",
		"https://h.example/x#topsecret":            "fragment",
		"http://h.example/hooks/topsecret":         "use https",
		"http://192.168.0.1/topsecret":             "use https",
		"ftp://h.example/topsecret":                "use https",
		"http://localhost.evil.example/topsecret":  "use https",
		"http://127.0.0.1.evil.example/topsecret":  "use https",
		"http://user:topsecret@127.0.0.1.example/": "use https",
	} {
		_, err := ghl.ParseWebhookURL(bad)
		if err == nil || !strings.Contains(err.Error(), mend) {
			t.Errorf("%q: %v, want %q", bad, err, mend)
			continue
		}
		if strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "h.example") {
			t.Errorf("%q: the error shows it: %v", bad, err)
		}
	}
}

func TestParseAPIURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://services.leadconnectorhq.com", "https://relay.example:8443/ghl/", "http://127.0.0.1:8090"} {
		if _, err := ghl.ParseAPIURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, mend := range map[string]string{
		"": "leadconnectorhq", "http://h.example": "use https", "https://user:topsecret@h.example": "credentials",
		"https://h.example/?key=topsecret": "a query", "https://h.example/%zztopsecret": "without quotes",
	} {
		_, err := ghl.ParseAPIURL(bad)
		if err == nil || !strings.Contains(err.Error(), mend) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v, want %q", bad, err, mend)
		}
	}
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://services.example/hooks/topsecret?x=y#z": "https://services.example/…",
		"https://user:topsecret@relay.example:8443/a":    "https://relay.example:8443/…",
		"http://127.0.0.1:8090/hooks/topsecret":          "http://127.0.0.1:8090/…",
		"postgres://user:12#topsecret@db.example/a":      "…",
		"postgres://user:12?topsecret@db.example/a":      "…",
		"postgres://user:12/topsecret@db.example/a":      "…",
		"topsecret": "…", "https://%zz/topsecret": "…", "": "…", "mailto:topsecret": "…",
	} {
		if got := ghl.RedactURL(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}
