package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// client sends the same request again and again, on connections that it keeps. It only compares the answers' length and
// status with the first one's: to read them as a real client does would cost more than to make them.
type client struct {
	conns  []net.Conn
	answer int // bytes of an answer
}

const (
	approveRequest = "POST /invoices/inv_0042/approve HTTP/1.1\r\n" +
		"Host: billing.example\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: application/json\r\n" +
		"X-Request-Id: req-0123456789abcdef\r\n" +
		sessionHeader + ": " + sessionID + "\r\n" +
		"Content-Length: 0\r\n\r\n"

	okLine = "HTTP/1.1 200 OK\r\n"
)

// dial connects n times. The connections end with ctx.
func dial(ctx context.Context, address string, n int) (*client, error) {
	c := new(client)
	for range n {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn)
		context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	var err error
	if c.answer, err = answerLength(c.conns[0]); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// answerLength sends one request, and reads its answer as HTTP.
func answerLength(conn net.Conn) (int, error) {
	if _, err := io.WriteString(conn, approveRequest); err != nil {
		return 0, err
	}
	var raw bytes.Buffer
	r, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(raw.Bytes(), []byte(okLine)) || r.Close {
		return 0, fmt.Errorf("the server answered %q", raw.Bytes())
	}
	return raw.Len(), nil
}

// send sends n requests, about as many on each connection, and waits for all answers.
func (c *client) send(n int) error {
	errs := make([]error, len(c.conns))
	var all sync.WaitGroup
	for i, conn := range c.conns {
		share := n / len(c.conns)
		if i < n%len(c.conns) {
			share++
		}
		all.Go(func() { errs[i] = c.sendOn(conn, share) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (c *client) sendOn(conn net.Conn, n int) error {
	request, answer := []byte(approveRequest), make([]byte, c.answer)
	for range n {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			return err
		}
		if !bytes.HasPrefix(answer, []byte(okLine)) {
			return fmt.Errorf("the server answered %q", answer)
		}
	}
	return nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // all answers are there, or there is an error already
	}
}
