// Package pgtest gives tests a real PostgreSQL: one server for all tests of a package, a database of its own for each
// test, and a server of its own for the test that stops or kills it.
//
// A package that uses it hands its TestMain to Main:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// and a test then says
//
//	db := pgtest.Database(t)
//	db.Exec(t, "insert into clients …")
//	conn := db.Conn(t)
//
// Promises:
//
//  1. The shared server starts with the first test that asks for it, and a package whose tests do not ask pays nothing.
//  2. Each Database is new, has Sentra's schema (without seed and without ghl_appointment_id, see testdata/sentra), and
//     goes with its test: whatever is connected is cut off, prepared transactions are rolled back, slots are dropped.
//  3. After the tests no server process and no directory remains, also when the test binary panics or is killed.
//  4. Main fails a package whose tests pass but leave goroutines behind.
//
// What is the server's and not the database's is shared with tests that run at the same time: roles, slot names, WAL,
// settings made with ALTER SYSTEM. Name slots and roles after DB.Name, which is unique within the package and a valid
// slot name, and take Own for settings.
//
// Helpers take the test that they fail, and may be called from parallel tests; those that fail a test must run in its
// own goroutine.
package pgtest
