package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/query"
)

// ask asks what an auditor would.
func ask(ctx context.Context, out io.Writer, records query.Reader, since time.Time) error {
	for _, q := range []struct {
		title  string
		filter query.Filter
	}{
		{"Who touched invoice " + storyInvoice + "?", query.Filter{Target: invoice{ID: storyInvoice}.target(), From: since}},
		{"What was denied?", query.Filter{Outcomes: []otelaudit.Outcome{otelaudit.Denied}, From: since}},
	} {
		page, err := records.Query(ctx, q.filter, query.PageRequest{})
		if err != nil {
			return fmt.Errorf("ask %q: %w", q.title, err)
		}
		fmt.Fprintf(out, "\n%s\n", q.title)
		if err := printRecords(out, page.Records); err != nil {
			return err
		}
	}
	return nil
}

// printRecords writes a line for each record, the newest first, as they come.
func printRecords(out io.Writer, records []*otelaudit.Record) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  TIME\tWHO\tDID\tTO\tOUTCOME\tTRACE\tDETAILS")
	for _, r := range records {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s/%s\t%s\t%.8s\t%s\n", r.Time.Format(time.TimeOnly), who(r.Actor), r.Action,
			r.Target.Type, r.Target.ID, r.Outcome, r.TraceID, details(r))
	}
	return w.Flush()
}

func who(a otelaudit.Actor) string {
	if a.OnBehalfOf == nil {
		return a.ID
	}
	return a.ID + " for " + who(*a.OnBehalfOf)
}

// details are the reason, what went wrong and which fields changed, whatever of that there is.
func details(r *otelaudit.Record) string {
	var ds []string
	if r.Reason != "" {
		ds = append(ds, strconv.Quote(r.Reason))
	}
	if r.ErrorType != "" {
		ds = append(ds, r.ErrorType)
	}
	if len(r.Changes) > 0 {
		names := make([]string, len(r.Changes))
		for i, c := range r.Changes {
			names[i] = c.Field
		}
		ds = append(ds, "changed "+strings.Join(names, ", "))
	}
	return strings.Join(ds, "; ")
}
