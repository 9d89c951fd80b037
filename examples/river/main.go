// Command river shows how the actor of a request reaches a job that another process does later, by way of riverqueue/river, a
// queue in Postgres:
//
//	go -C examples/river run .
//
// Alice asks an API to pay two invoices, and the API enqueues a job for each. Before a worker gets to them, somebody who can
// write to the database changes the amount in one, and puts a third job of their own beside them, with the token of the first.
// Then a worker starts, a process of its own. It pays one invoice, and records that the API did so on behalf of Alice, in the
// operation that her request began. It refuses the other two. At its start it also does the nightly billing, for nobody.
//
// Its last line is "river: tracked=N postgres=N deferred=N refused=N": how many records both processes' Track confirmed; and,
// counted in the table, how many there are, how many of them have an actor from a job's token, and how many say that a token
// was refused. Where the first two differ, the exit status is 1.
//
// It works in a database of its own, and drops it at the end. Killed outright, it leaves that behind on a server that
// OTELAUDIT_POSTGRES_URL names: a database called otelaudit_ and something random.
//
// Where to look: carry.go has the two pieces of middleware that carry the actor, made to be copied; api.go enqueues and also
// gives work to a pool in its own process; jobs.go has the jobs.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := program()(ctx, os.Stdout)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the signal, rather than all that it broke
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
}

// program is what this process is to do: the worker is started by the other one.
func program() func(context.Context, io.Writer) error {
	if os.Getenv(envDatabase) != "" {
		return runWorker
	}
	return run
}
