package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ghlsync/internal/browsertest"
	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

// open opens a page of the rig in a browser.
func (r *rig) open(path string) *browsertest.Tab {
	r.t.Helper()
	tab := browsertest.Open(r.t, "http://"+r.Addr())
	tab.Desktop()
	tab.Dark(false)
	tab.Run(chromedp.Navigate(r.url(path)))
	return tab
}

func goTo(tab *browsertest.Tab, r *rig, path string) {
	tab.Run(chromedp.Navigate(r.url(path)))
}

// looks keeps pictures of a page as people see it.
func looks(tab *browsertest.Tab, name string) {
	tab.Picture(name + "-light")
	tab.Dark(true)
	tab.Picture(name + "-dark")
	tab.Phone()
	tab.Picture(name + "-phone")
	// Nothing is wider than the phone.
	tab.Until(`document.documentElement.scrollWidth <= innerWidth`)
	tab.Desktop()
	tab.Dark(false)
}

// sees waits until an expression is true of whatever page the tab comes to show:
// while it goes from one to the next there is none.
func (r *rig) sees(tab *browsertest.Tab, expression string) {
	r.t.Helper()
	defer func() {
		if r.t.Failed() {
			text, _ := chromedp.Run(tab, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText")) // only to say more
			r.t.Log(text)
		}
	}()
	r.until(expression, func() bool {
		ok, err := chromedp.Run(tab, chromedp.Evaluate[bool]("!!("+expression+")"))
		return ok && err == nil
	})
}

func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Held("held-1"), mappingtest.Assumed("assumed"), mappingtest.Untranslatable("client gone"))
	r.past()
	r.want("event-1753862400.123456", "event-1753862401.5")
	r.want(odd...)
	for _, id := range odd {
		r.is(id, state.Synced)
	}
	r.refused("event-1753862402.77")
	tab := r.open("/")
	tab.Until(`document.querySelectorAll(".chart canvas").length === 4`)
	tab.Until(`document.querySelector("time").textContent.length < 20`) // it is in the viewer's zone
	looks(tab, "overview")
	goTo(tab, r, "/mappings")
	looks(tab, "mappings")
	goTo(tab, r, eventURL("event-1753862402.77"))
	looks(tab, "event")
	goTo(tab, r, "/confirm/release?back=/")
	looks(tab, "confirm")
	for _, id := range odd {
		goTo(tab, r, "/mappings?status=synced")
		tab.Run(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("tbody th a")].find(a => a.textContent === ` + js(id) + `).click()`))
		r.sees(tab, `document.querySelector("h1")?.textContent === `+js(id)+` && document.querySelector("pre")?.textContent.includes("bait@example.com")`)
	}
}

func TestRetryAndLiveUpdates(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.refused("unlucky")
	tab := r.open("/")
	r.sees(tab, `document.title.includes("degraded")`)
	// What comes while the page is open shows by itself.
	r.want("newcomer")
	r.sees(tab, `document.querySelector("a[href='/mappings?status=synced']").textContent === "1"`)
	r.want("second")
	r.sees(tab, `document.querySelector("a[href='/mappings?status=synced']").textContent === "2"`)
	tab.Run(chromedp.Click("#do-retry"))
	r.sees(tab, `document.querySelector(".note.done")?.textContent.includes("1 event is tried again.")`)
	r.is("unlucky", state.Synced)
	r.sees(tab, `document.querySelector("#do-retry").disabled && document.body.innerText.includes("nothing has failed")`)
	r.sees(tab, `document.title === "✓ ok – Overview – ghlsync" && document.querySelector(".pill").textContent.includes("ok")`)
	r.sees(tab, `!location.search.includes("note")`)
	looks(tab, "well")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	tab := r.open("/")
	tab.Run(chromedp.Click("#do-pause"))
	r.sees(tab, `document.querySelector(".note.done")?.textContent.includes("Delivery is paused")`)
	if s := r.deliverer.Status(); !s.Paused {
		t.Fatalf("delivery runs: %+v", s)
	}
	r.want("waiting")
	r.sees(tab, `document.querySelector("a[href='/mappings?status=pending']").textContent === "1"`)
	if calls := r.ghl.Stats().Requests; calls != 0 {
		t.Errorf("%d calls left while delivery was paused", calls)
	}
	looks(tab, "paused")
	tab.Run(chromedp.Click("#do-pause"))
	r.sees(tab, `document.querySelector(".note.done")?.textContent.includes("Delivery goes on")`)
	r.is("waiting", state.Synced)
}

func TestHeldWithTheKeyboard(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Held("kept"), mappingtest.Held("also kept"))
	tab := r.open("/")
	tab.Run(chromedp.Focus("#do-drop"), chromedp.KeyEvent(kb.Enter))
	r.sees(tab, `document.querySelector(".grave")?.textContent === "Drop 2 held deletions"`)
	tab.Run(chromedp.Focus(".grave"), chromedp.KeyEvent(" "))
	r.sees(tab, `document.querySelector(".note.done")?.textContent.includes("2 deletions were dropped")`)
	r.is("kept", state.Synced)
	if calls := r.ghl.Stats().Requests; calls != 0 {
		t.Errorf("%d calls for what was dropped", calls)
	}
}

// A part that is replaced keeps the focus that was in it, and nothing is replaced
// while a key is down.
func TestReplacedPartsDoNotDisturb(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	tab := r.open("/")
	tab.Run(chromedp.Focus("#do-pause"), chromedp.Evaluate[chromedp.Void](`window.old = document.querySelector("#do-pause"); dispatchEvent(new Event("pointerdown"))`))
	r.refused("unlucky")
	r.sees(tab, `document.title.includes("degraded")`)
	tab.Until(`old.isConnected && document.querySelector("#do-retry").disabled`)
	tab.Run(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("pointerup"))`))
	r.sees(tab, `!old.isConnected && document.activeElement.id === "do-pause" && !document.querySelector("#do-retry").disabled`)
}

func TestLogInInABrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token", mappingtest.Synced("1"))
	tab := r.open("/mappings?status=synced")
	tab.Expect("401") // which the console tells of
	r.sees(tab, `location.pathname === "/login" && document.activeElement.id === "token"`)
	looks(tab, "login")
	tab.Run(chromedp.SendKeys("#token", "another"), chromedp.KeyEvent(kb.Enter))
	r.sees(tab, `document.querySelector("form .note.error")?.textContent.includes("The token is missing or wrong.")`)
	if text, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.documentElement.outerHTML`)); err != nil || strings.Contains(text, "ghl-1") {
		t.Errorf("a wrong token sees %s, %v", text, err)
	}
	tab.Run(chromedp.SendKeys("#token", "a-token"), chromedp.KeyEvent(kb.Enter))
	r.sees(tab, `location.pathname + location.search === "/mappings?status=synced" && document.querySelector("tbody a")`)
	r.sees(tab, `document.cookie === ""`) // no script can read it
	looks(tab, "logged-in")
	tab.Run(chromedp.Click("header form button"))
	r.sees(tab, `location.pathname === "/login"`)
	goTo(tab, r, "/")
	r.sees(tab, `location.pathname === "/login"`)
}

func TestLostConnectionIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	tab := r.open("/")
	tab.Expect("ERR_") // of the stream that ends
	r.sees(tab, `performance.getEntriesByType("resource").length > 3 && document.title.includes("ok")`)
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.sees(tab, `!document.querySelector("#stale").hidden && document.title.startsWith("? no connection")`)
	tab.Picture("stale")
}

// Browsers have few connections to a server, so a page that nobody sees takes none.
func TestHiddenPagesLeaveTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	tab := r.open("/")
	streams := func(n int) func() bool { return func() bool { return len(r.dash.live.streams) == n } }
	r.until("the page is kept up to date", streams(1))
	// At once, not at the next message, at which a hidden page leaves in any case.
	hide := func(hidden, did string) {
		tab.Until(`(() => {
			window.did = "";
			const close = EventSource.prototype.close, Source = EventSource;
			EventSource.prototype.close = function() { did += "closed"; close.call(this); };
			window.EventSource = function(url) { did += "opened"; return new Source(url); };
			EventSource.prototype = Source.prototype; EventSource.CLOSED = Source.CLOSED;
			Object.defineProperty(document, "hidden", {value: ` + hidden + `, configurable: true});
			document.dispatchEvent(new Event("visibilitychange"));
			EventSource.prototype.close = close;
			window.EventSource = Source;
			return did.endsWith("` + did + `");
		})()`)
	}
	hide("true", "closed")
	r.until("it has left", streams(0))
	r.refused("unlucky")
	hide("false", "opened")
	r.until("it is back", streams(1))
	r.sees(tab, `document.title.includes("degraded")`)
}

// The page of an event that waits tells by itself when it has arrived.
func TestEventPageFollows(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.visitor().post("/do/pause")
	r.want("waiting")
	tab := r.open(eventURL("waiting"))
	r.sees(tab, `document.querySelector(".headline").textContent.includes("It is on its way to GHL.")`)
	r.visitor().post("/do/resume")
	r.sees(tab, `document.querySelector(".headline").textContent.includes("GHL shows what Sentra has.") && !document.querySelector("main[data-fresh]")`)
}

// Another site's page posts a form to the daemon, in the browser of somebody who has
// logged in.
func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<link rel=icon href="data:,"><form method=post action=%q><button>Win</button></form>`, r.url("/do/pause"))
	}))
	t.Cleanup(other.Close)
	evil := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) // another site, and this machine
	tab := browsertest.Open(t, evil, "http://"+r.Addr())
	tab.Expect("403") // which the console tells of
	tab.Run(chromedp.Navigate(evil), chromedp.Click("button"))
	r.sees(tab, `location.pathname === "/do/pause" && document.body.innerText.includes("cross-origin")`)
	if r.deliverer.Status().Paused {
		t.Error("another site has paused delivery")
	}
}
