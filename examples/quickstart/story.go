package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// storyInvoice is the one that the story creates.
const storyInvoice = "42"

// step is one request of the story.
type step struct {
	says   string
	as     string // whose session; who has none is anonymous
	method string
	path   string
	body   map[string]any
	want   int // the status of the answer
}

var story = []step{
	{
		says: "Bob mistypes his password.",
		as:   "bob", method: "POST", path: "/login", body: map[string]any{"user": "bob", "password": "bob-dmeo"},
		want: http.StatusUnauthorized,
	},
	{
		says: "Bob, a clerk, logs in.",
		as:   "bob", method: "POST", path: "/login", body: map[string]any{"user": "bob", "password": demoPassword("bob")},
		want: http.StatusOK,
	},
	{
		says: "He writes an invoice. Its bank account is sensitive, and its note is nobody's business.",
		as:   "bob", method: "POST", path: "/invoices", body: map[string]any{
			"customer": "carol", "cents": 125_000, "iban": "DE89370400440532013000", "note": "Carol is on leave until May.",
		},
		want: http.StatusOK,
	},
	{
		says: "He corrects the amount and the bank account.",
		as:   "bob", method: "PATCH", path: "/invoices/42", body: map[string]any{"cents": 152_000, "iban": "GB29NWBK60161331926819"},
		want: http.StatusOK,
	},
	{
		says: "He tries to approve it himself.",
		as:   "bob", method: "POST", path: "/invoices/42/approve", body: map[string]any{"reason": "it is urgent"},
		want: http.StatusForbidden,
	},
	{
		says: "Alice, an approver, logs in.",
		as:   "alice", method: "POST", path: "/login", body: map[string]any{"user": "alice", "password": demoPassword("alice")},
		want: http.StatusOK,
	},
	{
		says: "She approves it.",
		as:   "alice", method: "POST", path: "/invoices/42/approve", body: map[string]any{"reason": "within my limit, matches order 7311"},
		want: http.StatusOK,
	},
	{
		says: "She has it paid, but the payment provider is down.",
		as:   "alice", method: "POST", path: "/invoices/42/pay",
		want: http.StatusBadGateway,
	},
	{
		says: "Dana, an admin, logs in.",
		as:   "dana", method: "POST", path: "/login", body: map[string]any{"user": "dana", "password": demoPassword("dana")},
		want: http.StatusOK,
	},
	{
		says: "Carol, the customer, is on the phone: Dana acts for her.",
		as:   "dana", method: "POST", path: "/users/carol/impersonate", body: map[string]any{"reason": "ticket 981: Carol cannot log in"},
		want: http.StatusOK,
	},
	{
		says: "For Carol, she disputes the invoice.",
		as:   "dana", method: "POST", path: "/invoices/42/dispute", body: map[string]any{"reason": "she ordered half of that"},
		want: http.StatusOK,
	},
	{
		says: "For Carol, she cannot do what Carol may not.",
		as:   "dana", method: "PATCH", path: "/invoices/42", body: map[string]any{"cents": 76_000},
		want: http.StatusForbidden,
	},
	{
		says: "Dana logs out.",
		as:   "dana", method: "POST", path: "/logout",
		want: http.StatusOK,
	},
}

// tellStory sends the requests of the story. flush returns once the activities so far are on the console, so that they stand
// below the step that they belong to.
func tellStory(ctx context.Context, out io.Writer, url string, flush func(context.Context) error) error {
	c := &client{url: url, http: &http.Client{Transport: &http.Transport{}}, tokens: map[string]string{}}
	defer c.http.CloseIdleConnections()
	if err := flush(ctx); err != nil { // the trail's own first record
		return err
	}
	for _, s := range story {
		fmt.Fprintf(out, "\n%s\n%s %s\n", s.says, s.method, s.path)
		status, err := c.send(ctx, s.as, s.method, s.path, s.body)
		if err != nil {
			return err
		}
		if err := flush(ctx); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d %s\n", status, http.StatusText(status))
		if status != s.want {
			return fmt.Errorf("%s: the answer is %d, and should have been %d", strings.TrimSuffix(s.says, "."), status, s.want)
		}
	}
	return nil
}
