package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// server answers requests on a free port until it is closed.
type server struct {
	url  string
	http *http.Server
	done chan error
}

func listen(ctx context.Context, h http.Handler) (*server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{
		url:  "http://" + listener.Addr().String(),
		http: &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// approve is the request that Alice sends.
func (s *server) approve(ctx context.Context, invoice payInvoice) error {
	form := url.Values{"cents": {strconv.FormatInt(invoice.Cents, 10)}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/invoices/"+invoice.Invoice+"/approve", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("alice", demoPassword)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("approve invoice %s: the answer is %s", invoice.Invoice, answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// close waits for the requests that are being answered.
func (s *server) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
