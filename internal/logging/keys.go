package logging

// Keys of attributes. Values are ids, words of ours, codes, numbers and times.
const (
	Component = "component" // which part of the daemon speaks
	Error     = "error"     // an error's text
	Reason    = "reason"    // why something is so: a code or a short phrase
	Operation = "operation" // create, update, delete
	Count     = "count"     // of what a line is about
	Addr      = "addr"      // an address that is listened on
	Path      = "path"      // of an HTTP route, never with an id in it
	Version   = "version"   // of this program
)
