package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/operate"
)

// Exit codes.
const (
	exitOK      = 0
	exitNotWell = 1
	exitUsage   = 2
)

// errNotWell ends a command that has said on stdout what is not well.
var errNotWell = errors.New("not well")

// usageError: the command line makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

// streams is where a command reads settings and writes to.
type streams struct {
	out, err io.Writer
	dir      string // of the file .env
}

// environment is read anew by each command that needs it.
func (s streams) environment() *config.Environment { return config.Environ(s.dir) }

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args []string, std streams) int {
	root := newRoot(std)
	// Whatever fails before a command has begun is about the command line.
	begun := false
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if !begun {
		code = exitUsage
	}
	report(std.err, ran, err, code)
	return code
}

func exitCode(err error) int {
	if problems := (*config.Error)(nil); errors.As(err, &problems) {
		return exitUsage
	}
	if usage := usageError(""); errors.As(err, &usage) {
		return exitUsage
	}
	for _, usage := range []error{admin.ErrRequest, admin.ErrToken, operate.ErrSelection} {
		if errors.Is(err, usage) {
			return exitUsage
		}
	}
	return exitNotWell
}

// report tells why a command failed, unless it has done so itself.
func report(w io.Writer, ran *cobra.Command, err error, code int) {
	if errors.Is(err, errNotWell) {
		return
	}
	say(w, "ghlsync: %v\n", err)
	if problems := (*config.Error)(nil); code == exitUsage && !errors.As(err, &problems) {
		say(w, "See '%s --help'.\n", ran.CommandPath())
	}
}

// say prints for people. When stdout or stderr is gone, there is nobody to tell.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

const rootHelp = `ghlsync keeps the appointments in GoHighLevel (GHL) equal to the onboarding and
handover events in Sentra's database. It follows the database's logical
replication stream, so nothing of Sentra is changed, and pushes what changed to
the inbound webhook of a GHL workflow, or to GHL's calendar API.

Settings come from the environment and from a file .env in the working
directory; the environment wins. 'ghlsync config' shows what is in force.

Exit codes: 0 fine; 1 the thing asked about is not well, or could not be done;
2 wrong usage or configuration.`

func newRoot(std streams) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "ghlsync",
		Short: "Keep GoHighLevel's appointments equal to Sentra's events",
		Long:  rootHelp,
		Example: `  ghlsync demo                             watch it work, everything on this machine
  ghlsync config                           check the settings
  ghlsync doctor                           check Sentra's database, the state and GHL
  ghlsync run                              the daemon
  ghlsync status                           how it is doing
  ghlsync mappings list --status failed    what needs a person`,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	// A word that is no command explains a flag that is none.
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return unknownCommand(cmd, words[0])
		}
		return err
	})
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.AddCommand(newRun(std), newDemo(std), newSetup(std), newDoctor(std), newStatus(std), newMappings(std), newReconcile(std), newBackfill(std),
		newPause(std), newResume(std), newShadow(std), newSlot(std), newState(std), newSandbox(std), newConfig(std), newVersion(std))
	return root
}

// group makes cmd a mere name for the commands below it: alone, it shows its help.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2 // edits at most to what is suggested
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	}
	return cmd
}

func unknownCommand(cmd *cobra.Command, name string) error {
	text := fmt.Sprintf("unknown command %q for %q", name, cmd.CommandPath())
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError(text)
}
