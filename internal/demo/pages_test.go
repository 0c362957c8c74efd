package demo

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"ghlsync/internal/browsertest"
)

// What is clicked on Sentra's page is seen on GHL's, without more clicks.
func TestPagesShowCauseAndEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	stages := make(chan *stage, 1)
	r.begun = func(s *stage) { stages <- s }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := watch(ctx, r.Options)
	var s *stage
	select {
	case s = <-stages:
	case err := <-ended:
		t.Fatalf("Run: %v\n%s", err, r.screen)
	}
	const live = `document.documentElement.dataset.live === "yes"`
	ghl := browsertest.Open(t, s.sandbox.URL())
	ghl.Run(chromedp.Navigate(s.sandbox.URL() + "/"))
	ghl.Until(live)
	sentra := browsertest.Open(t, strings.TrimSuffix(s.desk.URL(), "/"))
	sentra.Run(chromedp.Navigate(s.desk.URL()))
	sentra.Until(live)

	sentra.Run(chromedp.SetValue(chromedp.CSS(".book [name=title]"), "Seen in GHL"), chromedp.Click(chromedp.CSS(".book .do")))
	const seen = `[...document.querySelectorAll(".entry .title")].some(e => e.textContent === "Seen in GHL")`
	ghl.Until(seen)
	ghl.Picture("demo-ghl")
	sentra.Picture("demo-sentra")
	ghl.Run(chromedp.Navigate("about:blank")) // GHL ends next, and a page would miss it aloud
	sentra.Run(chromedp.Navigate("about:blank"))
	cancel()
	if err := endOf(t, ended); err != nil {
		t.Errorf("Run: %v\n%s", err, r.screen)
	}
	r.wantNothingLeft(t)
}
