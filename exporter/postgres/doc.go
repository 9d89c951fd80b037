// Package postgres keeps activities in a Postgres table: it makes the table, writes records into it and reads them back.
//
//	pg, err := postgres.Open(ctx, dsn)
//	err = pg.Migrate(ctx)
//	t, err := trail.Open(ctx, trail.Config{…, Sinks: []trail.Sink{{Name: "postgres", Exporter: pg}}})
//	page, err := pg.Query(ctx, query.Filter{Target: otelaudit.Target{Type: "invoice", ID: "42"}}, query.PageRequest{})
//
// An [Exporter] is a trail.BatchExporter, an OpenTelemetry log exporter for any LoggerProvider, and a query.Reader.
//
// # What it guarantees
//
// When [Exporter.ExportBatch] returns nil, every record of the batch is one row of otelaudit.activity, in a transaction that
// Postgres has committed with synchronous_commit not off: it survives what that setting promises, at least a crash of the
// server. fsync and full_page_writes are the server's; where somebody turned them off, nothing here helps.
//
// The same record any number of times, in one batch or in several, also from several processes at once, is one row. Another
// activity under the time and id of one that is there is refused ([ErrConflict]), and the row stays as it is. What [Exporter.Query]
// returns equals what was written, to the bit of a float.
//
// A batch is written with binary COPY, as if all of it were new, which nearly every batch is. Only when Postgres says that it
// is not, it is written again in the slower way that tells rows that are there from rows that are not. A large batch that a
// trail took from its journal is written over two connections at once, each with a transaction of its own: so a backlog leaves
// nearly half as fast again. A pool of one connection (pool_max_conns=1) keeps it to one.
//
// # What it does not
//
// It does not keep a role that may change rows from changing them: deliver with a role that may not (docs/schema.md). It
// does not remove old rows. It does not queue: package trail does, and repeats what was not confirmed.
//
// # Pools and poolers
//
// It uses no prepared statement by name, no session setting and no session lock, so it works behind a pooler that gives each
// transaction another connection, such as PgBouncer's transaction pooling.
package postgres
