package postgres

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// BenchmarkIndexes says what each index costs, for docs/schema.md: its bytes a row, and what it adds to the server's CPU time
// to COPY a row into a table with all that Migrate makes. Each batch goes into a table with all, into those without one of
// them, into those with one of the optional, and into one without any, in turn, so that whatever else the machine does weighs
// on all alike. Run it with -benchtime=100x: 204,800 rows.
func BenchmarkIndexes(b *testing.B) {
	dsn := durable(b)
	migrated(b, dsn)
	run(b, dsn, statements(b, "index metadata")+statements(b, "index trace"))
	conn := connected(b, dsn)
	found, err := conn.Query(b.Context(), "SELECT replace(indexrelid::regclass::text, 'otelaudit.activity_', ''), pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'otelaudit.activity'::regclass ORDER BY 1")
	require.NoError(b, err)
	definitions := map[string]string{}
	var name, definition string
	_, err = pgx.ForEachRow(found, []any{&name, &definition}, func() error { definitions[name] = definition; return nil })
	require.NoError(b, err)
	require.NoError(b, found.Err())

	optional := func(name string) bool { return name == "metadata" || name == "trace" }
	indexes := map[string][]string{"none": nil, "all": nil} // of a table
	for name := range definitions {
		if !optional(name) {
			indexes["all"] = append(indexes["all"], name)
		}
	}
	for name := range definitions {
		if optional(name) {
			indexes[name] = append(slices.Clone(indexes["all"]), name)
		} else {
			indexes[name] = slices.DeleteFunc(slices.Clone(indexes["all"]), func(other string) bool { return other == name })
		}
	}
	head := regexp.MustCompile(`INDEX \S+ ON ONLY otelaudit\.activity`)
	for table, names := range indexes {
		sql := "CREATE TABLE bench_" + table + " (LIKE otelaudit.activity INCLUDING DEFAULTS INCLUDING CONSTRAINTS);"
		for _, name := range names {
			sql += head.ReplaceAllString(definitions[name], "INDEX bench_"+table+"_"+name+" ON bench_"+table) + ";"
		}
		run(b, dsn, sql)
	}

	rows := typicals(b, benchBatch, time.Now())
	at := time.Now().UTC().Truncate(time.Microsecond)
	cpu := map[string]time.Duration{}
	n := 0
	var enc encoder
	for b.Loop() {
		enc.buf, enc.ends = enc.buf[:0], enc.ends[:0]
		var part []int
		for i, r := range rows {
			at = at.Add(50 * time.Microsecond)
			n++
			vary(b, r, n, at)
			require.NoError(b, enc.add(r))
			part = append(part, i)
		}
		for table := range indexes { // in another order each time
			before := cpuTime(b, conn.PgConn().PID())
			_, err := conn.PgConn().CopyFrom(b.Context(), enc.stream(part), strings.Replace(copySQL, "otelaudit.activity", "bench_"+table, 1))
			require.NoError(b, err)
			cpu[table] += cpuTime(b, conn.PgConn().PID()) - before
		}
	}
	perRow := func(table string) float64 { return float64(cpu[table].Microseconds()) / float64(n) }
	all := perRow("all")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(all, "us-cpu/row")
	b.ReportMetric(perRow("none")/all, "heap-alone")
	b.Logf("%d rows; with all indexes %.1f µs of CPU a row, with none %.1f", n, all, perRow("none"))
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		table, added := "all", all-perRow(name)
		if optional(name) {
			table, added = name, -added
		}
		size := scalar[float64](b, dsn, "SELECT pg_relation_size($1::text::regclass)::float8", "bench_"+table+"_"+name)
		b.Logf("%-14s %6.1f bytes/row  %5.1f%%", name, size/float64(n), 100*added/all)
	}
	b.Logf("heap %.0f bytes/row", scalar[float64](b, dsn, "SELECT pg_relation_size('bench_none')::float8")/float64(n))
}

// vary makes r the n-th record of a plausible mix.
func vary(b *testing.B, r *otelaudit.Record, n int, at time.Time) {
	b.Helper()
	r.ID, r.Time = record(b, otelaudit.Activity{Action: "x", Time: at}).ID, at
	r.Target.ID = fmt.Sprintf("inv_%08d", n*7919%1_000_003)
	r.Actor.ID = fmt.Sprintf("usr_%06d", n*104729%50_021)
	r.Metadata[0].Value = attribute.IntValue(n)
	binary.BigEndian.PutUint64(r.TraceID[:], rand.Uint64())
	r.Outcome, r.Operation, r.Actor.OnBehalfOf = otelaudit.Success, "", nil
	if n%10 == 0 {
		r.Outcome = otelaudit.Denied
	}
	if n%5 == 0 {
		r.Operation = fmt.Sprintf("op_%08d", n/50)
	}
	if n%20 == 0 {
		customer := otelaudit.User(fmt.Sprintf("cus_%06d", n*31%20_011))
		r.Actor.OnBehalfOf = &customer
	}
}

// cpuTime is the time that a process of this machine has used, in the kernel's ticks of 10 ms.
func cpuTime(b *testing.B, pid uint32) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("needs /proc and a server on this machine")
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	require.NoError(b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}
