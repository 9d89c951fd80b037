package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

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
	r := typical(t, 1, time.Now())
	require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
	for name, c := range map[string]struct {
		filter query.Filter
		page   query.PageRequest
	}{
		"a filter":            {filter: query.Filter{Target: otelaudit.Target{ID: "1"}}},
		"a limit":             {page: query.PageRequest{Limit: query.MaxLimit + 1}},
		"a cursor":            {page: query.PageRequest{After: "?"}},
		"a NUL byte in JSON":  {filter: query.Filter{Metadata: []attribute.KeyValue{attribute.String("k", "\x00")}}},
		"a NUL byte deep in":  {filter: query.Filter{Metadata: []attribute.KeyValue{attribute.Map("k", attribute.Slice("l", attribute.MapValue(attribute.Int("\x00", 1))))}}},
		"a NUL byte in a key": {filter: query.Filter{Metadata: []attribute.KeyValue{attribute.Int("\x00", 1)}}},
		"a NUL byte in text":  {filter: query.Filter{Action: "a\x00.*"}},
		"no UTF-8":            {filter: query.Filter{Action: "\xff.*"}},
	} {
		for _, reader := range []query.Reader{e, scanned{nil}} {
			_, err := reader.Query(t.Context(), c.filter, c.page)
			require.ErrorIs(t, err, query.ErrInvalid, name)
		}
	}
	for _, at := range []time.Time{time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<62, 0), time.Unix(-1<<62, 0)} {
		for _, f := range []query.Filter{{From: at}, {To: at}} {
			_, err := both{t, e, scanned{r}}.Query(t.Context(), f, query.PageRequest{})
			require.NoError(t, err, "any time is one: %s", at)
		}
	}
}

// Who was recorded under an altered id is found by the id that the service uses.
func TestQueryFindsWhatWasMadeStorable(t *testing.T) {
	t.Parallel()
	e, _ := freshDatabase(t)
	var all scanned
	for _, id := range []string{strings.Repeat("x", 2000), "a\tb", "x\u202ey", "\xff"} {
		ctx := otelaudit.ContextWithOperation(otelaudit.ContextWithTenant(t.Context(), id), id)
		a := otelaudit.Activity{Action: "a." + id, Actor: otelaudit.Service("s").For(otelaudit.User(id)), Target: otelaudit.Target{Type: id, ID: id}}
		r := new(otelaudit.Record)
		_, err := recorder.Record(ctx, &a, r)
		require.NoError(t, err)
		require.NoError(t, e.ExportBatch(t.Context(), batch(r)))
		all = append(all, r)
		for name, f := range map[string]query.Filter{
			"actor":     {Actor: otelaudit.User(id), InChain: true},
			"action":    {Action: a.Action},
			"target":    {Target: a.Target},
			"tenant":    {Tenant: id},
			"operation": {Operation: id},
		} {
			page, err := both{t, e, all}.Query(t.Context(), f, query.PageRequest{})
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
	inAnyCollation(t, queriesUseTheirIndexes)
}

func queriesUseTheirIndexes(t *testing.T, e *Exporter, dsn string) {
	t.Helper()
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
