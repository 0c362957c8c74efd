package browsertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a test that only notes its errors.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Errorf(_ string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range args {
		if s, ok := a.(string); ok {
			r.errors = append(r.errors, s)
		}
	}
}

func serve(t *testing.T, page string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'self' 'unsafe-inline' data: http:")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestProblemsAreFound(t *testing.T) {
	t.Parallel()
	other := serve(t, "elsewhere")
	here := serve(t, `<link rel=icon href="data:,"><body><script>
		console.error("said aloud");
		fetch("`+other+`/x").catch(() => {}).finally(() => { document.body.append("over"); setTimeout(() => { throw new Error("not caught") }) });
	</script>`)
	r := &recorder{TB: t}
	t.Run("page", func(t *testing.T) {
		r.TB = t
		tab := Open(r, here)
		tab.Run(chromedp.Navigate(here))
		tab.Until(`document.body.innerText.includes("over")`)
		tab.Expect("said aloud")
		tab.Picture("problems")
	})
	all := strings.Join(r.errors, "\n")
	for _, want := range []string{"request to " + other, "not caught"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was not noticed; what was: %s", want, all)
		}
	}
	if strings.Contains(all, "said aloud") {
		t.Error("an expected problem failed the test")
	}
}

func TestQuietPage(t *testing.T) {
	t.Parallel()
	here := serve(t, `<meta name=viewport content="width=device-width"><link rel=icon href="data:,"><body>well`)
	tab := Open(t, here)
	tab.Phone()
	tab.Dark(true)
	tab.Run(chromedp.Navigate(here))
	tab.Until(`matchMedia("(prefers-color-scheme: dark)").matches && innerWidth === 390`)
}
