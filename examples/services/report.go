package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// report prints, for each request that went through several services or was forged, what each of them recorded: one query.
func report(ctx context.Context, out io.Writer, table query.Reader, all []told, since time.Time) error {
	for _, t := range all {
		if t.path == "/login" {
			continue
		}
		// Who comes in behind the edge has no operation.
		filter, by := query.Filter{Operation: t.operation, From: since}, "operation "+t.operation
		if t.operation == "" {
			filter, by = query.Filter{TraceID: t.trace, From: since}, "trace "+t.trace.String()
		}
		page, err := table.Query(ctx, filter, query.PageRequest{})
		if err != nil {
			return fmt.Errorf("ask the table for %s: %w", by, err)
		}
		fmt.Fprintf(out, "\n%s The table has, by %s:\n", t.says, by)
		if err := printRecords(out, page.Records); err != nil {
			return err
		}
	}
	return nil
}

// printRecords writes a line for each record, the newest first: of nested activities, the outermost.
func printRecords(out io.Writer, records []*otelaudit.Record) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  SERVICE\tWHO\tKNOWN BY\tDID\tTO\tOUTCOME\tFROM")
	for _, r := range records {
		service, _ := r.Resource.Value(otelaudit.KeyServiceName)
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			service.AsString(), who(r.Actor), r.Actor.AuthMethod, r.Action, target(r.Target), outcome(r), r.Request.ClientAddress)
	}
	return w.Flush()
}

func who(a otelaudit.Actor) string {
	id := a.ID
	if a.Type == otelaudit.ActorAnonymous {
		id = "anonymous"
	}
	if a.OnBehalfOf == nil {
		return id
	}
	return id + " for " + who(*a.OnBehalfOf)
}

func target(t otelaudit.Target) string {
	if t.Type == "" {
		return "-"
	}
	return t.Type + "/" + t.ID
}

// outcome says for a token that was rejected why it was.
func outcome(r *otelaudit.Record) string {
	for _, kv := range r.Metadata {
		if kv.Key == "reason" {
			return fmt.Sprintf("%s (%s)", r.Outcome, kv.Value.AsString())
		}
	}
	return string(r.Outcome)
}
