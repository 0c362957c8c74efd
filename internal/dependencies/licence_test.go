package dependencies

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forTests may be used in tests, but not be linked into what is given away: it asks for
// more than that its text is passed on.
const forTests = "MPL-2.0"

// licences are those that may be used, each with a sentence of its text. BSD's have it in common: the third clause tells them apart.
var licences = []struct{ name, has string }{
	{"MIT", "permission is hereby granted, free of charge, to any person"},
	{"Apache-2.0", "apache license version 2.0"},
	{"BSD", "redistribution and use in source and binary forms"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose"},
	{forTests, "mozilla public license version 2.0"},
}

// licenceOf names the licences that a module's folder holds.
func licenceOf(dir string) (string, error) {
	var names []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			for _, name := range namesOf(string(text)) {
				if !strings.Contains(strings.Join(names, " "), name) {
					names = append(names, name)
				}
			}
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no licence that may be used is known in %s", dir)
	}
	return strings.Join(names, ", "), nil
}

func namesOf(text string) (names []string) {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, l := range licences {
		switch {
		case !strings.Contains(text, l.has):
		case l.name != "BSD":
			names = append(names, l.name)
		case strings.Contains(text, "endorse or promote"):
			names = append(names, "BSD-3-Clause")
		default:
			names = append(names, "BSD-2-Clause")
		}
	}
	return names
}

// Our own licence is one of those, and a text that is none is not taken for one.
func TestLicenceOf(t *testing.T) {
	t.Parallel()
	if got, err := licenceOf("../.."); got != "MIT" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	dir := t.TempDir()
	for text, want := range map[string]string{
		"GNU GENERAL PUBLIC LICENSE Version 3":                                     "",
		"Redistribution and use in source and\nbinary forms":                       "BSD-2-Clause",
		"Redistribution and use in source and binary forms\nto endorse or promote": "BSD-3-Clause",
	} {
		if err := os.WriteFile(filepath.Join(dir, "LICENSE.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := licenceOf(dir); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}
