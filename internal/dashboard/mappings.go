package dashboard

import (
	"net/http"
	"net/url"

	"ghlsync/internal/admin"
	"ghlsync/state"
)

// perPage is how many mappings a page shows.
const perPage = 50

// list is the body of the list of mappings.
type list struct {
	Tabs  []tab
	Query admin.Query
	Rows  []admin.Mapping
	Next  string // the address of the next page; "" on the last one
	First string // of the first page; "" on that one
}

// tab is a choice of status.
type tab struct {
	Name  string
	URL   string
	Count int64
	Here  bool
}

func (s *site) mappings(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	query := admin.Query{Status: q.Get("status"), Text: q.Get("q"), After: q.Get("after"), Limit: perPage}
	// Who has the whole id wants that event.
	if id, err := s.service.Find(r.Context(), query.Text); query.Text != "" && query.After == "" && err == nil {
		http.Redirect(w, r, eventURL(id), http.StatusSeeOther)
		return
	}
	p, err := s.service.Page(r.Context(), query)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f, err := s.live.current(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body := list{Tabs: tabs(query, f.Status.Mappings), Query: query, Rows: p.Mappings}
	if p.Next != nil {
		body.Next = listURL(query.Status, query.Text, *p.Next)
	}
	if query.After != "" {
		body.First = listURL(query.Status, query.Text, "")
	}
	s.show(w, r, "mappings", "Mappings", body)
}

// tabs have the counts that are kept, whatever is searched for.
func tabs(q admin.Query, c state.Counts) []tab {
	all := []tab{
		{Name: "all", Count: c.Total},
		{Name: "synced", Count: c.Synced},
		{Name: "pending", Count: c.Pending},
		{Name: "failed", Count: c.Failed},
		{Name: admin.StatusHeld, Count: c.Held},
	}
	for i := range all {
		status := all[i].Name
		if i == 0 {
			status = ""
		}
		all[i].URL, all[i].Here = listURL(status, q.Text, ""), status == q.Status
	}
	return all
}

func listURL(status, text, after string) string {
	q := make(url.Values)
	for name, value := range map[string]string{"status": status, "q": text, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/mappings"
	}
	return "/mappings?" + q.Encode()
}
