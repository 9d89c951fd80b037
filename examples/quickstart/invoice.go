package main

import (
	"strconv"
	"sync"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// invoice is what the API is about. Its tags say what the trail may record: of a sensitive field only that it changed, of a
// field without a tag nothing at all.
type invoice struct {
	ID       string `json:"id"`
	Customer string `json:"customer" audit:"track"`
	Status   string `json:"status"   audit:"track"`
	terms
}

// terms are the part that a clerk may change.
type terms struct {
	Cents int64  `json:"cents" audit:"track"`
	IBAN  string `json:"iban"  audit:"sensitive"`
	Note  string `json:"note"`
}

// The life of an invoice.
const (
	statusOpen     = "open"
	statusApproved = "approved"
	statusDisputed = "disputed"
	statusPaid     = "paid"
)

func (inv invoice) target() otelaudit.Target { return otelaudit.Target{Type: "invoice", ID: inv.ID} }

// invoices stands for the table of a real service, and its lock for the transactions: what f does is kept unless it returns
// an error. The lock is held meanwhile, so that the records, which f makes, have the order of the changes.
type invoices struct {
	mu   sync.Mutex // guards what follows
	last int
	byID map[string]invoice
}

func newInvoices() *invoices { return &invoices{last: 41, byID: map[string]invoice{}} }

// create makes an invoice, of which f fills in what it knows.
func (s *invoices) create(f func(*invoice) error) (invoice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv := invoice{ID: strconv.Itoa(s.last + 1), Status: statusOpen}
	if err := f(&inv); err != nil {
		return invoice{}, err
	}
	s.last++
	s.byID[inv.ID] = inv
	return inv, nil
}

// change changes an invoice as f does.
func (s *invoices) change(id string, f func(*invoice) error) (invoice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv, ok := s.byID[id]
	if !ok {
		return invoice{}, errNotFound
	}
	if err := f(&inv); err != nil {
		return invoice{}, err
	}
	s.byID[id] = inv
	return inv, nil
}
