package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// step is one request of the story.
type step struct {
	says string
	as   string // whose session
	to   string // edge or orders
	path string
	body any
	// forged adds headers by which the request would come from Carol, in her office.
	forged bool
	want   int // the status of the answer
}

var story = []step{
	{
		says: "Alice logs in.",
		as:   "alice", to: edge, path: "/login", body: credentials{"alice", "alice-demo"}, want: http.StatusOK,
	},
	{
		says: "Alice orders a lamp.",
		as:   "alice", to: edge, path: "/checkout", body: cart{"lamp", 49_00}, want: http.StatusOK,
	},
	{
		says: "Bob logs in.",
		as:   "bob", to: edge, path: "/login", body: credentials{"bob", "bob-demo"}, want: http.StatusOK,
	},
	{
		says: "Bob orders a piano, which is more than billing charges, with headers that say he is Carol.",
		as:   "bob", to: edge, path: "/checkout", body: cart{"piano", 9_000_00}, forged: true, want: http.StatusForbidden,
	},
	{
		says: "Bob gets behind the edge, and says to orders that he is edge, acting for Carol.",
		as:   "bob", to: orders, path: "/orders", body: cart{"piano", 1_00}, forged: true, want: http.StatusForbidden,
	},
}

// told is what the client knows about a request once it is answered.
type told struct {
	step
	operation string
	trace     trace.TraceID // of a request with forged headers
}

// tellStory sends the requests of the story.
func tellStory(ctx context.Context, out io.Writer, g *group) ([]told, error) {
	c := &client{group: g, http: &http.Client{Transport: &http.Transport{}}, sessions: map[string]string{}}
	defer c.http.CloseIdleConnections()
	var all []told
	for _, s := range story {
		fmt.Fprintf(out, "\n%s\nPOST %s to %s\n", s.says, s.path, s.to)
		t, status, err := c.send(ctx, s)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "%d %s\n", status, http.StatusText(status))
		if status != s.want {
			return nil, fmt.Errorf("%s: the answer is %d, and should have been %d", strings.TrimSuffix(s.says, "."), status, s.want)
		}
		all = append(all, t)
	}
	return all, nil
}

// client sends requests, each as one of the people that it has logged in.
type client struct {
	group    *group
	http     *http.Client
	sessions map[string]string // their tokens
}

func (c *client) send(ctx context.Context, s step) (told, int, error) {
	t := told{step: s}
	body, err := json.Marshal(s.body)
	if err != nil {
		return t, 0, err
	}
	url := map[string]string{edge: c.group.edge, orders: c.group.orders}[s.to] + s.path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return t, 0, err
	}
	if token := c.sessions[s.as]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if s.forged {
		if t.trace, err = forge(ctx, s.to, otelpropagation.HeaderCarrier(req.Header)); err != nil {
			return t, 0, err
		}
		req.Header.Set("X-Forwarded-For", forgedAddress)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return t, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	t.operation = resp.Header.Get(operationHeader)
	if resp.StatusCode == http.StatusOK && s.path == "/login" {
		var in session
		if err := json.NewDecoder(resp.Body).Decode(&in); err != nil {
			return t, 0, fmt.Errorf("read the session of %s: %w", s.as, err)
		}
		c.sessions[s.as] = in.Token
	}
	return t, resp.StatusCode, nil
}
