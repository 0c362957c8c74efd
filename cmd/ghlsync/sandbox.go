package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/config"
)

const sandboxHelp = `Run a GHL to try things against: an inbound webhook and the calendar API with an
appointment book behind them, a log of all requests, and knobs for every way in
which a receiver can fail. Open its address in a browser and watch: calendar,
requests and faults are on one page, live. To curl the same address lists the
endpoints.

The calendar API keeps GHL's own limits, knows every client, and shows a new
contact to a search after ten seconds; PUT /sandbox/api changes that.

It keeps everything in memory, and whole requests at that: it is no place for
real clients' data.`

// defaultSandboxAddr is next to the daemon's own.
const defaultSandboxAddr = "127.0.0.1:8090"

func newSandbox(std streams) *cobra.Command {
	var addr string
	var o sandbox.Options
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a GHL sandbox to try things against",
		Long:  sandboxHelp,
		Example: `  ghlsync sandbox
  ghlsync sandbox --addr 127.0.0.1:0    on a free port
  curl -X PUT --data '{"status":503,"count":5}' http://127.0.0.1:8090/sandbox/faults`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Callbacks.URL != "" {
				cfg, _, err := config.Load(cmd.Context(), std.environment(), config.NeedHTTP)
				if err != nil {
					return err
				}
				o.Callbacks.Secret = cfg.HTTP.CallbackSecret.Reveal()
			}
			return runSandbox(cmd.Context(), std, addr, o)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultSandboxAddr, "address to listen on, HOST:PORT")
	cmd.Flags().BoolVar(&o.IgnoreIdempotencyKeys, "ignore-keys", false, "act on a repeated delivery id again, as some receivers do")
	cmd.Flags().StringVar(&o.Callbacks.URL, "callback-url", "", "call back here when an appointment changes, with CALLBACK_SECRET")
	cmd.Flags().DurationVar(&o.Callbacks.Delay, "callback-delay", 0, "how long after the change")
	cmd.Flags().IntVar(&o.Callbacks.Copies, "callback-copies", 1, "how often each callback is sent")
	cmd.Flags().BoolVar(&o.Lenient, "lenient", false, "act on bodies that are not quite the guide's")
	return cmd
}

func runSandbox(ctx context.Context, std streams, addr string, o sandbox.Options) error {
	if _, port, err := net.SplitHostPort(addr); err != nil || !isPort(port) {
		return usageError(fmt.Sprintf("--addr %q is not an address: write HOST:PORT, such as %s", addr, defaultSandboxAddr))
	}
	o.API = sandbox.API{AutoContacts: true, SearchLag: 10 * time.Second, Quota: sandbox.GHLQuota}
	s := sandbox.New(o)
	defer s.Close()
	if err := s.Start(ctx, addr); err != nil {
		return err
	}
	say(std.out, "GHL sandbox\n  webhook       GHL_WEBHOOK_URL=%s\n", s.WebhookURL())
	api := s.API()
	say(std.out, "  calendar API  GHL_MODE=api GHL_API_URL=%s GHL_API_TOKEN=%s GHL_LOCATION_ID=%s\n", s.APIURL(), api.Token, api.LocationID)
	say(std.out, "                GHL_ONBOARDING_CALENDAR_ID=%s GHL_HANDOVER_CALENDAR_ID=%s\n", api.Calendars[0].ID, api.Calendars[1].ID)
	say(std.out, "  watch it at   %s/\n  appointments  %s/sandbox/appointments\n", s.URL(), s.URL())
	say(std.out, "  requests      %s/sandbox/requests\n  faults        %s/sandbox/faults\nCtrl-C ends it.\n", s.URL(), s.URL())
	<-ctx.Done()
	return nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}
