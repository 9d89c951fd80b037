package postgres

import (
	"crypto/tls"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// verdict is what an error means for the records under way.
type verdict int

const (
	retry verdict = iota // it may pass: the same records again
	bad                  // the database refuses a record for what it holds
	stop                 // a fault that somebody must mend
)

// fault is an error with its verdict.
type fault struct {
	verdict verdict
	err     error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// sqlstates says what SQLSTATEs mean, by prefix; the first that fits counts. Others are retried.
//
// The rule: retry what time or another server may mend (the load, the disk, a failover, a deadlock); call bad what depends
// on the values of a row; stop for what only a person mends, because going on would hide it.
var sqlstates = []struct {
	prefix  string
	verdict verdict
	hint    string // what to do
}{
	{"08", retry, ""}, // connection exception
	{"0A", stop, "otelaudit.activity is not what Migrate makes: COPY cannot write to views, foreign tables, or under row-level security"},
	{"22P03", stop, "a column of otelaudit.activity has not the type that Migrate gives it: compare it with docs/schema.md"},
	{"22P04", retry, ""}, // bad COPY format: what was sent did not arrive as it was sent
	{"22", bad, ""},      // data exception: a NUL byte, a time out of range
	{"23", bad, ""},      // integrity constraint violation; a missing partition and a taken key are told apart before
	{"25", retry, ""},    // invalid transaction state; 25006: read only, as a standby is, or a primary after a failover
	{"28", stop, "check the role, its password and pg_hba.conf"},
	{"3D", stop, "create the database, or name another"},
	{"3F", stop, "run Migrate"},
	{"40", retry, ""}, // transaction rollback: a deadlock
	{"42501", stop, "grant the privileges that docs/schema.md lists"},
	{"42P01", stop, "run Migrate"},
	{"42703", stop, "run Migrate"},
	{"42883", stop, "run Migrate"},
	{"42", stop, "otelaudit.activity is not what Migrate makes: compare it with docs/schema.md"},
	{"44", bad, ""},   // WITH CHECK OPTION violation
	{"53", retry, ""}, // insufficient resources: the disk is full
	{"54", bad, ""},   // program limit exceeded: a value too large for an index
	{"55000", stop, "otelaudit.activity or a partition is not what Migrate makes: compare it with docs/schema.md"},
	{"55", retry, ""}, // object not in prerequisite state; 55P03: lock not available
	{"57", retry, ""}, // operator intervention: shutting down, starting up, statement_timeout
	{"58", retry, ""}, // system error: an I/O error
	{"P0", bad, ""},   // a trigger of somebody's raised an exception
	{"XX", retry, ""}, // internal error, corrupted data
}

// classify returns what err means, and err with what to do about it. err is not nil.
func classify(err error) *fault {
	if known, ok := errors.AsType[*fault](err); ok {
		return known
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &fault{stop, withHint(err, "check sslrootcert, the host name and the server's certificate")}
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok || isPartitionMissing(err):
		return &fault{retry, err}
	case pgErr.Code == checkViolation && pgErr.ConstraintName == "":
		return &fault{stop, withHint(err, "a partition that is itself partitioned, or a trigger's table, has no place for the row: make one")}
	}
	for _, s := range sqlstates {
		if strings.HasPrefix(pgErr.Code, s.prefix) {
			return &fault{s.verdict, withHint(err, s.hint)}
		}
	}
	return &fault{retry, err}
}

// classifySetup is classify for what is done without records: there is none to be bad.
func classifySetup(err error) *fault {
	f := classify(err)
	if f.verdict == bad {
		return &fault{stop, f.err}
	}
	return f
}

// hinted is an error that says what to do.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() + ": " + h.hint }
func (h *hinted) Unwrap() error { return h.err }

func withHint(err error, hint string) error {
	if hint == "" {
		return err
	}
	return &hinted{err, hint}
}

const (
	uniqueViolation  = "23505"
	checkViolation   = "23514"
	deadlockDetected = "40P01"
)

// isPartitionMissing reports whether a row's month has no partition: a check violation that names the table and no constraint.
func isPartitionMissing(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == checkViolation && pgErr.ConstraintName == "" &&
		pgErr.SchemaName == "otelaudit" && pgErr.TableName == "activity"
}

// isKeyTaken reports whether a row is there already.
func isKeyTaken(err error) bool { return hasCode(err, uniqueViolation) }

// isDeadlock reports whether somebody who writes some of the same rows in another order waited for us while we waited for
// them. We were chosen to give way.
func isDeadlock(err error) bool { return hasCode(err, deadlockDetected) }

func hasCode(err error, code string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code
}

// refusedValue returns the server's error where it refuses a value as such, or nil.
func refusedValue(err error) *pgconn.PgError {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(pgErr.Code, "22") {
		return pgErr
	}
	return nil
}
