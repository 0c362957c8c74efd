package postgres

import "time"

// reading is the server's clock at a moment of ours.
type reading struct {
	server time.Time
	at     time.Time // with the monotonic clock
}

// Now is the server's clock, by which leases are reckoned: it is the same for all
// who share the state. It is taken with Open and every Begin and carried on by the local
// monotonic clock, so a local clock that is wrong or set does not matter. It is
// behind by less than the round trip of that.
func (s *Store) Now() time.Time {
	r := s.clock.Load()
	return r.server.Add(time.Since(r.at))
}

func (s *Store) setClock(micros int64) {
	s.clock.Store(&reading{server: time.UnixMicro(micros).UTC(), at: time.Now()})
}
