// Command ghlsync keeps GoHighLevel's appointments equal to the onboarding and
// handover events of Sentra's database.
//
// This package is wiring: it reads the configuration, picks a command, prints,
// and turns errors into exit codes. It alone touches signals and os.Exit. Each
// command has a file of its own; what it does is in the packages behind it.
//
// What the package promises:
//
//  1. Exit codes: 0 is fine; 1 says that the thing asked about is not well, or
//     that what was asked could not be done; 2 is wrong usage or configuration.
//  2. With --json a command prints one document on stdout; logs, warnings and
//     errors go to stderr.
//  3. The first SIGINT or SIGTERM ends a command in good order: the daemon waits
//     for calls in flight and confirms its position. The second ends the process
//     at once.
//  4. Commands about mappings ask the running daemon where there is one, since a
//     SQLite file has one writer, and otherwise work on the state themselves.
//  5. A command checks only those settings that it uses.
package main
