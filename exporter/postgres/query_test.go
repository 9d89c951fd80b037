package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// matches says what Filter's documentation says, without a database.
func matches(f query.Filter, r *otelaudit.Record) bool {
	actor := func(a *otelaudit.Actor) bool {
		if f.Actor.Type == otelaudit.ActorAnonymous || f.Actor.Type == otelaudit.ActorUnknown {
			return a.Type == f.Actor.Type
		}
		return a.ID == f.Actor.ID && (f.Actor.Type == "" || a.Type == f.Actor.Type)
	}
	if !f.Actor.IsZero() && !actor(&r.Actor) {
		found := false
		for a := r.Actor.OnBehalfOf; a != nil && f.InChain; a = a.OnBehalfOf {
			found = found || actor(a)
		}
		if !found {
			return false
		}
	}
	for _, kv := range f.Metadata {
		if !slices.Contains(r.Metadata, kv) {
			return false
		}
	}
	prefix, isPrefix := strings.CutSuffix(f.Action, "*")
	return (f.Target.Type == "" || r.Target.Type == f.Target.Type) &&
		(f.Target.ID == "" || r.Target.ID == f.Target.ID) &&
		(f.Action == "" || r.Action == f.Action || isPrefix && strings.HasPrefix(r.Action, prefix)) &&
		(len(f.Outcomes) == 0 || slices.Contains(f.Outcomes, r.Outcome)) &&
		(f.Tenant == "" || r.Tenant == f.Tenant) &&
		(f.Operation == "" || r.Operation == f.Operation) &&
		(!f.TraceID.IsValid() || r.TraceID == f.TraceID) &&
		(f.From.IsZero() || !r.Time.Before(f.From)) &&
		(f.To.IsZero() || r.Time.Before(f.To))
}

func newestFirstOrder(a, b *otelaudit.Record) int {
	return cmp.Or(b.Time.Compare(a.Time), bytes.Compare(b.ID[:], a.ID[:]))
}

// Any filter, in pages of any size, gives what matches, newest first, each record once: in databases of any collation.
func TestQueryGivesWhatMatches(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	ids := []string{"1", "2", "anonymous", "unknown"}
	types := []otelaudit.ActorType{otelaudit.ActorUser, otelaudit.ActorService, otelaudit.ActorSystem, otelaudit.ActorAnonymous, otelaudit.ActorUnknown}
	actions := []string{"invoice.approve", "invoice.line.add", "invoice", "invoice-line.add", "invoices.list", "invoice/x", "Invoice.approve", "invoicé.x"}
	values := []attribute.Value{attribute.StringValue("x"), attribute.IntValue(7), attribute.BoolValue(true), attribute.Float64Value(0.5), attribute.StringSliceValue([]string{"p", "q"})}
	start := time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC) // over the end of a month

	var all []*otelaudit.Record
	rng := rapid.Custom(func(t *rapid.T) *otelaudit.Record {
		actor := func() otelaudit.Actor {
			return otelaudit.Actor{Type: rapid.SampledFrom(types).Draw(t, "type"), ID: rapid.SampledFrom(ids).Draw(t, "id"), Name: "x"}
		}
		a := otelaudit.Activity{
			Action:   rapid.SampledFrom(actions).Draw(t, "action"),
			Actor:    actor(),
			Target:   otelaudit.Target{Type: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "type"), ID: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id")},
			Outcome:  rapid.SampledFrom([]otelaudit.Outcome{otelaudit.Success, otelaudit.Failure, otelaudit.Denied, otelaudit.OutcomeUnknown}).Draw(t, "outcome"),
			Tenant:   rapid.SampledFrom([]string{"", "acme", "Acme"}).Draw(t, "tenant"),
			Time:     start.Add(time.Duration(rapid.IntRange(0, 4*24).Draw(t, "hour")) * time.Hour),
			Metadata: []attribute.KeyValue{{Key: "k", Value: rapid.SampledFrom(values).Draw(t, "value")}, {Key: "l", Value: rapid.SampledFrom(values).Draw(t, "value")}},
		}
		for range rapid.IntRange(0, 2).Draw(t, "chain") {
			a.Actor = a.Actor.For(actor())
		}
		r := new(otelaudit.Record)
		ctx := otelaudit.ContextWithOperation(t.Context(), rapid.SampledFrom([]string{"", "op1", "op2"}).Draw(t, "operation"))
		if _, err := recorder.Record(ctx, &a, r); err != nil {
			t.Fatalf("%v", err)
		}
		r.TraceID[0] = rapid.ByteRange(0, 2).Draw(t, "trace")
		return r
	})
	for i := range 600 {
		all = append(all, rng.Example(i))
	}
	require.NoError(t, e.ExportBatch(t.Context(), batch(all...)))
	slices.SortFunc(all, newestFirstOrder)

	rapid.Check(t, func(rt *rapid.T) {
		var f query.Filter
		chosen := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) == 0 }
		if chosen("actor?") {
			f.Actor = otelaudit.Actor{Type: rapid.SampledFrom(append(types, "")).Draw(rt, "type"), ID: rapid.SampledFrom(ids).Draw(rt, "id")}
			if f.Actor.Type == otelaudit.ActorAnonymous || f.Actor.Type == otelaudit.ActorUnknown {
				f.Actor.ID = ""
			}
			f.InChain = rapid.Bool().Draw(rt, "in chain")
		}
		if chosen("target?") {
			f.Target = otelaudit.Target{Type: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "type"), ID: rapid.SampledFrom([]string{"", "1", "2"}).Draw(rt, "id")}
		}
		if chosen("action?") {
			f.Action = rapid.SampledFrom(append(actions, "invoice.*", "invoice.line.*", "Invoice.*", "invoicé.*", "none.*")).Draw(rt, "action")
		}
		if chosen("outcomes?") {
			f.Outcomes = rapid.SliceOfN(rapid.SampledFrom([]otelaudit.Outcome{otelaudit.Success, otelaudit.Failure, otelaudit.Denied, otelaudit.OutcomeUnknown}), 1, 3).Draw(rt, "outcomes")
		}
		if chosen("tenant?") {
			f.Tenant = rapid.SampledFrom([]string{"acme", "Acme", "none"}).Draw(rt, "tenant")
		}
		if chosen("operation?") {
			f.Operation = rapid.SampledFrom([]string{"op1", "op2"}).Draw(rt, "operation")
		}
		if chosen("trace?") {
			f.TraceID = trace.TraceID{rapid.ByteRange(1, 3).Draw(rt, "trace")}
		}
		if chosen("from?") {
			f.From = start.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "from"))*time.Hour + time.Duration(rapid.IntRange(0, 1).Draw(rt, "ns")))
		}
		if chosen("to?") {
			f.To = start.Add(time.Duration(rapid.IntRange(61, 97).Draw(rt, "to"))*time.Hour + time.Duration(rapid.IntRange(0, 1).Draw(rt, "ns")))
		}
		if chosen("metadata?") {
			f.Metadata = []attribute.KeyValue{{Key: "k", Value: rapid.SampledFrom(values).Draw(rt, "value")}}
			if rapid.Bool().Draw(rt, "two") {
				f.Metadata = append(f.Metadata, attribute.KeyValue{Key: "l", Value: rapid.SampledFrom(values).Draw(rt, "value")})
			}
		}
		var want []*otelaudit.Record
		for _, r := range all {
			if matches(f, r) {
				want = append(want, r)
			}
		}
		got := pages(rt.Context(), rt, e, f, rapid.IntRange(1, 200).Draw(rt, "limit"))
		require.Len(rt, got, len(want), "%+v", f)
		for i := range got {
			require.Empty(rt, difference(want[i], got[i]), "%+v", f)
		}
	})
}

// pages reads all pages.
func pages(ctx context.Context, t require.TestingT, e *Exporter, f query.Filter, limit int) []*otelaudit.Record {
	var got []*otelaudit.Record
	p := query.PageRequest{Limit: limit}
	for {
		page, err := e.Query(ctx, f, p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), limit)
		got = append(got, page.Records...)
		if page.Next == "" {
			return got
		}
		require.Len(t, page.Records, limit, "only the last page may be short")
		p.After = page.Next
	}
}

// A page that was read while more came in goes on where it ended.
func TestPagesGoOnWhereTheyEnded(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	start := time.Now()
	require.NoError(t, e.ExportBatch(t.Context(), batch(typicals(t, 5, start)...)))
	first, err := e.Query(t.Context(), query.Filter{}, query.PageRequest{Limit: 2})
	require.NoError(t, err)
	require.NoError(t, e.ExportBatch(t.Context(), batch(typicals(t, 5, start.Add(time.Second))...)))
	second, err := e.Query(t.Context(), query.Filter{}, query.PageRequest{Limit: 3, After: first.Next})
	require.NoError(t, err)
	require.Len(t, second.Records, 3)
	require.Empty(t, second.Next, "that was all")
	require.Equal(t, first.Records[1].Time.Add(-time.Microsecond), second.Records[0].Time)
}

func TestQueryRefusesWhatNoReaderCanAnswer(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	for name, c := range map[string]struct {
		filter query.Filter
		page   query.PageRequest
	}{
		"a filter":           {filter: query.Filter{Target: otelaudit.Target{ID: "1"}}},
		"a limit":            {page: query.PageRequest{Limit: query.MaxLimit + 1}},
		"a cursor":           {page: query.PageRequest{After: "?"}},
		"a NUL byte in JSON": {filter: query.Filter{Metadata: []attribute.KeyValue{attribute.String("k", "\x00")}}},
	} {
		_, err := e.Query(t.Context(), c.filter, c.page)
		require.ErrorIs(t, err, query.ErrInvalid, name)
	}
	for _, at := range []time.Time{time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<62, 0), time.Unix(-1<<62, 0)} {
		for _, f := range []query.Filter{{From: at}, {To: at}} {
			_, err := e.Query(t.Context(), f, query.PageRequest{})
			require.NoError(t, err, "any time is one: %s", at)
		}
	}
}

// Who was recorded under an altered id is found by the id that the service uses.
func TestQueryFindsWhatWasMadeStorable(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(t, err)
	for _, id := range []string{strings.Repeat("x", 2000), "a\tb", "x\u202ey", "\xff"} {
		ctx := otelaudit.ContextWithOperation(otelaudit.ContextWithTenant(t.Context(), id), id)
		a := otelaudit.Activity{Action: "a.read", Actor: otelaudit.Service("s").For(otelaudit.User(id)), Target: otelaudit.Target{Type: id, ID: id}}
		r := new(otelaudit.Record)
		_, err := recorder.Record(ctx, &a, r)
		require.NoError(t, err)
		require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
		for name, f := range map[string]query.Filter{
			"actor":     {Actor: otelaudit.User(id), InChain: true},
			"target":    {Target: a.Target},
			"tenant":    {Tenant: id},
			"operation": {Operation: id},
		} {
			page, err := e.Query(t.Context(), f, query.PageRequest{})
			require.NoError(t, err)
			require.Len(t, page.Records, 1, "%s %.10q", name, id)
		}
	}
}

func TestQueryForATenant(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	mine, other, none := typical(t, 1, time.Now()), typical(t, 2, time.Now()), typical(t, 3, time.Now())
	mine.Tenant, other.Tenant, none.Tenant = "mine", "other", ""
	require.NoError(t, e.ExportBatch(t.Context(), batch(mine, other, none)))
	page, err := query.ForTenant(e, "mine").Query(t.Context(), query.Filter{}, query.PageRequest{})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, mine.ID, page.Records[0].ID)
}

// A row that this program cannot read is an error that names it, and not another record.
func TestQueryRefusesRowsItDoesNotKnow(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	r := typical(t, 1, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	for change, message := range map[string]string{
		"schema_version = 2":                    "it has schema_version 2, and this program knows 1",
		"actor = '{\"trust\":\"blind\"}'":       `unknown trust "blind"`,
		"actor = '7'":                           "cannot unmarshal number",
		"changes = '[]'":                        "cannot unmarshal array",
		"metadata = '[]'":                       "not a JSON object",
		"sanitized = '[{\"sha256\":\"beef\"}]'": "a sha256 has 2 bytes",
		"sanitized = '[{\"sha256\":\"x\"}]'":    "invalid byte",
	} {
		tx, err := connected(t, dsn).Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "UPDATE otelaudit.activity SET "+change)
		require.NoError(t, err)
		s, err := selectSQL(query.Filter{}, query.PageRequest{}, 10)
		require.NoError(t, err)
		_, err = s.run(t.Context(), tx.Conn().PgConn())
		require.ErrorContains(t, err, message)
		require.ErrorContains(t, err, "the row of record "+r.ID.String())
		require.NoError(t, tx.Rollback(t.Context()))
	}
}

// Each filter is answered by its index, in the table's order, also the arms of a chain and from the second page on; in a
// database of another collation too. The indexes that docs/schema.md leaves to the operator are used once they are there.
func TestQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	e, dsn := freshDatabase(t)
	ctx := t.Context()
	now := time.Now()
	var wanted *otelaudit.Record
	for month := range 3 {
		rs := typicals(t, 3000, now.AddDate(0, -month, 0))
		for i, r := range rs {
			r.Actor.ID, r.Target.ID = fmt.Sprintf("usr_%d", i%50), fmt.Sprintf("inv_%d", i%500)
			r.Tenant, r.Operation = fmt.Sprintf("tenant_%d", i%40), fmt.Sprintf("op_%d", i/10)
			r.Action = fmt.Sprintf("thing%d.%s", i%30, []string{"create", "update"}[i/30%2])
			if i%1000 == 0 {
				r.Action = "rare.create"
			}
			if i%100 == 0 {
				r.Outcome = otelaudit.Denied
				customer := otelaudit.User(fmt.Sprintf("customer_%d", i))
				r.Actor.OnBehalfOf = &customer
			}
		}
		require.NoError(t, e.ExportBatch(ctx, batch(rs...)))
		wanted = rs[1500]
	}
	run(t, dsn, statements(t, "index metadata")+statements(t, "index trace")+"ANALYZE otelaudit.activity")
	conn := connected(t, dsn)
	behalf := otelaudit.User("customer_1500")
	for name, c := range map[string]struct {
		filter query.Filter
		index  string
		sorted bool // by the index, and not afterwards
	}{
		"newest":           {query.Filter{}, "pkey", true},
		"actor":            {query.Filter{Actor: otelaudit.User("usr_7")}, "actor_id_time_id_idx", true},
		"actor's id":       {query.Filter{Actor: otelaudit.Actor{ID: "usr_7"}}, "actor_id_time_id_idx", true},
		"anywhere":         {query.Filter{Actor: behalf, InChain: true}, "on_behalf_of_idx", false},
		"anywhere, actor":  {query.Filter{Actor: behalf, InChain: true}, "actor_id_time_id_idx", false},
		"target":           {query.Filter{Target: otelaudit.Target{Type: "invoice", ID: "inv_7"}}, "target_type_target_id_time_id_idx", true},
		"action":           {query.Filter{Action: "thing7.create"}, "action_time_id_idx", true},
		"actions":          {query.Filter{Action: "rare.*"}, "action_time_id_idx", false},
		"denied":           {query.Filter{Outcomes: []otelaudit.Outcome{otelaudit.Denied}}, "outcome_time_id_idx", true},
		"denied or failed": {query.Filter{Outcomes: []otelaudit.Outcome{otelaudit.Denied, otelaudit.Failure}}, "outcome_time_id_idx", false},
		"tenant":           {query.Filter{Tenant: "tenant_3"}, "tenant_id_time_id_idx", true},
		"operation":        {query.Filter{Operation: "op_7"}, "operation_id_time_id_idx", false},
		"metadata":         {query.Filter{Metadata: []attribute.KeyValue{attribute.Int("invoice.amount_cents", 700)}}, "metadata_idx", false},
		"trace":            {query.Filter{TraceID: wanted.TraceID}, "trace_id_idx", false},
	} {
		// Of a hundred rows, reading all and sorting them may be quicker; of a million it is not.
		for _, other := range []string{"bitmapscan", "seqscan", "sort"} {
			_, err := conn.Exec(ctx, fmt.Sprintf("SET enable_%s = %t", other, !c.sorted))
			require.NoError(t, err)
		}
		for _, p := range []query.PageRequest{{}, {After: query.Cursor(wanted)}} {
			s, err := selectSQL(c.filter, p, 51)
			require.NoError(t, err)
			result := conn.PgConn().ExecParams(ctx, "EXPLAIN "+s.sql.String(), s.values, s.oids, s.formats, nil).Read()
			require.NoError(t, result.Err, name)
			var plan []string
			for _, row := range result.Rows {
				plan = append(plan, string(row[0]))
			}
			month := "activity_" + wanted.Time.Format("2006_01")
			require.Contains(t, join(plan), month+"_"+c.index, name)
			require.NotContains(t, join(plan), "Seq Scan on "+month, name)
			if c.sorted {
				require.NotContains(t, join(plan), "Sort", name)
			}
			if p.After != "" {
				require.NotContains(t, join(plan), "activity_"+now.UTC().Format("2006_01"), "%s: what lies before the page is not looked at", name)
			}
		}
	}
	s, err := selectSQL(query.Filter{From: now.AddDate(0, 0, -1)}, query.PageRequest{}, 51)
	require.NoError(t, err)
	plan, err := conn.Query(ctx, "EXPLAIN "+strings.ReplaceAll(strings.ReplaceAll(s.sql.String(), "$1", "now() - interval '1 day'"), "$2", "51"))
	require.NoError(t, err)
	lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotContains(t, join(lines), "_"+wanted.Time.Format("2006_01"), "a month that the filter leaves out is not looked at")
}
