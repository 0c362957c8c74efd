package callback

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"ghlsync/ghl"
)

// HeaderAppSignature holds the signature of a marketplace app's webhook: base64
// of Ed25519 over the raw body. (The older X-WH-Signature, RSA, is not read.)
const HeaderAppSignature = "X-GHL-Signature"

// Kind is what happened to an appointment.
type Kind string

// What is of interest; everything else that GHL tells is Other.
const (
	Updated Kind = "AppointmentUpdate"
	Deleted Kind = "AppointmentDelete"
	Other   Kind = ""
)

// Change is what a marketplace app's webhook tells of an appointment.
type Change struct {
	Kind          Kind
	AppointmentID string
}

// DecodeApp reads {"type":"AppointmentUpdate","appointment":{"id":…}}. What it is
// not about an appointment's update or deletion, or has no id, is Other.
func DecodeApp(body []byte) (Change, error) {
	f, err := object(body)
	if err != nil {
		return Change{}, err
	}
	c := Change{AppointmentID: ghl.ForeignID(inner(f.root["appointment"])["id"])}
	switch kind := Kind(ghl.ForeignText(f.root["type"])); kind {
	case Updated, Deleted:
		c.Kind = kind
	}
	if c.AppointmentID == "" {
		c.Kind = Other
	}
	return c, nil
}

// ErrKey is returned for a public key that is none.
var ErrKey = errors.New("is not an Ed25519 public key")

// ParsePublicKey reads an Ed25519 public key: in PEM, or what stands between
// PEM's two lines, or base64 of the 32 bytes.
func ParsePublicKey(text string) (ed25519.PublicKey, error) {
	text = strings.TrimSpace(text)
	var der []byte
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else {
		var err error
		if der, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, ErrKey
		}
	}
	if len(der) == ed25519.PublicKeySize {
		return ed25519.PublicKey(der), nil
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, ErrKey
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, ErrKey
	}
	return key, nil
}

// CheckApp tells whether GHL signed the body. Signatures are public, so the
// comparison need not hide its time.
func CheckApp(key ed25519.PublicKey, signature string, body []byte) error {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signature))
	if err != nil || len(raw) != ed25519.SignatureSize || len(key) != ed25519.PublicKeySize {
		return ErrSignature
	}
	if !ed25519.Verify(key, body, raw) {
		return ErrSignature
	}
	return nil
}
