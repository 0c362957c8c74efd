package config

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// FuzzFile feeds files of any kind as `.env`: nothing panics, problems name a
// variable and what is wrong with it, and no secret gets into what people are shown.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"", "A", "=", "GHL_RATE=8/s\nGHL_BURST=x", "SENTRA_DATABASE_URL='postgres://u:s3cr3t@h/db'", "GHL_WEBHOOK_URL=https://h/s3cr3t/x",
		"HTTP_TOKEN=\"s3cr3t", "GHL_API_TOKEN=s3cr3t\nGHL_MODE=api", "export CDC_SLOT=$HOME", "STATE_URL=sqlite:\x00", "# s3cr3t",
		"CALLBACK_SECRET=s3cr3t\xff\nHTTP_ADDR=:::", "GHL_TIMEOUT=9999999h\nSENTRA_TIMEZONE=../../etc/passwd", "SENTRA_ECHO_PATTERN=(((",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		env := &Environment{}
		env.file, env.problem = parseFile(text)
		c, _, err := Load(context.Background(), env, All()...)
		told := ""
		if err != nil {
			told = err.Error()
			problems := (*Error)(nil)
			if !errors.As(err, &problems) || len(problems.Problems) == 0 {
				t.Fatalf("no list of problems: %v", err)
			}
			for _, p := range problems.Problems {
				if p.Name == "" || p.What == "" {
					t.Errorf("a problem without a name or a reason: %+v", p)
				}
			}
		}
		for _, s := range c.settings {
			told += "\n" + s.Value
		}
		for _, name := range []string{"SENTRA_DATABASE_URL", "GHL_WEBHOOK_URL", "GHL_API_TOKEN", "HTTP_TOKEN", "CALLBACK_SECRET"} {
			if value := env.file[name]; strings.Count(string(text), "s3cr3t") == 1 && strings.Contains(value, "s3cr3t") && strings.Contains(told, "s3cr3t") {
				t.Errorf("%s is shown: %q", name, told)
			}
		}
	})
}
