package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets/*.css assets/*.js assets/*.svg
var assetFiles embed.FS

//go:embed assets/uPlot.LICENSE
var chartLicense string

// assets are the files by the names that pages call them by. A name holds a hash of
// its content, so that browsers may keep it for ever.
var assets, assetURLs = loadAssets()

func loadAssets() (files map[string][]byte, urls map[string]string) {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // they are in the binary
	}
	files, urls = make(map[string][]byte), make(map[string]string)
	for _, e := range entries {
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		if strings.HasPrefix(e.Name(), "uPlot") && strings.HasSuffix(e.Name(), ".js") {
			content = fmt.Appendf(nil, "/*!\n%s\n*/\n%s", chartLicense, content) // which has to go with every copy
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		files[name], urls[e.Name()] = content, "/assets/"+name
	}
	return files, urls
}

// assetURL is where a page finds an asset. A name that does not exist is a defect of
// a template.
func assetURL(name string) (string, error) {
	if u, ok := assetURLs[name]; ok {
		return u, nil
	}
	return "", fmt.Errorf("there is no asset %s", name)
}

// serveAsset is open to all: the login page needs its style.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, ok := assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}
