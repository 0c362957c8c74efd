package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with the configuration. All of it may be
// shown: the value of a secret is not in it.
type Problem struct {
	Name  string // of the variable, or ".env"
	Value string // as shown; "" if the variable is not set
	What  string // is wrong
	Mend  string // does away with it; "" where What says it
}

// String gives "NAME=value: what is wrong; mend".
func (p Problem) String() string {
	name := p.Name
	if p.Value != "" {
		name += "=" + p.Value
	}
	if p.Mend == "" {
		return name + ": " + p.What
	}
	return name + ": " + p.What + "; " + p.Mend
}

// Error is every problem of a configuration at once.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("the configuration has ")
	if len(e.Problems) == 1 {
		b.WriteString("a problem:")
	} else {
		fmt.Fprintf(&b, "%d problems:", len(e.Problems))
	}
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}
