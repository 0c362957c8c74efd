package browsertest

import (
	"errors"
	"os"
	"os/exec"
)

// names are those under which distributions install it.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

var errNoBrowser = errors.New("there is no Chromium: install one (Debian: apt-get install chromium), or name its binary in CHROME_BIN")

// find returns the path of a browser.
func find() (string, error) {
	if path := os.Getenv("CHROME_BIN"); path != "" {
		return exec.LookPath(path)
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoBrowser
}
