package doctor

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// syncStandby judges whether the server would take our stream for a synchronous
// standby: every commit in Sentra would then wait for the daemon, and for ever while
// it is down.
func (s *source) syncStandby(ctx context.Context) Result {
	value := s.settings["synchronous_standby_names"].value
	wanted := parseStandbys(value)
	counted := wanted.counting(s.cdc.ApplicationNames())
	if len(counted) == 0 {
		return good("our stream is not counted as a synchronous standby")
	}
	r := Result{
		Status: Fail,
		Detail: fmt.Sprintf("synchronous_standby_names counts our stream as a standby (%s): commits in Sentra would wait for the daemon", list(counted)),
		Mend:   "name the real standbys only" + hosted,
	}
	physical, known, err := s.standbys(ctx)
	if err != nil {
		return unanswered(err)
	}
	if !known {
		// To propose a list that lacks one would switch its guarantee off.
		r.Mend = "list the application_name of each real standby in synchronous_standby_names, in place of what counts ours; this role may not see them"
		return r
	}
	value = wanted.without(counted, physical).String()
	if value == "" {
		r.Mend += " (there is none now, so nothing is left to wait for)"
	}
	r.SQL = []string{setServer("synchronous_standby_names", value), reload}
	return r
}

// standbys are the names of the physical standbys that are connected. known is
// false if the role may not see them.
func (s *source) standbys(ctx context.Context) (names []string, known bool, err error) {
	rows, err := s.visit.Rows(ctx, `
		SELECT coalesce(r.application_name, ''), r.state IS NULL
		FROM pg_stat_replication r
		WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')`)
	if err != nil {
		return nil, false, err
	}
	for _, r := range rows {
		if r[1] == "t" {
			return nil, false, nil
		}
		if !slices.Contains(s.cdc.ApplicationNames(), r[0]) && !slices.Contains(names, r[0]) {
			names = append(names, r[0])
		}
	}
	return names, true, nil
}

// standbyList is synchronous_standby_names: 'FIRST 2 (a, "b c")', 'ANY 1 (*)', 'a, b'.
type standbyList struct {
	method string // what stands before the parenthesis; "" for a plain list
	names  []string
}

var (
	standbyMethod = regexp.MustCompile(`(?is)^\s*((?:first|any)?\s*\d+)\s*\((.*)\)\s*$`)
	standbyName   = regexp.MustCompile(`"(?:[^"]|"")*"|[^\s,"]+`)
)

func parseStandbys(value string) standbyList {
	var l standbyList
	if m := standbyMethod.FindStringSubmatch(value); m != nil {
		l.method, value = strings.TrimSpace(m[1]), m[2]
	}
	for _, name := range standbyName.FindAllString(value, -1) {
		if inner, ok := strings.CutPrefix(name, `"`); ok {
			name = strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
		}
		l.names = append(l.names, name)
	}
	return l
}

// counting lists the entries that would count one of ours. The server compares
// without regard to case.
func (l standbyList) counting(ours []string) []string {
	var counted []string
	for _, name := range l.names {
		if name == "*" || slices.ContainsFunc(ours, func(our string) bool { return strings.EqualFold(name, our) }) {
			counted = append(counted, name)
		}
	}
	return counted
}

// without leaves entries out; an asterisk becomes the standbys that there are.
func (l standbyList) without(counted, physical []string) standbyList {
	left := standbyList{method: l.method}
	for _, name := range l.names {
		if !slices.Contains(counted, name) {
			left.names = append(left.names, name)
		}
	}
	if slices.Contains(counted, "*") {
		for _, name := range physical {
			if !slices.Contains(left.names, name) {
				left.names = append(left.names, name)
			}
		}
	}
	return left
}

// String is the setting; "" if no name is left.
func (l standbyList) String() string {
	if len(l.names) == 0 {
		return ""
	}
	quoted := make([]string, len(l.names))
	for i, name := range l.names {
		quoted[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	if l.method == "" {
		return list(quoted)
	}
	return l.method + " (" + list(quoted) + ")"
}
