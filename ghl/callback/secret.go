package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed callback. The signature is "sha256=" and the hex
// digits of HMAC-SHA256 with the secret over the timestamp's text, a dot, and the
// raw body; the timestamp is in whole seconds since 1970.
const (
	HeaderSignature = "X-Ghlsync-Signature"
	HeaderTimestamp = "X-Ghlsync-Timestamp"
)

// ReplayWindow is how far the timestamp of a signed callback may be from now, in
// either direction.
const ReplayWindow = 5 * time.Minute

// MinSecret is how many bytes a secret has at least.
const MinSecret = 16

// What a check finds wrong. Neither holds a part of what was compared.
var (
	ErrSecret    = errors.New("the secret is missing or wrong")
	ErrSignature = errors.New("the signature is missing or wrong")
	ErrReplay    = errors.New("the timestamp is not of now")
)

// Secret is what a workflow and we share.
type Secret struct {
	key    []byte
	bearer [sha256.Size]byte
}

// NewSecret prepares a secret, which must not be empty.
func NewSecret(text string) Secret {
	return Secret{key: []byte(text), bearer: sha256.Sum256([]byte(text))}
}

// Signed tells whether the request is to be judged by its signature, which needs
// the body, and not by its bearer token.
func Signed(h http.Header) bool { return h.Get(HeaderSignature) != "" }

// CheckBearer judges 'Authorization: Bearer …'. It compares hashes, so that
// neither content nor length of the secret shows in the time that it takes.
func (s Secret) CheckBearer(h http.Header) error {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], s.bearer[:]) != 1 {
		return ErrSecret
	}
	return nil
}

// CheckSignature judges the signature first and the timestamp, which it covers,
// afterwards: who does not know the secret learns nothing of the clock.
func (s Secret) CheckSignature(h http.Header, body []byte, now time.Time) error {
	stamp := h.Get(HeaderTimestamp)
	got, ok := parseSignature(h.Get(HeaderSignature))
	if !ok || !hmac.Equal(got, s.mac(stamp, body)) {
		return ErrSignature
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > ReplayWindow {
		return ErrReplay
	}
	return nil
}

// Sign sets the headers of a callback that is sent now.
func (s Secret) Sign(h http.Header, body []byte, now time.Time) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderTimestamp, stamp)
	h.Set(HeaderSignature, signaturePrefix+hex.EncodeToString(s.mac(stamp, body)))
}

func (s Secret) mac(stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(stamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return mac.Sum(nil)
}

const signaturePrefix = "sha256="

// parseSignature reads "sha256=" and 64 hex digits.
func parseSignature(text string) ([]byte, bool) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(text), signaturePrefix)
	if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	raw, err := hex.DecodeString(digits)
	return raw, err == nil
}
