package callback

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"ghlsync/ghl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var nine = time.Date(2024, 1, 15, 9, 0, 0, 0, time.UTC)

func TestDecode(t *testing.T) {
	t.Parallel()
	success := Report{EventID: "1", AppointmentID: "ghl_1"}
	for body, want := range map[string]Report{
		`{"sentra_event_id":"1","appointment_id":"ghl_1"}`:                                              success,
		`{"sentra_event_id":1,"ghl_appointment_id":" ghl_1 ","success":"true"}`:                         success,
		`{"sentra_event_id":"1","calendar":{"appointmentId":"ghl_1"},"id":"contact"}`:                   success,
		`{"sentra_event_id":"1","calendar.appointmentId":"ghl_1"}`:                                      success,
		`{"customData":{"sentra_event_id":"1"},"calendar":{"appointmentId":"ghl_1"}}`:                   success,
		`{"sentra_event_id":"x","customData":{"sentra_event_id":"1","appointment_id":"ghl_1"}}`:         success,
		`{"sentra_event_id":"1","appointment_id":"","ghl_appointment_id":"ghl_1"}`:                      success,
		`{"sentra_event_id":"1","appointment_id":"{{appointment.id}}"}`:                                 {EventID: "1"},
		`{"sentra_event_id":"1","appointment_id":"two words","calendar":7}`:                             {EventID: "1"},
		`{"sentra_event_id":"1","appointment_id":".."}`:                                                 {EventID: "1"},
		`{"sentra_event_id":"1","appointment_id":"../contacts/7","calendar":{"appointmentId":"ghl_1"}}`: success,
		`{"sentra_event_id":"a/b c é"}`:                                                                 {EventID: "a/b c é"},
		`{"sentra_event_id":"1","success":false,"error_code":"CONTACT_NOT_FOUND"}`:                      {EventID: "1", Failed: true, Code: "CONTACT_NOT_FOUND"},
		`{"sentra_event_id":"1","success":"False","error_code":"bait@example.com"}`:                     {EventID: "1", Failed: true, Code: ghl.CodeGHLError},
		`{"sentra_event_id":"1","event_type":"calendar_event_updated","created_at":"2024-01-15T10:00:00.7+01:00","updated_at":"2024-01-15T09:00:00Z"}`: {
			EventID: "1", Operation: ghl.Updated, CreatedAt: nine, UpdatedAt: nine,
		},
		`{"sentra_event_id":"1","event_type":"onboarding","created_at":"yesterday","updated_at":null}`: {EventID: "1"},
	} {
		got, err := Decode([]byte(body))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", body, err, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		``: ErrNotJSON, `[]`: ErrNotJSON, `null`: ErrNotJSON, `{"a":`: ErrNotJSON, `{} {}`: ErrNotJSON,
		`{}`: ErrNoEvent, `{"sentra_event_id":""}`: ErrNoEvent, `{"sentra_event_id":{"a":1}}`: ErrNoEvent, `{"sentra_event_id":true}`: ErrNoEvent,
		`{"sentra_event_id":"{{x}}"}`: ErrNoEvent, `{"sentra_event_id":"a\u0000"}`: ErrNoEvent, `{"sentra_event_id":-1}`: ErrNoEvent,
		`{"sentra_event_id":"` + strings.Repeat("x", maxEventID+1) + `"}`: ErrNoEvent,
	} {
		if _, err := Decode([]byte(body)); !errors.Is(err, want) {
			t.Errorf("%.60s: %v, want %v", body, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"sentra_event_id":"1","appointment_id":"ghl_1","created_at":"2024-01-15T09:00:00Z"}`))
	f.Add([]byte(`{"customData":{"sentra_event_id":7,"success":"false","error_code":"X"},"calendar":{"appointmentId":5}}`))
	f.Add([]byte(`{"type":"AppointmentUpdate","appointment":{"id":"a"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Decode(body)
		if err == nil && (r.EventID == "" || len(r.EventID) > maxEventID || strings.ContainsFunc(r.EventID, unicode.IsControl)) {
			t.Errorf("event id %q", r.EventID)
		}
		c, _ := DecodeApp(body)
		for _, s := range []string{r.AppointmentID, r.Code, c.AppointmentID, string(c.Kind)} {
			if len(s) > 255 || strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }) {
				t.Errorf("%q may not be logged", s)
			}
		}
		if (err == nil || c != Change{}) && !json.Valid(body) {
			t.Error("made something of what is not JSON")
		}
	})
}

const secretText = "0123456789abcdef0123"

func TestBearer(t *testing.T) {
	t.Parallel()
	s := NewSecret(secretText)
	for header, want := range map[string]error{
		"Bearer " + secretText: nil, "bearer  " + secretText + " ": nil,
		"": ErrSecret, "Bearer": ErrSecret, secretText: ErrSecret, "Basic " + secretText: ErrSecret,
		"Bearer " + secretText + "4": ErrSecret, "Bearer " + secretText[1:]: ErrSecret,
	} {
		if err := s.CheckBearer(http.Header{"Authorization": {header}}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", header, err, want)
		}
	}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	s, body := NewSecret(secretText), []byte(`{"sentra_event_id":"1"}`)
	signed := func(change func(http.Header)) http.Header {
		h := http.Header{}
		s.Sign(h, body, nine)
		if change != nil {
			change(h)
		}
		return h
	}
	for name, c := range map[string]struct {
		h    http.Header
		body string
		now  time.Time
		want error
	}{
		"right":         {signed(nil), string(body), nine, nil},
		"just in time":  {signed(nil), string(body), nine.Add(ReplayWindow), nil},
		"replayed":      {signed(nil), string(body), nine.Add(ReplayWindow + time.Second), ErrReplay},
		"of the future": {signed(nil), string(body), nine.Add(-ReplayWindow - time.Second), ErrReplay},
		"other body":    {signed(nil), string(body) + " ", nine, ErrSignature},
		"made younger":  {signed(func(h http.Header) { h.Set(HeaderTimestamp, "1705312800") }), string(body), nine.Add(time.Hour), ErrSignature},
		"no timestamp":  {signed(func(h http.Header) { h.Del(HeaderTimestamp) }), string(body), nine, ErrSignature},
		"cut":           {signed(func(h http.Header) { h.Set(HeaderSignature, h.Get(HeaderSignature)[:40]) }), string(body), nine, ErrSignature},
		"no hex":        {signed(func(h http.Header) { h.Set(HeaderSignature, "sha256="+strings.Repeat("x", 64)) }), string(body), nine, ErrSignature},
		"none":          {http.Header{}, string(body), nine, ErrSignature},
	} {
		if err := s.CheckSignature(c.h, []byte(c.body), c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	h := http.Header{}
	NewSecret(secretText+"x").Sign(h, body, nine)
	if err := s.CheckSignature(h, body, nine); !errors.Is(err, ErrSignature) {
		t.Errorf("another secret: %v", err)
	}
	// As openssl makes it of '1705309200.{"sentra_event_id":"1"}'.
	fixed := http.Header{}
	fixed.Set(HeaderTimestamp, "1705309200")
	fixed.Set(HeaderSignature, "sha256=81e10f129af72b4d2aaa5da26b5e80b300f4df60e1aaaec0dbc5ff7d123911e8")
	if err := s.CheckSignature(fixed, body, nine); err != nil {
		t.Errorf("another implementation's: %v", err)
	}
}

func FuzzSignature(f *testing.F) {
	h := http.Header{}
	NewSecret(secretText).Sign(h, []byte("x"), nine)
	f.Add(h.Get(HeaderSignature), h.Get(HeaderTimestamp), []byte("x"))
	f.Add("sha256=", "", []byte(nil))
	f.Add("sha256=zz", "-1", []byte("y"))
	f.Fuzz(func(t *testing.T, signature, stamp string, body []byte) {
		s := NewSecret(secretText)
		given := http.Header{}
		given.Set(HeaderSignature, signature)
		given.Set(HeaderTimestamp, stamp)
		raw, ok := parseSignature(given.Get(HeaderSignature))
		if ok && len(raw) != 32 {
			t.Errorf("%d bytes of a signature", len(raw))
		}
		if err := s.CheckSignature(given, body, nine); err == nil && !bytes.Equal(raw, s.mac(given.Get(HeaderTimestamp), body)) {
			t.Errorf("%q is taken for %q", signature, body)
		}
	})
}

func TestApp(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"type":"AppointmentUpdate","appointment":{"id":"ghl_1","title":"bait"}}`)
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(private, body))
	if err := CheckApp(public, signature, body); err != nil {
		t.Error(err)
	}
	other, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other key":  CheckApp(other, signature, body),
		"other body": CheckApp(public, signature, append(body, ' ')),
		"none":       CheckApp(public, "", body),
		"N/A":        CheckApp(public, "N/A", body),
		"cut":        CheckApp(public, signature[:40], body),
		"no key":     CheckApp(nil, signature, body),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(der),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})) + "\n",
	} {
		if got, err := ParsePublicKey(text); err != nil || !got.Equal(public) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "x", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"} {
		if _, err := ParsePublicKey(text); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDecodeApp(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]Change{
		`{"type":"AppointmentUpdate","appointment":{"id":"ghl_1"}}`: {Updated, "ghl_1"},
		`{"type":"AppointmentDelete","appointment":{"id":"ghl_1"}}`: {Deleted, "ghl_1"},
		`{"type":"AppointmentCreate","appointment":{"id":"ghl_1"}}`: {Other, "ghl_1"},
		`{"type":"AppointmentDelete","appointment":{"id":""}}`:      {},
		`{"type":"ContactUpdate","id":"ghl_1"}`:                     {},
		`{"type":7,"appointment":[]}`:                               {},
	} {
		if got, err := DecodeApp([]byte(body)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	if _, err := DecodeApp([]byte("[]")); !errors.Is(err, ErrNotJSON) {
		t.Error(err)
	}
}
