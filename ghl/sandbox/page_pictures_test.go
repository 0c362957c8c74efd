package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// The page fits the widths and the colours that people have.
func TestPageLooks(t *testing.T) {
	t.Parallel()
	r, tab := open(t, sandbox.Options{IgnoreIdempotencyKeys: true})
	for i, title := range []string{"Kick-off", "Launch", "Grand launch with everybody", "Self-booked, confirmed", "Session 12", "Session 640", "Session 8", "Session 71"} {
		kind := []string{"onboarding", "handover"}[i%2]
		r.mustSend(t, fmt.Sprintf("0b5d2c9e-%d", i), onDay(fmt.Sprintf("event-1700000001.00000%d", i), kind, title, i*i%37, fmt.Sprintf("%02d:30", 8+i)))
	}
	r.mustSend(t, "double", onDay("event-1700000001.000000", "onboarding", "Kick-off", 0, "08:30"))
	r.mustSend(t, "d8", body(ghl.Deleted, "event-1700000001.000007", ""))
	r.mustSend(t, "d9", body(ghl.Deleted, "event-1700000001.000099", ""))
	r.mustSend(t, "d10", `{}`)
	r.set(t, sandbox.Rule{Status: 503, Count: 5})
	r.mustSend(t, "d11", body(ghl.Updated, "event-1700000001.000001", ""))
	tab.Until(shows("#log", "503") + "&&" + shows("#rules-in-force", "503"))
	for _, scheme := range []string{"light", "dark"} {
		tab.Dark(scheme == "dark")
		tab.Desktop()
		tab.Until(fits(1280))
		tab.Picture("sandbox-desktop-" + scheme)
		tab.Phone()
		tab.Until(fits(390))
		tab.Picture("sandbox-phone-" + scheme)
	}
	tab.Desktop()
	tab.Dark(false)
	tab.Run(click(".entry button"))
	tab.Until(count(".about:popover-open") + " === 1")
	tab.Picture("sandbox-appointment")
	tab.Run(chromedp.Navigate(r.URL()+"/?weeks=1"), chromedp.EmulateViewport(720, 900))
	tab.Until(isLive + " && " + fits(720))
	tab.Picture("sandbox-week")
}

// fits tells that nothing sticks out to the right. A phone's innerWidth grows with
// what does.
func fits(width int) string { return fmt.Sprintf("document.documentElement.scrollWidth <= %d", width) }
