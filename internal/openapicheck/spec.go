// Package openapicheck holds requests to GHL's calendar API, and the sandbox's
// answers, against the OpenAPI files that GHL publishes. Only tests use it.
//
// The files are not part of this repository: [Find] looks for them beside it.
// Where they are not, it says so in the test's log and gives a nil [Spec],
// which has nothing against anything; the test goes on.
//
// The files have faults of their own, which are put right in memory:
//
//   - They refer to common schemas by a folder that is not among the copies.
//   - Times of an event, and a contact's date of birth, are typed as objects.
//     They are strings, as the files' own examples show.
//   - The server's address is GHL's. Here every host will do.
//   - Request bodies may have any further property. GHL answers 422 to those
//     that it does not know, so here they may have none.
package openapicheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// place is where the files are, from the root of the repository.
const place = "../shared/ghl-openapi"

// files are those with the calls of ours.
var files = []string{"calendars.json", "contacts.json"}

// Spec is what GHL publishes of its API.
type Spec struct{ routers []routers.Router }

// found is loaded once for all tests of a package.
var found = sync.OnceValues(func() (*Spec, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	return Load(filepath.Join(root, filepath.FromSlash(place)))
})

// Find loads the files from beside the repository; nil where there are none.
func Find(t testing.TB) *Spec {
	t.Helper()
	spec, err := found()
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("no OpenAPI files in %s beside the repository: requests are not held against them", place)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// repository is the folder with go.mod; tests run somewhere below it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// Load reads the files of a folder and puts their faults right.
func Load(dir string) (*Spec, error) {
	spec := &Spec{}
	for _, name := range files {
		router, err := load(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", name, err)
		}
		spec.routers = append(spec.routers, router)
	}
	return spec, nil
}

func load(path string) (routers.Router, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true
	loader.ReadFromURIFunc = func(_ *openapi3.Loader, at *url.URL) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(path), filepath.Base(filepath.FromSlash(at.Path))))
	}
	doc, err := loader.LoadFromDataWithPath(data, &url.URL{Path: filepath.ToSlash(path)})
	if err != nil {
		return nil, err
	}
	correct(doc)
	return gorillamux.NewRouter(doc)
}

// correct puts right what is described above.
func correct(doc *openapi3.T) {
	doc.Servers = nil
	for schema, properties := range map[string][]string{
		"CalendarEventDTO": {"startTime", "endTime", "dateAdded", "dateUpdated"},
		"UpsertContactDto": {"dateOfBirth"},
	} {
		ref := doc.Components.Schemas[schema]
		if ref == nil {
			continue
		}
		for _, name := range properties {
			if property := ref.Value.Properties[name]; property != nil {
				property.Value.Type = &openapi3.Types{openapi3.TypeString}
			}
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			closeBody(operation)
		}
	}
}

func closeBody(operation *openapi3.Operation) {
	if operation.RequestBody == nil {
		return
	}
	none := false
	for _, media := range operation.RequestBody.Value.Content {
		if media.Schema != nil && media.Schema.Value != nil {
			media.Schema.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &none}
		}
	}
}

// background is for checks, which wait for nothing.
var background = context.Background()
