package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/riverqueue/river"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// The worker says on its output what it did with each job, and in the end what its trail confirmed.
const (
	finishedFormat = "job %d (%s) is %s\n"
	trackedFormat  = "worker: tracked=%d\n"
)

// runWorker works jobs until ctx ends.
func runWorker(ctx context.Context, out io.Writer) (err error) {
	s, err := newService(context.WithoutCancel(ctx), servicePayment, config{
		database: os.Getenv(envDatabase), keys: propagation.KeysFromEnv(envKeys),
	})
	if err != nil {
		return err
	}
	if err := errors.Join(work(ctx, out, s), s.close(ctx)); err != nil {
		return err
	}
	fmt.Fprintf(out, trackedFormat, s.trail.Status().Emitted)
	return nil
}

func work(ctx context.Context, out io.Writer, s *service) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &payer{out: out, receive: receiveActor[payInvoice](s.propagator, s.tracer())})
	river.AddWorker(workers, &biller{tracer: s.tracer()})
	jobs, err := s.queue(river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(24*time.Hour),
			func() (river.JobArgs, *river.InsertOpts) { return bill{}, nil },
			&river.PeriodicJobOpts{RunOnStart: true},
		)},
	})
	if err != nil {
		return err
	}
	events, unsubscribe := jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobCancelled, river.EventKindJobFailed)
	defer unsubscribe()
	if err := jobs.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for {
		select {
		case e := <-events:
			fmt.Fprintf(out, finishedFormat, e.Job.ID, e.Job.Kind, e.Job.State)
		case <-ctx.Done():
			return jobs.Stop(context.WithoutCancel(ctx))
		}
	}
}
