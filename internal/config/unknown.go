package config

import (
	"fmt"
	"strings"
)

// Warnings are sentences about settings that are probably not what was meant.
// They hold names of variables and no values.
type Warnings []string

// prefixes are those of which a variable that we do not know is probably a
// misspelt one. HTTP_, LOG_ and STATE_ are everybody's.
var prefixes = []string{"GHL_", "CDC_", "SENTRA_"}

// unknown warns of variables that look like ours.
func unknown(names []string, known []variable) Warnings {
	isKnown := make(map[string]bool, len(known))
	for _, v := range known {
		isKnown[v.name] = true
		isKnown[v.name+fileSuffix] = v.file
	}
	var warnings Warnings
	for _, name := range names {
		if !isKnown[name] && looksLikeOurs(name) {
			warnings = append(warnings, fmt.Sprintf("%s is not a variable of ghlsync and is ignored; did you mean %s?", name, nearest(name, known)))
		}
	}
	return warnings
}

func looksLikeOurs(name string) bool {
	// Kubernetes sets these for every service of the namespace, of which one may
	// well be called 'ghl' or 'sentra'.
	if strings.Contains(name, "_SERVICE_") || strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_") {
		return false
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// nearest is the known name with the least edits; the first one of several.
func nearest(name string, known []variable) string {
	best, least := "", -1
	for _, v := range known {
		if d := distance(name, v.name); least < 0 || d < least {
			best, least = v.name, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes: names are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
