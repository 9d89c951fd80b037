package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// client sends requests to the API, each as one of the people that it has logged in.
type client struct {
	url    string
	http   *http.Client
	tokens map[string]string
}

// send returns the status of the answer. A token in it is kept for as.
func (c *client) send(ctx context.Context, as, method, path string, body any) (status int, err error) {
	var encoded bytes.Buffer
	if err := json.NewEncoder(&encoded).Encode(body); err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, &encoded)
	if err != nil {
		return 0, err
	}
	if token := c.tokens[as]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	var answer session
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if answer.Token != "" {
		c.tokens[as] = answer.Token
	}
	return resp.StatusCode, nil
}
