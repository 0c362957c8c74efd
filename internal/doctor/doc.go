// Package doctor looks for everything that would keep a daemon from working, or
// from working safely, and says for each finding how to mend it: the exact SQL, or
// the setting.
//
// A check is a small function that returns a [Result]. Checks name those that they
// build on; where one of these has failed, a check is skipped and says so, since it
// could not tell anything true. [Run] runs what concerns the source and what
// concerns GHL side by side, so that one that does not answer costs the other no
// time.
//
// What the package promises:
//
//  1. It makes and changes nothing, in the source, in the state or in GHL, and works
//     beside a running daemon. The webhook is not called, GHL's API only read. Only
//     with [Options.SendTest] is one harmless call made that could change something.
//  2. It ends within [Limit], whoever does not answer, and has a result for every
//     check then.
//  3. What is wrong with the source is judged by package cdc, which also has the
//     SQL: the doctor and a start agree.
//  4. No secret and no client's data is in a result: ids, names of tables and
//     settings, counts and host names are.
package doctor
