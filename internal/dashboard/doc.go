// Package dashboard serves the pages of the daemon for people with a browser: how it
// is, a list of mappings, the whole story of one event, and what operators may do.
//
// # Promises
//
//  1. A page asks nothing of anybody but this daemon. Script, style and charts are
//     part of the binary; the Content-Security-Policy on every answer refuses the rest,
//     and anything inline with it.
//  2. Everything works without JavaScript: forms are posted and answered with a
//     redirect. With it, what changes is replaced in place, by the same templates.
//  3. Client data is on the page of one event alone, and in no log line.
//  4. However many pages are open, the status document is made once a second at most,
//     and not at all while nobody looks. No page counts rows.
//
// # Life
//
// [Dashboard] owns no goroutine: what is live runs in the handlers of its streams.
// [Dashboard.Stop] ends those, which a server's Shutdown would wait for; it implements
// [admin.Pages].
package dashboard
