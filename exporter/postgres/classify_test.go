package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// What a test here cannot provoke on a server, others in this package do.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for name, c := range map[string]struct {
		err  error
		want verdict
	}{
		"connection refused":        {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, retry},
		"deadline":                  {context.DeadlineExceeded, retry},
		"connection reset":          {io.ErrUnexpectedEOF, retry},
		"unknown":                   {errors.New("?"), retry},
		"unknown code":              {pg("99999"), retry},
		"connection failure":        {pg("08006"), retry},
		"read only":                 {pg("25006"), retry},
		"failed transaction":        {pg("25P02"), retry},
		"serialization failure":     {pg("40001"), retry},
		"deadlock":                  {pg("40P01"), retry},
		"disk full":                 {pg("53100"), retry},
		"out of memory":             {pg("53200"), retry},
		"too many connections":      {pg("53300"), retry},
		"lock timeout":              {pg("55P03"), retry},
		"object in use":             {pg("55006"), retry},
		"statement timeout":         {pg("57014"), retry},
		"shutting down":             {pg("57P01"), retry},
		"starting up":               {pg("57P03"), retry},
		"I/O error":                 {pg("58030"), retry},
		"corrupted":                 {pg("XX001"), retry},
		"no memory of a snapshot":   {pg("72000"), retry},
		"COPY data damaged":         {pg("22P04"), retry},
		"NUL byte":                  {pg("22021"), bad},
		"NUL in jsonb":              {pg("22P05"), bad},
		"time out of range":         {pg("22008"), bad},
		"not null":                  {pg("23502"), bad},
		"foreign key":               {pg("23503"), bad},
		"another unique constraint": {pg("23505"), bad},
		"exclusion":                 {pg("23P01"), bad},
		"check option":              {pg("44000"), bad},
		"index row too large":       {pg("54000"), bad},
		"too deep":                  {pg("54001"), bad},
		"a trigger's exception":     {pg("P0001"), bad},
		"COPY into a view":          {pg("0A000"), stop},
		"column of another type":    {pg("22P03"), stop},
		"wrong password":            {pg("28P01"), stop},
		"no pg_hba entry":           {pg("28000"), stop},
		"no database":               {pg("3D000"), stop},
		"no schema":                 {pg("3F000"), stop},
		"no privilege":              {pg("42501"), stop},
		"no table":                  {pg("42P01"), stop},
		"no column":                 {pg("42703"), stop},
		"syntax":                    {pg("42601"), stop},
		"detached":                  {pg("55000"), stop},
		"certificate":               {fmt.Errorf("wrapped: %w", &tls.CertificateVerificationError{Err: errors.New("x")}), stop},
		"known already":             {fmt.Errorf("wrapped: %w", &fault{bad, errors.New("x")}), bad},
		"check":                     {&pgconn.PgError{Code: "23514", ConstraintName: "activity_outcome"}, bad},
		"missing partition":         {&pgconn.PgError{Code: "23514", SchemaName: "otelaudit", TableName: "activity"}, retry},
		"another's partition":       {&pgconn.PgError{Code: "23514", SchemaName: "public", TableName: "copy_of_activity"}, stop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := classify(c.err)
			require.Equal(t, c.want, f.verdict)
			require.ErrorContains(t, f, f.err.Error())
			if known, ok := errors.AsType[*fault](c.err); !ok || known != f {
				require.ErrorIs(t, f, c.err, "what it was stays known")
			}
			want := c.want
			if want == bad && name != "known already" {
				want = stop
			}
			if name != "known already" {
				require.Equal(t, want, classifySetup(c.err).verdict, "where no record is at fault")
			}
		})
	}
}
