package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ghlsync/cdc"
	"ghlsync/ghl"
)

// judgeCalendars tells whether both are there, where they ought to be, and active.
func (a *calendarAPI) judgeCalendars(context.Context) Result {
	var wrong []*cdc.Finding
	var unseen []string
	for _, c := range a.calendars {
		problem, mend := c.judge(a.cfg.GHL.LocationID)
		switch {
		case problem != "":
			wrong = append(wrong, &cdc.Finding{Problem: c.variable + "=" + c.id + ": " + problem, Mend: mend})
		case c.res.Outcome != ghl.Delivered:
			unseen = append(unseen, c.variable+"="+c.id+": "+answerOf(c.res))
		}
	}
	switch {
	case wrong != nil:
		return findings(wrong)
	case unseen != nil:
		return Result{Status: Warn, Detail: "not looked at: " + strings.Join(unseen, "; "), Mend: "mend what the other checks tell, and ask again"}
	}
	return good("both are there and active")
}

// judge gives "" for what is well or could not be looked at.
func (c calendarAnswer) judge(location string) (problem, mend string) {
	elsewhere := fmt.Sprintf("copy %s from the settings of a calendar of location %s", c.variable, location)
	switch {
	case c.res.Code == ghl.CodeAPIForbidden:
		return "GHL does not let the token to it (HTTP 403)", elsewhere
	case c.res.Outcome == ghl.NotFound:
		return "GHL has no such calendar", elsewhere
	case c.res.Outcome == ghl.Permanent:
		return "GHL does not take the id: " + answerOf(c.res), elsewhere
	case c.res.Outcome != ghl.Delivered:
		return "", ""
	case c.found.LocationID != "" && c.found.LocationID != location:
		return "it is in location " + c.found.LocationID, elsewhere
	case !c.found.Active:
		return "it is inactive", "activate calendar " + c.id + " in GHL, or copy " + c.variable + " from another one"
	}
	return "", ""
}

// team tells whether there is somebody to give appointments to.
func (a *calendarAPI) team(context.Context) Result {
	user := a.cfg.GHL.AssignedUserID
	var wrong []*cdc.Finding
	var empty []string
	seen := 0
	for _, c := range a.calendars {
		if c.res.Outcome != ghl.Delivered {
			continue
		}
		seen++
		team := c.found.UserIDs
		switch {
		case user != "" && !slices.Contains(team, user):
			wrong = append(wrong, &cdc.Finding{
				Problem: fmt.Sprintf("user %s (GHL_ASSIGNED_USER_ID) is not in the team of calendar %s, which has %d", user, c.id, len(team)),
				Mend:    fmt.Sprintf("add them to the team of calendar %s in GHL, or set GHL_ASSIGNED_USER_ID to somebody of both teams, or leave it empty for GHL's choice", c.id),
			})
		case len(team) == 0:
			empty = append(empty, c.id)
		}
	}
	switch {
	case seen == 0:
		return skip("no calendar could be looked at")
	case wrong != nil:
		return findings(wrong)
	case empty != nil:
		return Result{
			Status: Warn, Detail: "nobody is in the team of calendar " + strings.Join(empty, ", "),
			Mend: "add a user in GHL, unless it is a calendar of the type event, which has no team",
		}
	case user != "":
		return good("user %s is in the team of the calendars", user)
	}
	return good("the calendars have a team")
}
