package ghl_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ghlsync/ghl"
)

func TestMarkerIsOneLine(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"123":        "ghlsync: 123",
		"5a7d-0b_0e": "ghlsync: 5a7d-0b_0e",
		"a/b c":      "ghlsync: a%2Fb+c",
		"a\nb\r\nc":  "ghlsync: a%0Ab%0D%0Ac",
		"größe":      "ghlsync: gr%C3%B6%C3%9Fe",
		"100%+<&>":   "ghlsync: 100%25%2B%3C%26%3E",
		"\u2028 ":    "ghlsync: %E2%80%A8+",
		"ghlsync: 1": "ghlsync: ghlsync%3A+1",
	} {
		if got := ghl.Marker(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

func TestMarkedEventFindsEveryID(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(
			rapid.StringMatching(`[a-z0-9 /%+:\n\r\t]{1,8}`),
			rapid.StringN(1, 20, -1),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 8), func(b []byte) string { return string(b) }),
		).Draw(t, "id")
		text := rapid.String().Draw(t, "text")
		for _, description := range []string{
			ghl.Marker(id),
			text + "\n\n" + ghl.Marker(id),
			text + "\r\n" + ghl.Marker(id) + "\r\n",
			ghl.Marker("another") + "\n" + ghl.Marker(id) + "\n  written by hand",
		} {
			if got, ok := ghl.MarkedEvent(description); !ok || got != id {
				t.Fatalf("%q in %q: got %q, %t", id, description, got, ok)
			}
		}
		if m := ghl.Marker(id); strings.ContainsAny(m, "\r\n") {
			t.Fatalf("%q is more than a line", m)
		}
	})
}

func TestMarkedEventTakesNoOtherForIt(t *testing.T) {
	t.Parallel()
	if got, _ := ghl.MarkedEvent(ghl.Marker("123")); got == "12" {
		t.Error("a beginning of an id passed for the id")
	}
	for _, description := range []string{
		"",
		"ghlsync:",
		ghl.Marker(""),
		"ghlsync: booked by hand",
		"ghlsync: 100%",
		"ghlsync: %zz",
		"see ghlsync: 12",
		"ghlsync:12",
		"GHLSYNC: 12",
	} {
		if got, ok := ghl.MarkedEvent(description); ok {
			t.Errorf("%q is no marker, but gave %q", description, got)
		}
	}
}
