package pipeline

import (
	"sync/atomic"

	"ghlsync/cdc"
	"ghlsync/translator"
)

// aheadPart is how many changes are translated, and then written, in one go.
const aheadPart = 256

// ahead translates the changes of a segment on a goroutine of its own: one part
// is translated while the part before it is written, which takes a few times as
// long. A segment of one part is translated where it is asked for.
type ahead struct {
	parts chan []translator.Intent
	left  atomic.Bool // nobody asks for more
	done  chan struct{}
}

// translateAhead begins. The caller stops it before the changes may be used
// again, and replaces b.clients rather than change it until then.
func (b *batch) translateAhead(changes []cdc.Change) *ahead {
	t := &ahead{parts: make(chan []translator.Intent, len(changes)/aheadPart+1), done: make(chan struct{})}
	rules, clients := b.a.rules, b.clients
	run := func() {
		defer close(t.done)
		for len(changes) > 0 && !t.left.Load() {
			n := min(len(changes), aheadPart)
			t.parts <- translate(rules, clients, changes[:n]) // there is room for all
			changes = changes[n:]
		}
	}
	if len(changes) <= aheadPart {
		run()
	} else {
		go run()
	}
	return t
}

// next is the translation of the next part.
func (t *ahead) next() []translator.Intent { return <-t.parts }

// stop ends the translation, wherever it is.
func (t *ahead) stop() {
	t.left.Store(true)
	<-t.done
}

// translate leaves out what cannot be translated before the row's last version
// is known: it gets no verdict.
func translate(rules *translator.Rules, clients map[string]cdc.Client, changes []cdc.Change) []translator.Intent {
	intents := make([]translator.Intent, len(changes))
	for i := range changes {
		ch := &changes[i]
		if ch.Kind == cdc.Delete || !ch.Row.HasUnchanged() {
			intents[i] = rules.Change(ch, clientOf(clients, &ch.Row))
		}
	}
	return intents
}
