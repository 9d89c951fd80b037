package main

import (
	"context"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// charge has a payment provider collect an invoice.
type charge func(context.Context, invoice) error

// providerDown is the provider of the story: nobody answers.
func providerDown(context.Context, invoice) error { return errProviderDown }

// payInvoice collects an invoice. Money that has been collected stays so, whatever becomes of the record: here the
// transaction ends before the recording, and a record that was not confirmed is reported instead of undoing anything. What
// Do can know beforehand, such as a trail that is shut down, keeps it from charging at all.
func (s *api) payInvoice(r *http.Request) (any, error) {
	id := r.PathValue("id")
	var paid invoice
	err := do(r.Context(), otelaudit.Activity{
		Action: "invoice.pay",
		Target: invoice{ID: id}.target(),
	}, "", func(ctx context.Context, a *otelaudit.Activity) (err error) {
		paid, err = s.invoices.change(id, func(inv *invoice) error {
			if inv.Status != statusApproved {
				return errStatus
			}
			if err := s.charge(ctx, *inv); err != nil {
				return err
			}
			before := *inv
			inv.Status = statusPaid
			a.Changes = otelaudit.Diff(before, *inv)
			return nil
		})
		return err
	})
	if paid.Status == statusPaid && err != nil {
		report(r, err)
		err = nil
	}
	return paid, err
}
