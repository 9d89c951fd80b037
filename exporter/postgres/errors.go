package postgres

import "errors"

var (
	// ErrConflict is the reason of a bad record whose time and id name another activity, in the table or earlier in the
	// batch. What is there stays. Give the record an id of its own; for ids from outside, see otelaudit.DeriveID.
	ErrConflict = errors.New("postgres: another activity has this time and id")

	// ErrNotStorable is the reason of a bad record that no otelaudit.Recorder and no otelaudit.ParseRecord would have made.
	// Make records with those.
	ErrNotStorable = errors.New("postgres: not a storable record")

	// ErrNotAudit is wrapped by [Exporter.Export] where log records are no audit records. They are not stored; the others
	// are. Send only records with the attributes audit.* to this exporter.
	ErrNotAudit = errors.New("postgres: not an audit record")
)
