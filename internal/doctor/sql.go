package doctor

import (
	"fmt"
	"strings"
	"unicode"
)

// literal relies on standard_conforming_strings, as every server of today has it.
// What could play tricks on a terminal is escaped: a name can be anybody's.
func literal(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteRune(r)
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\+%06X`, r)
		}
	}
	return `U&'` + b.String() + `'`
}
