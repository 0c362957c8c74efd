package dashboard

import (
	"crypto/rand"
	"sync"

	"ghlsync/internal/operate"
)

// note tells, on the page that follows, what was done.
type note struct {
	Kind    string // done or error
	Text    string
	Refused []operate.Refusal // those that were left, the first of them
}

// maxNotes is how many wait to be read.
const maxNotes = 64

// notes keep what was done until the page that tells it is made. A page names its
// note by a word that nobody guesses.
type notes struct {
	mu  sync.Mutex
	all []named
}

type named struct {
	name string
	note note
}

func (n *notes) put(what note) (name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name = rand.Text()
	n.all = append(n.all, named{name, what})
	n.all = n.all[max(0, len(n.all)-maxNotes):]
	return name
}

// take returns a note once; nil for a name that is none.
func (n *notes) take(name string) *note {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, k := range n.all {
		if k.name == name {
			n.all = append(n.all[:i:i], n.all[i+1:]...)
			return &k.note
		}
	}
	return nil
}
