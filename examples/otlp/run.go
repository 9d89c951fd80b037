package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// run tells the story in one process: two trails, one after the other, on one directory.
func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "otelaudit-otlp-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	receiver, err := listen()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, receiver.close()) }()

	fmt.Fprintln(out, "The receiver answers 503. The service \"till\" records all the same, and ends.")
	tracked, err := record(ctx, dir, receiver.url(), "till", "sale.create", "sale.refund")
	if err == nil {
		return errors.New("the receiver had nothing, and nothing was left")
	}
	fmt.Fprintln(out, "  it says:", err)

	fmt.Fprintln(out, "The receiver is back. The next process has another name, and delivers both's records.")
	receiver.open()
	more, err := record(ctx, dir, receiver.url(), "till-2", "sale.create")
	if err != nil {
		return err
	}
	got := receiver.received()
	for _, r := range got {
		fmt.Fprintf(out, "  %-7s %-21s by %s\n", r.service, r.event, r.actor)
	}
	fmt.Fprintf(out, "otlp: tracked=%d received=%d\n", tracked+more, len(got))
	return nil
}

// record opens a trail on dir that delivers to url, tracks the actions, and closes it. It returns how many records there are
// with the trail's own, and what Close said of those that are left.
func record(ctx context.Context, dir, url, service string, actions ...string) (int, error) {
	exporter, err := otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(url),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: false}), // the trail does that, for ever
	)
	if err != nil {
		return 0, err
	}
	t, err := trail.Open(ctx, trail.Config{
		Dir: dir, Service: service, CloseTimeout: time.Second,
		Sinks: []trail.Sink{{Name: "otlp", Exporter: exporter}},
	})
	if err != nil {
		return 0, err
	}
	ctx = otelaudit.ContextWithTrail(ctx, t)
	for i, action := range actions {
		if err := otelaudit.Track(ctx, otelaudit.Activity{
			Action: action,
			Actor:  otelaudit.User("ana"),
			Target: otelaudit.Target{Type: "sale", ID: fmt.Sprint(i)},
		}); err != nil {
			return 0, errors.Join(err, t.Close())
		}
	}
	return 1 + len(actions), t.Close()
}
