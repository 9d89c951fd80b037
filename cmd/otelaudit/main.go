// Command otelaudit is for whoever operates an audit trail.
//
//	otelaudit journal inspect DIR       what is in a journal, how far each reader is, whether it is intact
//	otelaudit journal tail DIR          its records
//	otelaudit journal deliver DIR       what a process left behind, into Postgres
//	otelaudit journal skip DIR NAME     the next record past a sink that will never take it
//	otelaudit journal forget DIR NAME   a sink that is gone for good
//	otelaudit journal dead-letters DIR  the records that were set aside
//
// Each says more with -h. Results go to the standard output, as text or, with -json, as JSON Lines; errors go to the standard
// error. The exit status is 0 where all is well, 1 where a fault was found or work is left, and 2 for a wrong command line.
//
// docs/operating-the-journal.md says what to look at when.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/otel"
)

func main() {
	// The SDK merges these into the resource of every record that it makes. Records here are other processes', and have their
	// own.
	_, _ = os.Unsetenv("OTEL_RESOURCE_ATTRIBUTES"), os.Unsetenv("OTEL_SERVICE_NAME")
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { complain(os.Stderr, err) })) // how a delivery is doing
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends the command, the second one the program
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
