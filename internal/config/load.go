package config

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"

	"github.com/sethvargo/go-envconfig"
)

// Need is a group of variables that a command uses and that Load then checks.
type Need string

// The groups. NeedSource includes NeedDatabase and NeedObjects, and that NeedSlot.
const (
	NeedSource   Need = "source"   // the database and what is captured from it
	NeedDatabase Need = "database" // only the connection
	NeedObjects  Need = "objects"  // only what is in the database: tables, publication, slot
	NeedSlot     Need = "slot"     // only the slot's name
	NeedState    Need = "state"
	NeedGHL      Need = "ghl"
	NeedHTTP     Need = "http"
	NeedLog      Need = "log"
)

// All is what the daemon needs.
func All() []Need {
	return []Need{NeedSource, NeedState, NeedGHL, NeedHTTP, NeedLog}
}

// among reports whether a group is one of the needs, or included in one.
func (n Need) among(needs []Need) bool {
	within := map[Need]Need{NeedDatabase: NeedSource, NeedObjects: NeedSource, NeedSlot: NeedObjects}[n]
	return slices.Contains(needs, n) || within != "" && within.among(needs)
}

// Load reads the variables and checks those of the given needs. Its error is an
// *Error with every problem; the Config is returned all the same, with what
// could be read, so that it can be shown.
func Load(ctx context.Context, env *Environment, needs ...Need) (Config, Warnings, error) {
	var c Config
	known := variables()
	needed := func(n Need) bool { return n.among(needs) }
	var problems []Problem
	if env.problem != nil {
		problems = append(problems, *env.problem)
	}
	wrong := make(map[string]bool)
	env, unread := env.withFiles(known)
	for _, v := range known {
		if p, found := unread[v.name]; found && needed(v.need) {
			problems = append(problems, p)
			wrong[v.name] = true
		}
		text, origin := v.inForce(env)
		c.settings = append(c.settings, Setting{Name: v.name, Value: v.shown(text), Origin: origin})
		if err := v.decode(ctx, env, &c); err != nil && needed(v.need) {
			problems = append(problems, v.problem(text, err))
			wrong[v.name] = true
		}
	}
	for _, p := range check(&c, known, env, needed) {
		if !wrong[p.Name] {
			problems = append(problems, p)
		}
	}
	warnings := unknown(env.names(), known)
	if env.open {
		warnings = append(warnings, "the file .env can be read by every user of this machine, and holds secrets: chmod 0640 .env")
	}
	if len(problems) > 0 {
		return c, warnings, &Error{Problems: inOrder(problems, known)}
	}
	return c, warnings, nil
}

// inOrder sorts problems as the variables are in Config; what is none (the
// file) comes first.
func inOrder(problems []Problem, known []variable) []Problem {
	place := make(map[string]int, len(known))
	for i, v := range known {
		place[v.name] = i + 1
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return place[a.Name] - place[b.Name] })
	return problems
}

// variable is one field of Config.
type variable struct {
	name     string
	def      string // default, "" for none
	need     Need
	show     string
	empty    bool // an empty value is a value
	file     bool // the value may be in a file
	position []int
	field    reflect.StructField
}

// variables lists the fields of Config that have a name, in their order.
func variables() []variable {
	var all []variable
	groups := reflect.TypeFor[Config]()
	for i := range groups.NumField() {
		group := groups.Field(i)
		if !group.IsExported() {
			continue
		}
		for j := range group.Type.NumField() {
			field := group.Type.Field(j)
			name, def := nameAndDefault(field.Tag.Get("env"))
			all = append(all, variable{
				name: name, def: def, field: field, position: []int{i, j},
				need:  Need(field.Tag.Get("need")),
				show:  field.Tag.Get("show"),
				empty: field.Tag.Get("empty") == "value",
				file:  field.Tag.Get("file") == "true",
			})
		}
	}
	return all
}

// inForce is the text that counts, and where it is from.
func (v variable) inForce(env *Environment) (string, Origin) {
	text, origin, found := env.find(v.name)
	switch {
	case found && (text != "" || v.empty):
		return text, origin
	case v.def == "":
		return "", NotSet
	default:
		return v.def, FromDefault
	}
}

// decode has go-envconfig read the one variable into its field of c. It is
// called for each field apart because it ends at the first error, and we want
// them all.
func (v variable) decode(ctx context.Context, env *Environment, c *Config) error {
	only := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: v.field.Name, Type: v.field.Type, Tag: v.field.Tag,
	}}))
	err := envconfig.ProcessWith(ctx, &envconfig.Config{
		Target:   only.Interface(),
		Lookuper: lookuper{env: env, v: v},
	})
	if err != nil {
		return err
	}
	reflect.ValueOf(c).Elem().FieldByIndex(v.position).Set(only.Elem().Field(0))
	return nil
}

// lookuper makes an empty variable one that is not set.
type lookuper struct {
	env *Environment
	v   variable
}

// Lookup is envconfig.Lookuper's.
func (l lookuper) Lookup(name string) (string, bool) {
	text, found := l.env.Lookup(name)
	if text == "" && !l.v.empty {
		return "", false
	}
	return text, found
}

// problem says what is wrong with a value that could not be decoded.
func (v variable) problem(text string, err error) Problem {
	p := Problem{Name: v.name, Value: v.shown(text), What: "cannot be read", Mend: "see .env.example"}
	if known := (*valueError)(nil); errors.As(err, &known) {
		p.What, p.Mend = known.what, known.mend
		return p
	}
	// What is left are the kinds that go-envconfig decodes by itself.
	switch v.field.Type.String() {
	case "bool":
		p.What, p.Mend = "is neither true nor false", "use true or false"
	case "int":
		p.What, p.Mend = "is not a whole number", "use digits, such as "+orTen(v.def)
		if errors.Is(err, strconv.ErrRange) {
			p.What = "is out of range"
		}
	case "time.Duration":
		p.What, p.Mend = "is not a duration", "write a number with a unit, such as "+orTen(v.def)
	}
	return p
}

func orTen(def string) string {
	if def == "" {
		return "10"
	}
	return def
}
