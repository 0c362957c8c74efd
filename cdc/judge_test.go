package cdc

import (
	"errors"
	"strings"
	"testing"
)

var judgeConfig = Config{
	EventsTable: "public.calendar_events", ClientsTable: "public.clients", Slot: "s1", Publication: "p1", Create: true,
}

func goodPrior() *Prior {
	return &Prior{LSN: 1000, SystemID: "77", Timeline: 1, Database: "db", Fingerprint: "f", BaselineDone: true}
}

func goodFacts() Facts {
	return Facts{
		SystemID: "77", Timeline: 1, Database: "db", WALEnd: 2000, ServerVersion: 150000, TableOID: 5, Fingerprint: "f",
		Publication: &PublicationFacts{OID: 1, Insert: true, Update: true, Delete: true, Truncate: true, HasTable: true},
		Slot:        &SlotFacts{Plugin: "pgoutput", Logical: true, Database: "db", ConfirmedFlush: 1000, Restart: 900, WALStatus: "reserved"},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	type change struct {
		prior *Prior
		facts Facts
		cfg   Config
	}
	none := func(c *change) { c.prior = nil }
	noSlot := func(c *change) { c.facts.Slot = nil }
	noPub := func(c *change) { c.facts.Publication, c.facts.Fingerprint = nil, "" }
	byHand := func(c *change) { c.cfg.Create = false }
	stop := func(c *change) { c.cfg.OnSlotLoss = Stop }
	slot := func(edit func(*SlotFacts)) func(*change) { return func(c *change) { edit(c.facts.Slot) } }
	pub := func(edit func(*PublicationFacts)) func(*change) {
		return func(c *change) { edit(c.facts.Publication) }
	}
	active := slot(func(s *SlotFacts) { s.Active, s.ActivePID = true, 4242 })
	ahead := slot(func(s *SlotFacts) { s.ConfirmedFlush = 1001 })
	lost := slot(func(s *SlotFacts) { s.WALStatus = "lost" })
	otherPrint := func(c *change) { c.facts.Fingerprint = "g" }
	accepted := func(c *change) { c.prior.LSN, c.prior.Fingerprint = 0, "" }

	for name, tc := range map[string]struct {
		edit     []func(*change)
		want     Action
		newSlot  bool
		dropSlot bool
		is       error
		says     []string // in the reason or the error
	}{
		"continue":               {want: Continue},
		"idle beyond the commit": {edit: []func(*change){slot(func(s *SlotFacts) { s.ConfirmedFlush = 900 })}, want: Continue},
		"interrupted snapshot":   {edit: []func(*change){func(c *change) { c.prior.SnapshotPending = true }}, want: Resume},
		"no baseline":            {edit: []func(*change){func(c *change) { c.prior.BaselineDone = false }}, want: Resume},

		"first start":                          {edit: []func(*change){none, noSlot, noPub}, want: FirstStart, newSlot: true},
		"first start by hand":                  {edit: []func(*change){none, noSlot, noPub, byHand}, want: Refuse, says: []string{`CREATE PUBLICATION "p1" FOR TABLE "public"."calendar_events"`, `SELECT pg_create_logical_replication_slot('s1', 'pgoutput');`}},
		"first start, slot before publication": {edit: []func(*change){none, noPub}, want: FirstStart, newSlot: true, dropSlot: true},
		"first start, lost slot":               {edit: []func(*change){none, lost}, want: FirstStart, newSlot: true, dropSlot: true},
		"first start, lost slot by hand":       {edit: []func(*change){none, lost, byHand}, want: Refuse, says: []string{"lost WAL", "pg_drop_replication_slot('s1')"}},
		"adopt":                                {edit: []func(*change){none}, want: Adopt},
		"adopt by hand":                        {edit: []func(*change){none, byHand}, want: Adopt},
		"empty standby":                        {edit: []func(*change){none, active}, want: Refuse, is: ErrSlotActive, says: []string{"4242", "STATE_URL"}},
		"standby":                              {edit: []func(*change){active}, want: Wait, says: []string{"4242"}},
		"standby leaves healing to the active": {edit: []func(*change){active, ahead, otherPrint}, want: Wait},

		"other system":           {edit: []func(*change){func(c *change) { c.facts.SystemID = "78" }}, want: Refuse, is: ErrOtherSource, says: []string{"77", "78", "STATE_URL", "ghlsync setup --accept-source"}},
		"other database":         {edit: []func(*change){func(c *change) { c.facts.Database, c.facts.Slot.Database = "other", "other" }}, want: Refuse, is: ErrOtherSource},
		"accepted":               {edit: []func(*change){accepted, noSlot, noPub}, want: Heal, newSlot: true, says: []string{"accepted this source"}},
		"accepted, with a slot":  {edit: []func(*change){accepted}, want: Heal},
		"accepted, slot too old": {edit: []func(*change){accepted, noPub}, want: Heal, newSlot: true, dropSlot: true},
		"accepted, by hand":      {edit: []func(*change){accepted, noSlot, byHand}, want: Refuse, says: []string{"pg_create_logical_replication_slot('s1', 'pgoutput')"}},
		"accepted, stop":         {edit: []func(*change){accepted, noSlot, stop}, want: Heal, newSlot: true},
		"accepted, slot in use":  {edit: []func(*change){accepted, active}, want: Wait},
		"accepted, then another": {edit: []func(*change){accepted, func(c *change) { c.facts.SystemID = "78" }}, want: Refuse, is: ErrOtherSource},
		"no table":               {edit: []func(*change){func(c *change) { c.facts.TableOID = 0 }}, want: Refuse, says: []string{"no table public.calendar_events"}},

		"physical slot":    {edit: []func(*change){slot(func(s *SlotFacts) { s.Logical, s.Plugin, s.Database = false, "", "" })}, want: Refuse, says: []string{"physical", "CDC_SLOT", "pg_drop_replication_slot('s1')"}},
		"other plugin":     {edit: []func(*change){slot(func(s *SlotFacts) { s.Plugin = "wal2json" })}, want: Refuse, says: []string{"wal2json"}},
		"slot elsewhere":   {edit: []func(*change){slot(func(s *SlotFacts) { s.Database = "other" })}, want: Refuse, says: []string{`"other"`}},
		"two-phase slot":   {edit: []func(*change){slot(func(s *SlotFacts) { s.TwoPhase = true })}, want: Refuse, says: []string{"two_phase"}},
		"foreign and used": {edit: []func(*change){active, slot(func(s *SlotFacts) { s.Plugin = "wal2json" })}, want: Refuse},

		"all tables":      {edit: []func(*change){pub(func(p *PublicationFacts) { p.AllTables = true })}, want: Refuse, says: []string{"clients", "CDC_PUBLICATION"}},
		"clients too":     {edit: []func(*change){pub(func(p *PublicationFacts) { p.HasClients = true })}, want: Refuse, says: []string{"clients"}},
		"no deletes":      {edit: []func(*change){pub(func(p *PublicationFacts) { p.Delete = false })}, want: Refuse, says: []string{`SET (publish = 'insert, update, delete, truncate')`}},
		"row filter":      {edit: []func(*change){pub(func(p *PublicationFacts) { p.RowFilter = true })}, want: Refuse, says: []string{"row filter", `SET TABLE "public"."calendar_events"`}},
		"column list":     {edit: []func(*change){pub(func(p *PublicationFacts) { p.ColumnList = true })}, want: Refuse, says: []string{"column list"}},
		"leaf partitions": {edit: []func(*change){pub(func(p *PublicationFacts) { p.Partitioned = true })}, want: Refuse, says: []string{"publish_via_partition_root = true"}},
		"root":            {edit: []func(*change){pub(func(p *PublicationFacts) { p.Partitioned, p.ViaRoot = true, true })}, want: Continue},

		"slot gone":              {edit: []func(*change){noSlot}, want: Heal, newSlot: true},
		"slot gone, by hand":     {edit: []func(*change){noSlot, byHand}, want: Refuse, is: ErrSlotMissing, says: []string{`pg_create_logical_replication_slot('s1', 'pgoutput')`}},
		"slot gone, stop":        {edit: []func(*change){noSlot, stop}, want: Refuse, is: ErrSlotMissing, says: []string{"CDC_ON_SLOT_LOSS=resync"}},
		"slot lost":              {edit: []func(*change){lost}, want: Heal, newSlot: true, dropSlot: true},
		"slot without WAL":       {edit: []func(*change){slot(func(s *SlotFacts) { s.Restart = 0 })}, want: Heal, newSlot: true, dropSlot: true},
		"slot invalidated":       {edit: []func(*change){slot(func(s *SlotFacts) { s.Invalidation = "idle_timeout" })}, want: Heal, newSlot: true, dropSlot: true, says: []string{"idle_timeout"}},
		"slot lost, by hand":     {edit: []func(*change){lost, byHand}, want: Refuse, is: ErrSlotLost, says: []string{"pg_drop_replication_slot('s1')"}},
		"confirmed beyond us":    {edit: []func(*change){ahead}, want: Heal, says: []string{"0/3E9", "0/3E8"}},
		"beyond us, by hand":     {edit: []func(*change){ahead, byHand}, want: Heal},
		"beyond us, stop":        {edit: []func(*change){ahead, stop}, want: Refuse},
		"WAL behind us":          {edit: []func(*change){func(c *change) { c.facts.WALEnd = 999 }}, want: Heal, says: []string{"backup"}},
		"publication gone":       {edit: []func(*change){noPub}, want: Heal, newSlot: true, dropSlot: true},
		"publication re-made":    {edit: []func(*change){otherPrint}, want: Heal, newSlot: true, dropSlot: true},
		"re-made, by hand":       {edit: []func(*change){otherPrint, byHand}, want: Refuse, says: []string{"pg_drop_replication_slot"}},
		"re-made and slot too":   {edit: []func(*change){otherPrint, ahead, byHand}, want: Heal},
		"re-made, slot advanced": {edit: []func(*change){otherPrint, ahead}, want: Heal, newSlot: true, dropSlot: true},

		"promoted after us":     {edit: []func(*change){func(c *change) { c.facts.Timeline, c.facts.Switches = 2, []Switch{{1, 1000}} }}, want: Continue},
		"promoted before us":    {edit: []func(*change){func(c *change) { c.facts.Timeline, c.facts.Switches = 2, []Switch{{1, 999}} }}, want: Heal, says: []string{"0/3E7"}},
		"promoted twice":        {edit: []func(*change){func(c *change) { c.facts.Timeline, c.facts.Switches = 3, []Switch{{1, 1500}, {2, 1600}} }}, want: Continue},
		"history unknown":       {edit: []func(*change){func(c *change) { c.facts.Timeline = 2 }}, want: Heal},
		"back on the timelines": {edit: []func(*change){func(c *change) { c.prior.Timeline = 2 }}, want: Refuse, is: ErrOldTimeline, says: []string{"timeline 1", "ghlsync setup --accept-source"}},
		"back, and accepted":    {edit: []func(*change){accepted, func(c *change) { c.prior.Timeline = 2 }}, want: Heal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := change{prior: goodPrior(), facts: goodFacts(), cfg: judgeConfig}
			for _, edit := range tc.edit {
				edit(&c)
			}
			got := Judge(c.prior, c.facts, c.cfg)
			if got.Action != tc.want || got.NewSlot != tc.newSlot || got.DropSlot != tc.dropSlot {
				t.Fatalf("got %v new=%v drop=%v (%s%v)", got.Action, got.NewSlot, got.DropSlot, got.Reason, got.Err)
			}
			if (got.Err != nil) != (tc.want == Refuse) {
				t.Errorf("error %v", got.Err)
			}
			if got.Action == Refuse && len(Findings(got.Err)) != 1 {
				t.Errorf("not a finding: %v", got.Err)
			}
			if tc.is != nil && !errors.Is(got.Err, tc.is) {
				t.Errorf("error %v is not %v", got.Err, tc.is)
			}
			text := got.Reason
			if got.Err != nil {
				text = got.Err.Error()
			}
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
		})
	}
}

// At a poll the slot is in use by ourselves, and ahead of a checkpoint that was
// read a moment earlier.
func TestJudgePoll(t *testing.T) {
	t.Parallel()
	f := goodFacts()
	f.Slot.Active, f.Slot.ConfirmedFlush = true, 1500
	if got := JudgePoll(*goodPrior(), f, judgeConfig); got.Action != Continue {
		t.Errorf("got %v %s%v", got.Action, got.Reason, got.Err)
	}
	if !f.Slot.Active || f.Slot.ConfirmedFlush != 1500 {
		t.Error("the facts were changed")
	}
	f.Fingerprint = "g"
	if got := JudgePoll(*goodPrior(), f, judgeConfig); got.Action != Heal || !got.NewSlot {
		t.Errorf("re-created publication: got %v", got.Action)
	}
	f = goodFacts()
	f.Slot = nil
	if got := JudgePoll(*goodPrior(), f, judgeConfig); got.Action != Heal {
		t.Errorf("slot gone: got %v", got.Action)
	}
}

func TestParseHistory(t *testing.T) {
	t.Parallel()
	got := parseHistory("1\t0/3000060\tno recovery target specified\n\n# note\n2\t1/A0\tbefore 2026-01-01 00:00:00+00\nx y\n")
	if len(got) != 2 || got[0] != (Switch{1, 0x3000060}) || got[1] != (Switch{2, 0x1000000A0}) {
		t.Errorf("got %v", got)
	}
}
