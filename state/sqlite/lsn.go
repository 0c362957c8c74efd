package sqlite

import (
	"fmt"

	"github.com/jackc/pglogrepl"
)

// fromLSN keeps an LSN as an integer, which compares as LSNs do: a server would
// have to write 8 EiB of WAL to reach the sign bit.
func fromLSN(l pglogrepl.LSN) int64 { return int64(l) }

func toLSN(n int64) pglogrepl.LSN { return pglogrepl.LSN(n) }

func scanLSN(l *pglogrepl.LSN, v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("an LSN is stored as %T", v)
	}
	*l = toLSN(n)
	return nil
}
