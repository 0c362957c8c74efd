package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestValuesFromFiles(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2-hunter2"
	c, warnings, err := Load(t.Context(), FromMap(map[string]string{
		"SENTRA_DATABASE_URL_FILE": written(t, "postgres://localhost/sentra\n"),
		"GHL_WEBHOOK_URL_FILE":     written(t, "https://example.com/hooks/hunter2\r\n"),
		"GHL_API_TOKEN_FILE":       written(t, "a"),
		"HTTP_TOKEN_FILE":          written(t, "b"),
		"CALLBACK_SECRET_FILE":     written(t, secret+"\n"),
		"STATE_URL_FILE":           written(t, "sqlite:/var/lib/x.db\n"),
	}), All()...)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	got := []string{c.Sentra.DatabaseURL.Reveal(), c.GHL.WebhookURL.Reveal(), c.GHL.APIToken.Reveal(), c.HTTP.Token.Reveal(), c.HTTP.CallbackSecret.Reveal(), c.State.URL.Path}
	if want := "postgres://localhost/sentra https://example.com/hooks/hunter2 a b " + secret + " /var/lib/x.db"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
	for _, s := range c.Redacted() {
		if s.Name == "CALLBACK_SECRET" && (s.Value != "set" || s.Origin != FromItsFile) {
			t.Errorf("shown as %+v", s)
		}
	}
}

func TestFilesThatGiveNoValue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"both":      {map[string]string{"HTTP_TOKEN": "hunter2", "HTTP_TOKEN_FILE": "/nowhere"}, "HTTP_TOKEN=set: is set, and HTTP_TOKEN_FILE too; set one of the two"},
		"missing":   {map[string]string{"CALLBACK_SECRET_FILE": filepath.Join(t.TempDir(), "none")}, "CALLBACK_SECRET: CALLBACK_SECRET_FILE names a file that cannot be read: no such file"},
		"empty":     {map[string]string{"CALLBACK_SECRET_FILE": written(t, "\n")}, "CALLBACK_SECRET_FILE names a file that is empty"},
		"required":  {map[string]string{"GHL_WEBHOOK_URL": "", "GHL_WEBHOOK_URL_FILE": "/nowhere/at/all"}, "GHL_WEBHOOK_URL: GHL_WEBHOOK_URL_FILE names"},
		"too short": {map[string]string{"CALLBACK_SECRET_FILE": written(t, "hunter2")}, "CALLBACK_SECRET=set: has less than 16 characters"},
		"a blank":   {map[string]string{"CALLBACK_SECRET": "hunter2 hunter2 hunter2"}, "CALLBACK_SECRET=set: holds characters"},
		"a bad key": {map[string]string{"GHL_APP_PUBLIC_KEY": "hunter2"}, "GHL_APP_PUBLIC_KEY=set: is not an Ed25519 public key"},
		"a drift":   {map[string]string{"GHL_DRIFT": "mend"}, "GHL_DRIFT=mend: is not one of the choices; use report or restore"},
	} {
		_, _, err := Load(t.Context(), required(c.env), All()...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "a problem:") {
			t.Errorf("%s is told more than once: %v", name, err)
		}
	}
	if _, _, err := Load(t.Context(), required(map[string]string{"CALLBACK_SECRET_FILE": "/nowhere"}), NeedState); err != nil {
		t.Errorf("a secret that is not needed: %v", err)
	}
	if _, warnings, _ := Load(t.Context(), required(map[string]string{"GHL_RATE_FILE": "x"}), NeedState); len(warnings) != 1 {
		t.Errorf("a file for what takes none: %q", warnings)
	}
}
