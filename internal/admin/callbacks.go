package admin

import "net/http"

// Callbacks serve what GHL calls. Each knows its caller by itself, and is nil where
// it is not configured.
type Callbacks struct {
	Workflow http.Handler // POST /callbacks/ghl
	App      http.Handler // POST /callbacks/ghl/app
}

// callback is a route of Callbacks, or nothing.
func (h *handler) callback(route http.Handler) http.Handler {
	if route == nil {
		return http.HandlerFunc(h.nothing)
	}
	return route
}
