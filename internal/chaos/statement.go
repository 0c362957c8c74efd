package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// ids is how many ids the load shares: few enough to meet the same ones again.
const ids = 80

var types = []string{"onboarding", "handover", "onboarding", "handover", "firstdraft", "seconddraft"}

const anyClient = `(SELECT id FROM clients ORDER BY md5(id::text || $2) LIMIT 1)`

// statement is the SQL of a change. All values are bait: they must show up in GHL
// and nowhere else.
func statement(change Change, random *rand.Rand) (sql string, args []any) {
	id, salt := fmt.Sprintf("load-%d", random.IntN(ids)), fmt.Sprintf("%08x", random.Uint32())
	typ, hour := types[random.IntN(len(types))], 8+random.IntN(10)
	title, from, to := "Bait title "+salt, fmt.Sprintf("%02d:%02d", hour, random.IntN(59)), fmt.Sprintf("%02d:59", hour)
	switch change {
	case Edit:
		return `UPDATE calendar_events SET title = $2, start_time = $3::text::time, end_time = $4::text::time, updated_at = NOW() WHERE id = $1`, []any{id, title, from, to}
	case Retype:
		return `UPDATE calendar_events SET type = $2, updated_at = NOW() WHERE id = $1`, []any{id, typ}
	case Delete:
		if random.IntN(8) == 0 {
			return `DELETE FROM calendar_events WHERE id = (SELECT id FROM calendar_events WHERE id LIKE 'booked-%' ORDER BY md5(id || $1) LIMIT 1)`, []any{salt}
		}
		return `DELETE FROM calendar_events WHERE id = $1`, []any{id}
	case Rename:
		return `UPDATE calendar_events SET id = $2 WHERE id = $1`, []any{id, fmt.Sprintf("load-%d", random.IntN(ids))}
	case Touch:
		return `UPDATE calendar_events SET updated_at = NOW() WHERE id LIKE 'load-' || $1 || '%'`, []any{fmt.Sprint(random.IntN(10))}
	case LongText:
		return `UPDATE calendar_events SET description = 'Bait ' || (SELECT string_agg(md5($2 || i), '') FROM generate_series(1, 400) i) WHERE id = $1`, []any{id, salt}
	case ClientNew:
		return `INSERT INTO clients (name, business_name, email, phone, username, password)
			VALUES ('Bait name ' || $1, CASE WHEN $1 < '8' THEN 'Bait business ' || $1 ELSE '' END, 'bait-' || $1 || '@example.com',
				CASE WHEN $1 < 'c' THEN '+1555777' || length($1) END, 'bait-user-' || $1, 'bait-password-' || $1)`, []any{salt}
	case ClientEdited:
		return `UPDATE clients SET business_name = 'Bait renamed ' || $1 WHERE id = (SELECT id FROM clients ORDER BY md5(id::text || $1) LIMIT 1)`, []any{salt}
	case ClientDeleted:
		return `DELETE FROM clients WHERE id = (SELECT id FROM clients ORDER BY md5(id::text || $1) LIMIT 1) AND (SELECT count(*) FROM clients) > 3`, []any{salt}
	case Bulk:
		return `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
			SELECT 'bulk-' || $1 || '-' || i, ` + strings.ReplaceAll(anyClient, "$2", "$1") + `, 'Bait bulk', '2031-05-01', '2031-05-01', '10:00', '11:00', 'onboarding'
			FROM generate_series(1, 60) i`, []any{salt}
	case Truncate:
		return `TRUNCATE calendar_events`, nil
	default:
		return `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
			SELECT $1, ` + anyClient + `, 'Bait title ' || $2, d, d, $3::text::time, $4::text::time, NULLIF($5, ''), $6 FROM (SELECT DATE '2031-01-01' + abs(hashtext($2)) % 300 AS d) day
			ON CONFLICT (id) DO NOTHING`, []any{id, salt, from, to, []string{"", "Bait description " + salt}[random.IntN(2)], typ}
	}
}
