package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"ghlsync/ghl"
	"ghlsync/internal/config"
	"ghlsync/internal/version"
)

// connectLimit bounds the way to GHL, and renewal is how long before its end a
// certificate is told of.
const (
	connectLimit = 8 * time.Second
	renewal      = 14 * 24 * time.Hour
)

// target is GHL under examination, as far as the way to it and the webhook go.
type target struct {
	options  Options
	variable string // that has the address

	url      *url.URL
	cfg      config.Config
	notAfter time.Time // of the certificate; zero without one
}

// targetChecks are those of the mode. What is wrong with the setting is for the
// check of the settings to tell.
func targetChecks(ctx context.Context, o Options) []check {
	if cfg, _, _ := config.Load(ctx, o.Environment); cfg.GHL.Mode == config.API {
		return (&calendarAPI{target: &target{options: o, variable: apiURL}}).checks()
	}
	return (&target{options: o, variable: webhookURL}).checks()
}

func (t *target) checks() []check {
	all := []check{
		{"webhook", nil, t.reach},
		{"certificate", []string{"webhook"}, t.certificate},
	}
	if t.options.SendTest {
		all = append(all, check{"send_test", []string{"webhook"}, t.send})
	}
	return all
}

// reach resolves, connects and shakes hands. Nothing is sent.
func (t *target) reach(ctx context.Context) Result {
	cfg, wrong := needing(ctx, t.options.Environment, t.variable, config.NeedGHL)
	if wrong != nil {
		return *wrong
	}
	address, parse := cfg.GHL.WebhookURL.Reveal(), ghl.ParseWebhookURL
	if t.variable == apiURL {
		address, parse = cfg.GHL.APIURL, ghl.ParseAPIURL
	}
	u, err := parse(address)
	if err != nil {
		return failure(err)
	}
	t.url, t.cfg = u, cfg
	if !cfg.GHL.WebhookEnabled {
		return Result{
			Status: Warn, Detail: "GHL_WEBHOOK_ENABLED is false: changes are kept, and nothing is sent",
			Mend: "set GHL_WEBHOOK_ENABLED=true",
		}
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil || proxy != nil {
		return t.throughProxy(ctx, proxy, err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	if err := t.shakeHands(ctx); err != nil {
		return t.unreachable(err)
	}
	return good("%s answers", t.url.Host)
}

// throughProxy: a handshake beyond a proxy would need a request.
func (t *target) throughProxy(ctx context.Context, proxy *url.URL, err error) Result {
	if err != nil {
		// Its text may hold the proxy's password.
		return Result{Status: Fail, Detail: "the proxy in the environment is not usable", Mend: "set HTTPS_PROXY to http://HOST:PORT, or unset it"}
	}
	dialer := net.Dialer{Timeout: connectLimit}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port(proxy)))
	if err != nil {
		return Result{Status: Fail, Detail: "the proxy " + proxy.Host + " cannot be reached: " + reason(err), Mend: "check HTTPS_PROXY and NO_PROXY"}
	}
	_ = conn.Close() // nothing was said
	if t.variable == apiURL {
		return good("the proxy %s answers; what is beyond it, the next checks tell", proxy.Host)
	}
	return good("the proxy %s answers; what is beyond it, --send-test tells", proxy.Host)
}

func (t *target) shakeHands(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(t.url.Hostname(), port(t.url)))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was said
	if t.url.Scheme != "https" {
		return nil
	}
	secure := tls.Client(conn, &tls.Config{
		ServerName: t.url.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: t.options.Roots, Time: t.options.Now,
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	t.notAfter = secure.ConnectionState().PeerCertificates[0].NotAfter
	return nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
}

// unreachable tells why; a host and a port are all that the errors hold.
func (t *target) unreachable(err error) Result {
	r := Result{Status: Fail, Detail: t.url.Host + ": " + reason(err)}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		r.Mend = "check the host name in " + t.variable + ", and this machine's name servers"
	case errors.As(err, &certificate):
		r.Mend = "check that " + t.variable + " names the right host, this machine's clock, and its list of authorities (ca-certificates)"
	default:
		r.Mend = "check " + t.variable + ", and that this machine may connect to it"
	}
	return r
}

func (t *target) certificate(context.Context) Result {
	switch left := t.notAfter.Sub(t.options.Now()); {
	case !t.cfg.GHL.WebhookEnabled:
		return skip("nothing is sent")
	case t.url.Scheme != "https":
		return skip("there is none: plain HTTP, which stays on this machine")
	case t.notAfter.IsZero():
		return skip("it is beyond the proxy")
	case left < renewal:
		return Result{
			Status: Warn, Detail: fmt.Sprintf("ends on %s, in %d days", t.notAfter.UTC().Format(time.DateOnly), int(left.Hours()/24)),
			Mend: "have it renewed by who runs " + t.url.Host,
		}
	}
	return good("is valid until %s", t.notAfter.UTC().Format(time.DateOnly))
}

// testEvent is of no event in Sentra. To delete what does not exist changes
// nothing.
const testEvent = "ghlsync-doctor-test"

// send makes the one call that was asked for.
func (t *target) send(ctx context.Context) Result {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return failure(fmt.Errorf("name the call: %w", err))
	}
	w, err := ghl.NewWebhook(ghl.WebhookOptions{
		URL: t.url.String(), Timeout: min(t.cfg.GHL.Timeout, checkLimit), Concurrency: 1, Version: version.Read().String(),
	})
	if err != nil {
		return failure(err)
	}
	defer w.Close()
	result := w.Send(ctx, ghl.Request{
		Operation: ghl.Deleted, EventID: testEvent, DeliveryID: "doctor-" + hex.EncodeToString(random),
		Body: ghl.Envelope(ghl.Deleted, testEvent, "", nil),
	})
	return judgeAnswer("event", result)
}

// judgeAnswer is about the deletion of an event or an appointment named testEvent.
func judgeAnswer(deleted string, result ghl.Result) Result {
	answer := answerOf(result)
	switch result.Outcome {
	case ghl.Delivered, ghl.NotFound:
		return good("the deletion of %s %s was taken: %s", deleted, testEvent, answer)
	case ghl.Paused:
		return Result{Status: Fail, Detail: answer, Mend: ghl.Explain(result.Code)}
	default:
		return Result{Status: Warn, Detail: answer, Mend: ghl.Explain(result.Code)}
	}
}

// answerOf shows how a call ended.
func answerOf(result ghl.Result) string {
	answer := result.Outcome.String()
	if result.Code != "" {
		answer += " " + result.Code
	}
	if result.HTTPStatus != 0 {
		answer += fmt.Sprintf(" (HTTP %d)", result.HTTPStatus)
	}
	return answer
}
