package desk

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"ghlsync/internal/browsertest"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/testdata/sentra"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// sit opens a desk on a database of its own, and its page in a browser.
func sit(t *testing.T) (*pgtest.DB, *Desk, *browsertest.Tab) {
	t.Helper()
	db, d := start(t)
	tab := browsertest.Open(t, strings.TrimSuffix(d.URL(), "/"))
	tab.Desktop()
	tab.Run(chromedp.Navigate(d.URL()))
	tab.Until(`document.documentElement.dataset.live === "yes"`)
	return db, d, tab
}

func start(t *testing.T) (*pgtest.DB, *Desk) {
	t.Helper()
	db := pgtest.Database(t)
	db.Exec(t, sentra.Seed)
	d, err := Open(t.Context(), db.URL, Link{"GHL", "http://127.0.0.1:1/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return db, d
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func write(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SetValue(chromedp.CSS(selector), text)
}

const titles = `[...document.querySelectorAll(".events .title")].map(e => e.textContent)`

func TestClicksChangeSentra(t *testing.T) {
	t.Parallel()
	db, _, tab := sit(t)
	tab.Run(write(".book [name=title]", "Clicked"), write(".book [name=type]", "handover"), write("#client", "2"),
		write(".book [name=description]", "By hand"), click(".book .do"))
	tab.Until(titles + `.includes("Clicked")`)
	const row = `SELECT concat_ws('|', type, client_id, start_date = CURRENT_DATE + 1, start_time, end_time, description) FROM calendar_events WHERE title = $1`
	if got := db.QueryString(t, row, "Clicked"); got != "handover|2|t|10:00:00|11:00:00|By hand" {
		t.Errorf("Sentra has %q", got)
	}

	const item = `#events li:has(input[name="title"][value="Clicked"])`
	tab.Run(click(item+" summary"), write(item+" [name=start_time]", "09:15"), chromedp.Clear(chromedp.CSS(item+" textarea")),
		write(item+" [name=title]", "Edited"), click(item+" .do"))
	tab.Until(titles + `.includes("Edited")`)
	if got := db.QueryString(t, row, "Edited"); got != "handover|2|t|09:15:00|11:00:00" {
		t.Errorf("Sentra has %q", got)
	}

	tab.Run(click(`#events li:has(input[name="title"][value="Edited"]) .reset`))
	tab.Until(`!` + titles + `.includes("Edited") || document.querySelector(".gone")`)
	db.Await(t, "0", `SELECT count(*) FROM calendar_events WHERE title IN ('Clicked', 'Edited')`)
}

func TestOthersChangesShow(t *testing.T) {
	t.Parallel()
	db, _, tab := sit(t)
	db.Exec(t, `UPDATE calendar_events SET title = 'By psql' WHERE id = 'event-1700000005.000005'`)
	tab.Until(`document.querySelector("[id='event-event-1700000005.000005'].changed .title")?.textContent === "By psql"`)
	db.Exec(t, `DELETE FROM calendar_events WHERE id = 'event-1700000005.000005'`)
	tab.Until(`!` + titles + `.includes("By psql")`)
}

// What somebody is writing is not swept away by another's change.
func TestWritingIsKept(t *testing.T) {
	t.Parallel()
	db, _, tab := sit(t)
	const item = `[id="event-event-1700000005.000005"]`
	tab.Run(click(item+" summary"), chromedp.Focus(chromedp.CSS(item+" [name=title]")), write(item+" [name=title]", "Half wri"))
	db.Exec(t, `UPDATE calendar_events SET title = 'By psql' WHERE id IN ('event-1700000005.000005', 'event-1700000008.000008')`)
	tab.Until(titles + `.includes("By psql")`)
	tab.Until(`document.querySelector('` + item + ` [name=title]').value === "Half wri"`)
}

func TestRefusalsAreShown(t *testing.T) {
	t.Parallel()
	_, _, tab := sit(t)
	tab.Expect("400 (Bad Request)")
	tab.Run(click("#events li summary"), write("#events li [name=start_time]", "25:00"), click("#events li .do"))
	tab.Until(`document.querySelector("#events output")?.textContent.includes("refused by Sentra")`)
}

func TestPageLooks(t *testing.T) {
	t.Parallel()
	_, _, tab := sit(t)
	tab.Run(click("#events li summary"))
	for _, scheme := range []string{"light", "dark"} {
		tab.Dark(scheme == "dark")
		tab.Desktop()
		tab.Until(`document.documentElement.scrollWidth <= 1280`)
		tab.Picture("desk-desktop-" + scheme)
		tab.Phone()
		tab.Until(`document.documentElement.scrollWidth <= 390`) // innerWidth grows with what sticks out
		tab.Picture("desk-phone-" + scheme)
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	t.Parallel()
	db, d := start(t)
	for _, c := range []struct {
		name, method, path, header, value string
		want                              int
	}{
		{"another site", http.MethodPost, "delete", "Sec-Fetch-Site", "cross-site", 403},
		{"a rebound name", http.MethodGet, "", "Host", "elsewhere.example", 403},
		{"a program", http.MethodPost, "delete", "", "", 303},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, d.URL()+c.path, strings.NewReader("id=event-1700000005.000005"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		switch c.header {
		case "Host":
			req.Host = c.value
		case "":
			// Nobody has deleted it so far.
			db.Await(t, "1", `SELECT count(*) FROM calendar_events WHERE id = 'event-1700000005.000005'`)
		default:
			req.Header.Set(c.header, c.value)
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d: %s (%v)", c.name, resp.StatusCode, c.want, text, err)
		}
	}
	db.Await(t, "0", `SELECT count(*) FROM calendar_events WHERE id = 'event-1700000005.000005'`)
}

// Close ends a stream that is being read.
func TestCloseEndsStreams(t *testing.T) {
	t.Parallel()
	_, d := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL()+"live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // how it ends is the connection's matter
	_ = resp.Body.Close()
}

func TestCloseWaitsForRequests(t *testing.T) {
	t.Parallel()
	db, d := start(t)
	var over atomic.Bool
	began := make(chan struct{})
	h := d.tracked(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-d.served
		if err := d.connected(t.Context(), func(conn *pgx.Conn) error {
			_, err := conn.Exec(t.Context(), `SELECT pg_sleep(0.2)`)
			return err
		}); err != nil {
			t.Error(err)
		}
		over.Store(true)
	}))
	go h.ServeHTTP(nil, nil)
	<-began
	d.Close()
	if !over.Load() {
		t.Errorf("Close returns while a request works on %s", db.Name)
	}
}
