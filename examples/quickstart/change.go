package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// These handlers record a change within its transaction: whatever do returns, a refusal, a failure or a record that the trail
// has not confirmed, the invoice stays as it was. So there is no change without its record. A record that was not confirmed
// in time may arrive later: then the trail has an attempt too many, and never a change too few.

type draft struct {
	Customer string `json:"customer"`
	terms
}

func (s *api) createInvoice(r *http.Request) (any, error) {
	in, err := read[draft](r)
	if err != nil {
		return nil, err
	}
	return s.invoices.create(func(inv *invoice) error {
		a := otelaudit.Activity{Action: "invoice.create", Target: inv.target()}
		return do(r.Context(), a, "", func(_ context.Context, a *otelaudit.Activity) error {
			inv.Customer, inv.terms = in.Customer, in.terms
			*a = otelaudit.Created(inv.target(), *inv) // only here: of what was refused there is nothing to show
			return nil
		})
	})
}

// updateInvoice changes those of the terms that the body names.
func (s *api) updateInvoice(r *http.Request) (any, error) {
	patch, err := read[json.RawMessage](r)
	if err != nil {
		return nil, err
	}
	return s.invoices.change(r.PathValue("id"), func(inv *invoice) error {
		a := otelaudit.Activity{Action: "invoice.update", Target: inv.target()}
		return do(r.Context(), a, inv.Customer, func(_ context.Context, a *otelaudit.Activity) error {
			before := *inv
			if err := json.Unmarshal(patch, &inv.terms); err != nil {
				return errBadRequest
			}
			a.Changes = otelaudit.Diff(before, *inv)
			return nil
		})
	})
}

func (s *api) approveInvoice(r *http.Request) (any, error) {
	return s.move(r, "invoice.approve", statusOpen, statusApproved)
}

func (s *api) disputeInvoice(r *http.Request) (any, error) {
	return s.move(r, "invoice.dispute", statusApproved, statusDisputed)
}

type explanation struct {
	Reason string `json:"reason"`
}

// move changes the status of an invoice, for the reason that the client gives.
func (s *api) move(r *http.Request, action, from, to string) (any, error) {
	in, err := read[explanation](r)
	if err != nil {
		return nil, err
	}
	return s.invoices.change(r.PathValue("id"), func(inv *invoice) error {
		a := otelaudit.Activity{Action: action, Target: inv.target(), Reason: in.Reason}
		return do(r.Context(), a, inv.Customer, func(_ context.Context, a *otelaudit.Activity) error {
			if inv.Status != from {
				return errStatus
			}
			before := *inv
			inv.Status = to
			a.Changes = otelaudit.Diff(before, *inv)
			return nil
		})
	})
}
