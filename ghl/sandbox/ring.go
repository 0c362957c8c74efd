package sandbox

// ring keeps the latest entries up to a limit. It grows as it fills, so that a
// large limit costs nothing until it is used.
type ring[T any] struct {
	limit   int
	entries []T
	start   int // index of the oldest once the limit is reached
}

func newRing[T any](limit int) ring[T] { return ring[T]{limit: limit} }

// push adds an entry and gives the one that had to go.
func (r *ring[T]) push(entry T) (gone T, dropped bool) {
	if len(r.entries) < r.limit {
		r.entries = append(r.entries, entry)
		return gone, false
	}
	gone = r.entries[r.start]
	r.entries[r.start] = entry
	r.start = (r.start + 1) % r.limit
	return gone, true
}

func (r *ring[T]) len() int { return len(r.entries) }

// at gives the i-th oldest.
func (r *ring[T]) at(i int) T { return r.entries[(r.start+i)%len(r.entries)] }

// all copies the entries, oldest first; never nil.
func (r *ring[T]) all() []T {
	out := make([]T, 0, len(r.entries))
	out = append(out, r.entries[r.start:]...)
	return append(out, r.entries[:r.start]...)
}
