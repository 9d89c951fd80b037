package main

import (
	"context"
	"slices"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// owner is the role that a customer has with their own invoices.
const owner = "owner"

// rights are the roles that may do something.
var rights = map[string][]string{
	"invoice.create":   {"clerk"},
	"invoice.update":   {"clerk"},
	"invoice.approve":  {"approver"},
	"invoice.dispute":  {owner},
	"invoice.pay":      {"approver"},
	"user.impersonate": {"admin"},
}

// authorize returns errForbidden unless whoever sends the request may do action, with something that belongs to customer.
// Who acts for somebody has that one's rights, and not their own on top.
func authorize(ctx context.Context, action, customer string) error {
	who, _ := otelaudit.ActorFromContext(ctx)
	if who.OnBehalfOf != nil {
		who = *who.OnBehalfOf
	}
	for _, role := range rights[action] {
		if slices.Contains(who.Roles, role) || role == owner && customer == who.ID && customer != "" {
			return nil
		}
	}
	return errForbidden
}

// do is otelaudit.Do behind authorize: an attempt that is refused is recorded like one that is not.
func do(ctx context.Context, a otelaudit.Activity, customer string, f func(context.Context, *otelaudit.Activity) error) error {
	return otelaudit.Do(ctx, a, func(ctx context.Context, a *otelaudit.Activity) error {
		if err := authorize(ctx, a.Action, customer); err != nil {
			return err
		}
		return f(ctx, a)
	})
}
