// Command services shows one operation as three processes see it. An order enters at edge over HTTP, where sessions say who
// sends it; edge asks orders over HTTP, and orders asks billing over gRPC. Each records what it does, with the person who
// started it, the services in between and one operation id, into one table. Somebody also tries to be somebody else.
//
//	go run .                              # in this folder
//	go -C examples/services run .         # at the root
//
// The table is in the Postgres that OTELAUDIT_POSTGRES_URL names, or else in a private one, which vanishes at the end.
// Without any, the activities are only printed.
//
// Its last line is "services: processes=N operations=N activities=N forged=N", counted in the table. Where a record names
// whom the forger wanted to be, the exit status is 1.
//
// Where to look: service.go has what the services have in common, above all the propagator; edge.go, orders.go and billing.go
// say who may send what to whom; story.go sends the requests; report.go asks the table.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := program(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the signal, rather than all that it broke
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

// program is one of the services where the environment names one, and else the one that starts them.
func program(ctx context.Context) error {
	if name := os.Getenv(envService); name != "" {
		return runService(ctx, name, os.Stdin, os.Stdout)
	}
	return run(ctx, os.Stdout, localPostgres)
}
