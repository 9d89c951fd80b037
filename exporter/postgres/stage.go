package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

const (
	// createStageSQL makes an empty table of the same columns, without the constraints: those are checked on the way into
	// otelaudit.activity.
	createStageSQL = `CREATE TEMPORARY TABLE otelaudit_stage ON COMMIT DROP AS SELECT ` + columns + ` FROM otelaudit.activity WITH NO DATA`

	dropStageSQL = `DROP TABLE IF EXISTS pg_temp.otelaudit_stage; `

	copyStageSQL = `COPY pg_temp.otelaudit_stage (` + columns + `) FROM STDIN BINARY`

	// insertStagedSQL leaves in the stage what was in the table already. It inserts by key, so that two transactions with the
	// same rows in another order wait for each other instead of deadlocking.
	insertStagedSQL = `WITH inserted AS (` +
		`INSERT INTO otelaudit.activity (` + columns + `) SELECT ` + columns + ` FROM pg_temp.otelaudit_stage ORDER BY time, id ` +
		`ON CONFLICT (time, id) DO NOTHING RETURNING time, id) ` +
		`DELETE FROM pg_temp.otelaudit_stage USING inserted WHERE otelaudit_stage.time = inserted.time AND otelaudit_stage.id = inserted.id`

	// readStagedSQL reads the rows of the table that have the keys left in the stage. It sees rows that another transaction
	// committed while insertStagedSQL waited for it. LATERAL … LIMIT 1 makes it one look-up in the primary key for each: the
	// stage has no statistics, and a plan that reads the table through must not be thinkable.
	readStagedSQL = `SELECT activity.* FROM pg_temp.otelaudit_stage, LATERAL (SELECT ` + columns + ` FROM otelaudit.activity ` +
		`WHERE activity.time = otelaudit_stage.time AND activity.id = otelaudit_stage.id LIMIT 1) AS activity`
)

var errVanished = errors.New("rows were there, and are not any more")

// key is a record's place in the primary key.
type key struct {
	time int64 // Unix microseconds
	id   otelaudit.ID
}

func keyOf(r *otelaudit.Record) key { return key{r.Time.UnixMicro(), r.ID} }

// stage writes part in a unit of its own, where rows of it may be there, or in it twice. The same activity is a
// success; another activity under a key that is taken becomes a bad record.
func (s *share) stage(ctx context.Context, part []int) error {
	first, unique := s.unique(part)
	there := map[key]*otelaudit.Record{} // rows that were in the table before
	var added int64
	err := s.unit.do(ctx, s.conn, func() error {
		if _, err := exec(ctx, s.conn, s.unit.createStage); err != nil {
			return classifySetup(err)
		}
		if err := s.copyTo(ctx, copyStageSQL, unique); err != nil {
			return err
		}
		inserted, err := exec(ctx, s.conn, insertStagedSQL)
		added = inserted.RowsAffected()
		if err != nil || added == int64(len(unique)) {
			return err
		}
		if err := s.readStaged(ctx, there); err != nil {
			return err
		}
		if missing := int64(len(unique)) - added - int64(len(there)); missing != 0 {
			return fmt.Errorf("%d records: %w", missing, errVanished)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.added = s.added || added > 0
	for _, i := range part {
		r := s.records[i]
		k := keyOf(r)
		stored := there[k]
		if stored == nil {
			stored = s.records[first[k]]
		}
		if !stored.SameActivity(r) {
			s.addBad(i, fmt.Errorf("%w: %s at %s", ErrConflict, r.ID, r.Time.Format(time.RFC3339Nano)))
		}
	}
	return nil
}

// unique returns the first record of each key: by key, and in order.
func (s *share) unique(part []int) (first map[key]int, unique []int) {
	first = make(map[key]int, len(part))
	for _, i := range part {
		k := keyOf(s.records[i])
		if _, twice := first[k]; !twice {
			first[k] = i
			unique = append(unique, i)
		}
	}
	return first, unique
}

// readStaged puts the rows that were there into there.
func (s *share) readStaged(ctx context.Context, there map[key]*otelaudit.Record) error {
	var rows decoder
	result := s.conn.ExecParams(ctx, readStagedSQL, nil, nil, nil, binaryResults)
	for result.NextRow() {
		r, err := rows.record(result.Values())
		if err != nil {
			_, _ = result.Close()
			return &fault{stop, err}
		}
		there[keyOf(r)] = r
	}
	_, err := result.Close()
	return err
}

// binaryResults asks for all columns in binary.
var binaryResults = []int16{1}
