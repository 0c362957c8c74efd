// Package desk is a page to work in Sentra by hand, for the demo: create, edit and
// delete events by clicking, beside the pages that show what the daemon and GHL
// make of it. It knows of neither: its statements are those of any application, so
// that what is seen elsewhere came through the stream.
//
// [Open] connects, listens on a free port of the loopback interface and returns;
// [Desk.Close] ends all of it and leaves no goroutine. The page shows the latest
// committed rows of everybody, read anew twice a second while somebody watches.
// Requests that pages of other origins cause are refused.
//
// It shows and takes clients' data and asks nobody who they are: it belongs beside
// a database of made-up rows.
package desk
