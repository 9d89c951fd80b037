package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// beginSQL begins a transaction, in one round trip. READ COMMITTED, because a staged batch must see in its second statement
// what another transaction committed during its first; READ WRITE, because a role or a database may default to read only.
// Where nobody waits for the commit to reach the disk, we do.
const beginSQL = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ` +
	`SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE pg_catalog.current_setting('synchronous_commit') = 'off'`

// unit is what is written as a whole or not at all.
type unit struct {
	begin       string
	createStage string
	after       func(ctx context.Context, pc *pgconn.PgConn, f func() error) error // runs f, which begins it, and ends it
}

var (
	transaction = &unit{beginSQL, createStageSQL, commitAfter}
	// savepoint is a part of a transaction. Another part of it may have left a stage.
	savepoint = &unit{savepointSQL, dropStageSQL + createStageSQL, releaseAfter}
)

// do runs f in a unit of its own on pc, and keeps what it wrote when f returns nil.
func (u *unit) do(ctx context.Context, pc *pgconn.PgConn, f func() error) error {
	return u.after(ctx, pc, func() error {
		if _, err := exec(ctx, pc, u.begin); err != nil {
			return err
		}
		return f()
	})
}

// inTransaction runs f in a transaction of its own on pc, and commits it when f returns nil; see commitAfter.
func inTransaction(ctx context.Context, pc *pgconn.PgConn, f func() error) error {
	return transaction.do(ctx, pc, f)
}

// commitAfter runs f, which begins a transaction and works in it, and commits that when f returns nil. When it returns nil,
// the transaction is committed. When it returns an error, the transaction is rolled back; only if the connection was lost
// between COMMIT and its answer may it be committed all the same.
func commitAfter(ctx context.Context, pc *pgconn.PgConn, f func() error) error {
	if err := f(); err != nil {
		rollback(ctx, pc)
		return err
	}
	tag, err := exec(ctx, pc, "COMMIT")
	// pgconn.SafeToRetry is no help: it also says so of a connection that was lost before the answer.
	if _, answered := errors.AsType[*pgconn.PgError](err); err != nil && !answered {
		return fmt.Errorf("the connection was lost while it committed, so that it may have: %w", err)
	}
	if err == nil && tag.String() != "COMMIT" { // Postgres answers ROLLBACK, and no error, where the transaction had failed
		err = fmt.Errorf("the server answered %s to COMMIT", tag)
	}
	return err
}

// rollback ends a failed transaction, so that the pool can use the connection again. Where it fails, the pool closes the
// connection, and the server rolls back.
func rollback(ctx context.Context, pc *pgconn.PgConn) {
	if !pc.IsClosed() {
		_, _ = exec(ctx, pc, "ROLLBACK")
	}
}

const (
	savepointSQL = `SAVEPOINT otelaudit_part`
	releaseSQL   = `RELEASE otelaudit_part`
	undoSQL      = `ROLLBACK TO otelaudit_part; ` + releaseSQL
)

// releaseAfter runs f, which sets the savepoint and works behind it. When it returns an error, what f did is undone, and the
// transaction can go on.
func releaseAfter(ctx context.Context, pc *pgconn.PgConn, f func() error) error {
	if err := f(); err != nil {
		if !pc.IsClosed() {
			_, _ = exec(ctx, pc, undoSQL)
		}
		return err
	}
	_, err := exec(ctx, pc, releaseSQL)
	return err
}

// exec runs statements without parameters, and returns the tag of the last.
func exec(ctx context.Context, pc *pgconn.PgConn, sql string) (pgconn.CommandTag, error) {
	results := pc.Exec(ctx, sql)
	var tag pgconn.CommandTag
	for results.NextResult() {
		tag, _ = results.ResultReader().Close() // its error is also that of results
	}
	return tag, results.Close()
}
