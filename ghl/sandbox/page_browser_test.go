package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/browsertest"
)

// open starts a sandbox and has its page in a browser, live.
func open(t *testing.T, o sandbox.Options) (*rig, *browsertest.Tab) {
	t.Helper()
	r := start(t, o)
	tab := browsertest.Open(t, r.URL())
	tab.Desktop()
	tab.Run(chromedp.Navigate(r.URL() + "/"))
	tab.Until(isLive)
	return r, tab
}

const isLive = `document.documentElement.dataset.live === "yes"`

// onDay is a create of an event days from today.
func onDay(id, kind, title string, days int, at string) string {
	date := time.Now().AddDate(0, 0, days).Format(time.DateOnly)
	data := strings.NewReplacer("2024-01-15\"", date+"\"", "Onboarding Session", title, `"onboarding"`, `"`+kind+`"`, "10:00", at).
		Replace(eventData(id))
	return string(ghl.Envelope(ghl.Created, id, "", []byte(data)))
}

// shows is JavaScript for: an element has the text.
func shows(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text)
}

func count(selector string) string {
	return fmt.Sprintf(`document.querySelectorAll(%q).length`, selector)
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func TestPageIsLive(t *testing.T) {
	t.Parallel()
	r, tab := open(t, sandbox.Options{})
	r.mustSend(t, "d1", onDay("e1", "onboarding", "Kick-off", 0, "10:00"))
	tab.Until(shows(".entry.onboarding.new .title", "Kick-off"))
	tab.Until(shows("#count-created.changed b", "1"))
	tab.Until(shows("#request-1 .answered", "200") + "&&" + shows("#request-1 .did", "done"))

	edited := strings.Replace(eventData("e1"), "2024-01-15\"", time.Now().Format(time.DateOnly)+"\"", 2)
	r.mustSend(t, "d2", string(ghl.Envelope(ghl.Updated, "e1", "ghl_000001", []byte(edited))))
	tab.Until(shows("#entry-ghl_000001.changed .title", "Onboarding Session"))

	tab.Run(click("#request-2 summary"))
	tab.Until(shows("#request-2 pre", `"event_title": "Onboarding Session"`))
	r.mustSend(t, "d3", body(ghl.Deleted, "e1", "ghl_000001"))
	tab.Until(shows(".entry.gone .title", "Onboarding Session"))
	tab.Until(count(".entry") + " === 0")
	tab.Until(`document.querySelector("#log > li").id === "request-3" && document.querySelector("#request-2 details").open`)
}

func TestPageKnobs(t *testing.T) {
	t.Parallel()
	r, tab := open(t, sandbox.Options{})
	tab.Run(chromedp.SetValue(chromedp.CSS("[name=count]"), "1"), click("[value=unavailable]"))
	tab.Until(shows("#rules-in-force", `"status": 503`))
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); a.status != 503 {
		t.Errorf("after the button: status %d, want 503", a.status)
	}
	tab.Until(shows("#well", "All is well") + "&&" + shows("#request-1 .answered.odd", "503") + "&&" + shows("#request-1 .did", "not done"))
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); a.status != 200 {
		t.Errorf("after the count: status %d, want 200", a.status)
	}

	tab.Run(chromedp.SetValue(chromedp.CSS("[name=count]"), "0"), chromedp.SetValue(chromedp.CSS("[name=percent]"), "40"), click("[value=inactive]"))
	tab.Until(shows("#rules-in-force", `"probability": 0.4`))
	tab.Run(click("form[action$='/well'] button"))
	tab.Until(shows("#well", "All is well"))

	tab.Run(click(".knobs summary"), chromedp.SetValue(chromedp.CSS("#rules"), `{"status": 77}`), click("form[action$='/rules'] button"))
	tab.Expect("400 (Bad Request)")
	tab.Until(shows("form[action$='/rules'] output", "status 77 is out of range"))
	tab.Run(chromedp.SetValue(chromedp.CSS("#rules"), `[{"code": "FULL"}]`), click("form[action$='/rules'] button"))
	tab.Until(shows("#rules-in-force", `"code": "FULL"`))

	tab.Run(click("form[action$='/reset'] button"))
	tab.Until(shows("#count-live b", "0") + "&&" + shows("#request-none", "None") + "&&" + shows("#well", "All"))
	if stats := r.Stats(); stats != (sandbox.Stats{}) {
		t.Errorf("after emptying: %+v", stats)
	}
}

func TestPageDeletesByHand(t *testing.T) {
	t.Parallel()
	r, tab := open(t, sandbox.Options{})
	r.mustSend(t, "d1", onDay("e1", "handover", "Launch", 0, "09:00"))
	tab.Until(shows(".entry.handover .title", "Launch"))
	tab.Run(click("#entry-ghl_000001 > button"))
	tab.Until(count("#about-ghl_000001:popover-open") + " === 1")
	tab.Run(click("#about-ghl_000001 form button"))
	tab.Until(count(".entry") + ` === 0 && document.querySelector("#count-live b").textContent === "0"`)
	if left := r.Appointments(); len(left) != 0 {
		t.Errorf("the book still has %v", left)
	}
}

// What the reader has open stays open when it changes.
func TestPageKeepsItsReadersPlace(t *testing.T) {
	t.Parallel()
	r, tab := open(t, sandbox.Options{})
	r.mustSend(t, "d1", onDay("e1", "onboarding", "Kick-off", 0, "09:00"))
	r.mustSend(t, "d2", onDay("e2", "onboarding", "Other", 0, "10:00"))
	tab.Until(count(".entry") + ` === 2 && (document.querySelector("#request-1").same = true)`)
	tab.Run(click("#entry-ghl_000001 > button"))
	today := time.Now().Format(time.DateOnly)
	data := strings.NewReplacer("2024-01-15\"", today+"\"", "Onboarding Session", "Renamed").Replace(eventData("e1"))
	r.mustSend(t, "d3", string(ghl.Envelope(ghl.Updated, "e1", "ghl_000001", []byte(data))))
	tab.Until(shows("#about-ghl_000001:popover-open h3", "Renamed"))
	tab.Run(click("#about-ghl_000001 [popovertargetaction]"), chromedp.Focus(chromedp.CSS("#entry-ghl_000002 > button")))
	r.mustSend(t, "d4", body(ghl.Deleted, "e1", "ghl_000001"))
	tab.Until(count("#entry-ghl_000001") + ` === 0 && document.activeElement.matches("#entry-ghl_000002 > button")`)
	tab.Until(`document.querySelector("#request-1").same`)

	r.set(t, sandbox.Rule{Effect: sandbox.EffectHangBefore})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := r.send(ctx, "d5", onDay("e3", "handover", "Hangs", 0, "11:00"))
		left <- err
	}()
	tab.Until(shows("#request-5 .answered", "…"))
	tab.Run(click("#request-5 summary"))
	tab.Until(shows("#request-5 pre", "Hangs"))
	leave()
	if err := <-left; err == nil {
		t.Error("a hanging request was answered")
	}
	tab.Until(shows("#request-5 .answered", "no answer") + ` && document.querySelector("#request-5 details").open`)
}

func TestPageWorksWithoutItsScript(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", onDay("e1", "onboarding", "Kick-off", 0, "10:00"))
	tab := browsertest.Open(t, r.URL())
	tab.Run(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}), chromedp.Navigate(r.URL()+"/?weeks=1"))
	press := func(selector string) {
		t.Helper()
		page, err := chromedp.RunResponse(tab, click(selector))
		if err != nil || page.Status != 200 || page.URL != r.URL()+"/?weeks=1" {
			t.Fatalf("%s leads to %+v, %v; want the same weeks again", selector, page, err)
		}
	}
	press("[value=refuses]")
	if rules := r.Faults().Rules; len(rules) != 1 {
		t.Errorf("in force: %v", rules)
	}
	press("form[action*='/well'] button")
	if rules := r.Faults().Rules; len(rules) != 0 {
		t.Errorf("still in force: %v", rules)
	}
	tab.Run(click(".entry > button"))
	press(".about form button")
	if left := r.Appointments(); len(left) != 0 {
		t.Errorf("the book still has %v", left)
	}
}

// A page elsewhere can have a visitor's browser send a form, and nothing comes
// of it.
func TestOtherPagesChangeNothing(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<link rel=icon href="data:,"><form method=post action="`+r.URL()+`/sandbox/reset"><button>Win!</button></form>`)
	}))
	t.Cleanup(elsewhere.Close)
	tab := browsertest.Open(t, r.URL(), elsewhere.URL)
	tab.Expect("403 (Forbidden)")
	tab.Run(chromedp.Navigate(elsewhere.URL))
	refusal, err := chromedp.RunResponse(tab, click("button"))
	if err != nil || refusal.Status != http.StatusForbidden {
		t.Errorf("the form gets %+v, %v; want 403", refusal, err)
	}
	if live := r.Stats().Live; live != 1 {
		t.Errorf("%d appointments, want the one to be left", live)
	}
}

// A page outlives the sandbox that it came from.
func TestPageFollowsARestart(t *testing.T) {
	t.Parallel()
	r, tab := open(t, sandbox.Options{})
	addr := r.Addr()
	tab.Expect("net::ERR_")
	r.Stop()
	tab.Until(`document.documentElement.dataset.live === "no"` + "&&" + shows("#state", "not live"))
	r.Put(sandbox.Appointment{Fields: sandbox.Fields{EventTitle: "Meanwhile", StartDate: time.Now().Format(time.DateOnly)}})
	if err := r.Start(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	tab.Until(isLive + "&&" + shows(".entry .title", "Meanwhile"))
}
