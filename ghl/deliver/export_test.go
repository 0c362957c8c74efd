package deliver

import "time"

// SetRecordGrace shortens how long a cut Stop waits for the store.
func (d *Deliverer) SetRecordGrace(t time.Duration) { d.grace = t }
