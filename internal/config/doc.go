// Package config reads and checks the settings of ghlsync.
//
// Settings are environment variables. A file `.env` in the working directory
// may hold them too; the real environment beats it. [Environ] gathers both,
// [Load] turns them into a [Config] by the `env` tags of its fields, which are
// the one list of names and defaults.
//
// What the package promises:
//
//  1. Load reports every problem at once, as one [*Error]; each problem names
//     the variable, its value, what is wrong and the mend. A command that gets
//     this error exits with status 2.
//  2. A command names its [Need]s, and only the variables that belong to them
//     are checked: 'mappings list' does not ask for a webhook URL.
//  3. An empty variable counts as one that is not set, as compose files make
//     them. SENTRA_ECHO_PATTERN is the exception: empty switches the echo test
//     off.
//  4. No secret is printed: neither by an error, nor by [Config.Redacted], nor
//     by formatting or logging a [Secret]. Of a URL that is a secret, scheme and
//     host are shown.
//  5. A variable that looks like one of ours and is none is warned about, with
//     the nearest known name: a misspelt GHL_DELETE_FUSE must not go unnoticed.
//
// The package starts no goroutine, connects to nothing and opens no file but
// `.env`. A caller takes [Environ] once, then calls Load, logs the [Warnings]
// and uses the Config as a value.
package config
