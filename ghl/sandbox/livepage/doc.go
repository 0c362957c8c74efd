// Package livepage serves pages that stay as what they show, without a build and
// without a request to anywhere else. The sandbox's page and the pages that a demo
// sets beside it are made of it.
//
// A [Page] is a template with a main part named "page" and regions, which are
// templates of their own. Open pages follow [Page.Stream]: it sends all regions,
// then those whose HTML differs from what was sent. The script, live.js, takes
// lists in them over item by item, by the items' ids:
//
//	<ul id="…" data-list>    a list of items with ids; data-fade lets deleted ones fade
//	<a data-inline>          is replaced by the JSON behind it when its <details> opens
//	<body data-live-at="…">  where the stream is
//
// Forms are ordinary forms, so that a page works without the script; with it they
// are sent without leaving the page, and an error's text stands in their <output>.
//
// What it promises:
//
//  1. [Headers] allow a page what its own server sends and nothing inline.
//  2. [Refuse] keeps pages of other origins and rebound names out; programs pass.
//  3. It starts no goroutine: a stream ends with its handler.
package livepage
