package api

import (
	"context"

	"ghlsync/ghl"
)

// Calendar is what there is to know of a calendar before it is used.
type Calendar struct {
	ID         string
	Name       string
	LocationID string
	Active     bool     // GHL's default where it does not say
	UserIDs    []string // of its team
}

// GetCalendar reads a calendar: GET /calendars/{calendarId}, Version 2021-04-15,
// operation get-calendar. NotFound: there is none.
func (c *Client) GetCalendar(ctx context.Context, id string) (Calendar, ghl.Result) {
	if !usableID(id) {
		return Calendar{}, ghl.Result{Outcome: ghl.NotFound, Code: ghl.CodeCalendarNotFound}
	}
	k := call{kind: getCalendar, path: []string{"calendars", id}}
	var answer struct {
		Calendar *struct {
			Name       text  `json:"name"`
			LocationID text  `json:"locationId"`
			Active     truth `json:"isActive"`
			Team       []struct {
				UserID text `json:"userId"`
			} `json:"teamMembers"`
		} `json:"calendar"`
	}
	res := c.fetch(ctx, k, &answer)
	if res.Outcome != ghl.Delivered {
		return Calendar{}, res
	}
	found := answer.Calendar
	if found == nil {
		return Calendar{}, k.malformed(res)
	}
	calendar := Calendar{
		ID: id, Name: string(found.Name), LocationID: string(found.LocationID),
		Active: found.Active.value || !found.Active.given,
	}
	for _, member := range found.Team {
		calendar.UserIDs = append(calendar.UserIDs, string(member.UserID))
	}
	return calendar, res
}
