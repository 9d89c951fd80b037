package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
)

// run starts the services, sends them requests, and asks the table what they recorded.
func run(ctx context.Context, out *os.File, start startPostgres) (err error) {
	began := time.Now()
	db, err := openDatabase(ctx, start)
	var url string
	switch {
	case errors.Is(err, localpg.ErrNotInstalled):
		fmt.Fprintf(out, "There is no Postgres here, so the activities are only printed. To have them in a table:\n%v\n\n", err)
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, db.close(ctx)) }()
		url = db.url
		fmt.Fprintf(out, "The activity table is in %s.\n\n", db.where)
	}

	namespace := "services-" + rand.Text() // this run, among all that ever wrote to the same table
	g, err := startGroup(ctx, out, namespace, url)
	if err != nil {
		return err
	}
	told, err := tellStory(ctx, out, g)
	if err := errors.Join(err, g.stop()); err != nil {
		return err
	}
	if db == nil {
		fmt.Fprintf(out, "\nservices: %v\n", counts{})
		return nil
	}
	if err := report(ctx, out, db.exporter, told, began); err != nil {
		return err
	}
	c, err := db.count(ctx, namespace, began)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nservices: %v\n", c)
	if c.forged > 0 {
		return fmt.Errorf("%d records say what somebody forged", c.forged)
	}
	return nil
}

// group are the processes that trust each other: they have one key.
type group struct {
	processes []*process
	edge      string // URLs
	orders    string
}

const keyID = "demo-1"

// startGroup starts the services from the innermost outwards, so that each can be told where the next one is.
func startGroup(ctx context.Context, out *os.File, namespace, postgresURL string) (_ *group, err error) {
	g := &group{}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.stop())
		}
	}()
	env := []string{
		envKeys + "=" + newKeys(),
		envPostgres + "=" + postgresURL,
		"OTEL_RESOURCE_ATTRIBUTES=" + withAttribute(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), "service.namespace="+namespace),
	}
	next := ""
	for _, name := range []string{billing, orders, edge} {
		p, err := start(ctx, out, name, append(env, envNext+"="+next)...)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "%s is process %d at %s\n", name, p.cmd.Process.Pid, p.addr)
		g.processes = append(g.processes, p)
		g.orders, g.edge = g.edge, "http://"+p.addr
		next = p.addr
	}
	return g, nil
}

// newKeys returns a key for HMAC as a JWK Set. In production it comes from where secrets are kept.
func newKeys() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return fmt.Sprintf(`{"keys":[{"kty":"oct","kid":%q,"k":%q}]}`, keyID, base64.RawURLEncoding.EncodeToString(secret))
}

// withAttribute adds an attribute to those of the environment.
func withAttribute(attributes, more string) string {
	if attributes == "" {
		return more
	}
	return attributes + "," + more
}

// stop ends the services, the outermost first.
func (g *group) stop() (err error) {
	for _, p := range slices.Backward(g.processes) {
		err = errors.Join(err, p.stop())
	}
	return err
}
