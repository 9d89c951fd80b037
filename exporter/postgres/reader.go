package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// Query returns the newest records that match f, as query.Reader has it. The role needs SELECT on otelaudit.activity.
//
// It reads as far back as it must: a filter that neither an index nor From bounds reads the whole table before it says that
// there is nothing. docs/schema.md has the indexes; Metadata and TraceID have none unless somebody adds it.
//
// An integer in Filter.Metadata also matches the float of the same value.
func (e *Exporter) Query(ctx context.Context, f query.Filter, p query.PageRequest) (query.Page, error) {
	limit, err := p.Size()
	if err != nil {
		return query.Page{}, err
	}
	s, err := selectSQL(f, p, limit+1) // one more says whether there is a next page
	if err != nil || s == nil {
		return query.Page{}, err
	}
	var records []*otelaudit.Record
	err = e.withConn(ctx, func(pc *pgconn.PgConn) (err error) {
		records, err = s.run(ctx, pc)
		return err
	})
	if pgErr := refusedValue(err); pgErr != nil {
		return query.Page{}, fmt.Errorf("%w: the database refuses a value of the filter: %w", query.ErrInvalid, err)
	}
	if err != nil {
		return query.Page{}, fmt.Errorf("postgres: query: %w", classify(err).err)
	}
	page := query.Page{Records: records}
	if len(records) > limit {
		page.Records = records[:limit]
		page.Next = query.Cursor(records[limit-1])
	}
	return page, nil
}

// run reads all rows of s.
func (s *statement) run(ctx context.Context, pc *pgconn.PgConn) ([]*otelaudit.Record, error) {
	var records []*otelaudit.Record
	var rows decoder
	// Unnamed and with its values, so that Postgres plans for them: a plan for any value could not know which partitions and
	// which partial index will do.
	result := pc.ExecParams(ctx, s.sql.String(), s.values, s.oids, s.formats, binaryResults)
	for result.NextRow() {
		r, err := rows.record(result.Values())
		if err != nil {
			_, _ = result.Close()
			return nil, err
		}
		records = append(records, r)
	}
	_, err := result.Close()
	return records, err
}
