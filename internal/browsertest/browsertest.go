package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds a whole test in the browser. A machine with one busy core
// takes many seconds to start it.
const patience = 2 * time.Minute

// Tab is one tab of a browser that belongs to one test.
type Tab struct {
	context.Context // of the tab: chromedp's actions run in it
	t               testing.TB
	origins         []string

	mu       sync.Mutex
	problems []string
	expected []string
}

// Open starts a browser with one empty tab. Requests to other origins than the
// given ones (such as http://127.0.0.1:8089) fail the test. The browser is gone
// when the test has ended.
func Open(t testing.TB, origins ...string) *Tab {
	t.Helper()
	path, err := find()
	if err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		// Containers give /dev/shm little room, and with less the tab crashes.
		chromedp.Flag("disable-dev-shm-usage", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which refuses to run as root
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ctx, cancelBrowser := chromedp.NewExecAllocator(ctx, options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	tab := &Tab{Context: ctx, t: t, origins: origins}
	t.Cleanup(func() {
		// Cancel closes the browser and waits for it: its directory goes away next.
		if err := chromedp.Cancel(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("close the browser: %v", err)
		}
		cancelTab()
		cancelBrowser()
		cancel()
		tab.verdict()
	})
	if err := chromedp.Listen(ctx, tab.watch); err != nil {
		t.Fatalf("watch the tab: %v", err)
	}
	return tab
}

// Run runs actions and fails the test at the first one that fails.
func (tab *Tab) Run(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab, actions...); err != nil {
		tab.t.Fatalf("in the browser: %v%s", err, tab.seen())
	}
}

// Until waits until a JavaScript expression is true.
func (tab *Tab) Until(expression string) {
	tab.t.Helper()
	_, err := chromedp.Run(tab, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingTimeout(30*time.Second)))
	if err != nil {
		text, _ := chromedp.Run(tab, chromedp.Evaluate[string]("document.body.innerText")) // only to say more
		tab.t.Fatalf("%s did not become true: %v%s\nthe page reads:\n%s", expression, err, tab.seen(), text)
	}
}

// Expect says that problems which contain the text are the test's intention.
func (tab *Tab) Expect(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.expected = append(tab.expected, text)
}

// Phone gives the page the width of a phone.
func (tab *Tab) Phone() { tab.Run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile)) }

// Desktop gives the page the width of a desktop.
func (tab *Tab) Desktop() { tab.Run(chromedp.EmulateViewport(1280, 900)) }

// Dark sets the colour scheme that the page is told.
func (tab *Tab) Dark(dark bool) {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	tab.Run(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// Picture keeps the whole page as NAME.png where BROWSERTEST_PICTURES names a
// directory. The picture is taken in any case, so that taking it is tested.
func (tab *Tab) Picture(name string) {
	tab.t.Helper()
	png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		tab.t.Fatalf("take a picture: %v", err)
	}
	dir := os.Getenv("BROWSERTEST_PICTURES")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		tab.t.Fatal(err)
	}
}

// watch takes note of what must not happen. It runs on chromedp's goroutine.
func (tab *Tab) watch(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tab.note("exception: " + thrown(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			tab.note("console: " + said(e.Args))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError {
			tab.note(fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if !tab.allows(e.Request.URL) {
			tab.note("request to " + e.Request.URL)
		}
	}
}

func thrown(d *runtime.ExceptionDetails) string {
	if d.Exception == nil {
		return d.Text
	}
	return d.Text + " " + d.Exception.Description
}

func said(args []*runtime.RemoteObject) string {
	words := make([]string, 0, len(args))
	for _, arg := range args {
		words = append(words, strings.TrimSpace(string(arg.Value)+" "+arg.Description))
	}
	return strings.Join(words, " ")
}

func (tab *Tab) allows(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "data", "blob", "about":
		return true // nothing leaves the page
	}
	return slices.Contains(tab.origins, u.Scheme+"://"+u.Host)
}

func (tab *Tab) note(problem string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.problems = append(tab.problems, problem)
}

// seen lists the problems so far, for the message of another failure.
func (tab *Tab) seen() string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if len(tab.problems) == 0 {
		return ""
	}
	return "\nthe page had problems:\n" + strings.Join(tab.problems, "\n")
}

func (tab *Tab) verdict() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, problem := range tab.problems {
		meant := func(text string) bool { return strings.Contains(problem, text) }
		if !slices.ContainsFunc(tab.expected, meant) {
			tab.t.Errorf("the page had a problem: %s", problem)
		}
	}
}
