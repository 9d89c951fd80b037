package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/rj-gamer/go-activity-tracker/internal/localpg"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

const stopTimeout = 15 * time.Second

// run is the program: it starts a database, is the API, and starts the worker.
func run(ctx context.Context, out io.Writer) (err error) {
	server, err := localpg.Start(ctx, localpg.Config{})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, server.Stop(ctx))
	}()
	url, drop, err := server.CreateDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, drop(ctx))
	}()
	return runIn(ctx, out, url)
}

// runIn is run in an empty database.
func runIn(ctx context.Context, out io.Writer, url string) (err error) {
	keys := newKeys()
	s, err := newService(ctx, serviceAPI, config{
		database: url,
		keys: func(context.Context) ([]propagation.Key, []string, error) {
			return propagation.ParseKeys(keys)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	migrator, err := rivermigrate.New(riverpgxv5.New(s.pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}

	fmt.Fprintln(out, "Alice approves two invoices. The API enqueues their payment, and a pool sends her the receipts.")
	if err := approve(ctx, s); err != nil {
		return err
	}
	fmt.Fprint(out, "Somebody writes to the database: another amount in one job, and a job of their own with the other one's token.\n\n")
	if err := forge(ctx, s); err != nil {
		return err
	}
	w, err := startWorker(ctx, out, []string{envDatabase + "=" + url, envKeys + "=" + string(keys)})
	if err != nil {
		return err
	}
	tracked, err := w.await(4) // two jobs of Alice's, the forged one, and the nightly billing
	if err != nil {
		return err
	}

	var c counts
	if c, err = count(ctx, s); err != nil {
		return err
	}
	tracked += s.trail.Status().Emitted
	fmt.Fprintf(out, "\nriver: tracked=%d postgres=%d deferred=%d refused=%d\n", tracked, c.all, c.deferred, c.refused)
	if tracked != c.all {
		return fmt.Errorf("the trails confirmed %d records, and the table has %d", tracked, c.all)
	}
	return nil
}

// newKeys returns a new key of the trust group, as a JWK Set.
func newKeys() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return fmt.Appendf(nil, `{"keys": [{"kty": "oct", "kid": "demo-1", "k": %q}]}`, base64.RawURLEncoding.EncodeToString(secret))
}

// approve is the API's part of the story.
func approve(ctx context.Context, s *service) (err error) {
	jobs, err := s.queue(river.Config{Plugins: []rivertype.Plugin{sendActor(s.propagator, servicePayment)}})
	if err != nil {
		return err
	}
	a := &api{jobs: jobs, pool: newPool(2), tracers: s.tracers, tracer: s.tracer()}
	defer a.pool.close()
	server, err := listen(ctx, a.handler())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close(ctx)) }()
	for _, invoice := range []payInvoice{{Invoice: "41", Cents: 12_500}, {Invoice: "42", Cents: 990}} {
		if err := server.approve(ctx, invoice); err != nil {
			return err
		}
	}
	return nil
}

// What somebody does who can write to the queue's table, but has no key.
const (
	changeSQL = `UPDATE river_job SET args = jsonb_set(args, '{cents}', '99000000') WHERE args->>'invoice' = '42'`
	copySQL   = `INSERT INTO river_job (kind, args, metadata, max_attempts, priority, queue)
		SELECT kind, jsonb_set(args, '{invoice}', '"99"'), metadata, max_attempts, priority, queue FROM river_job WHERE args->>'invoice' = '41'`
)

func forge(ctx context.Context, s *service) error {
	for _, sql := range []string{changeSQL, copySQL} {
		tag, err := s.pool.Exec(ctx, sql)
		if err != nil {
			return fmt.Errorf("forge a job: %w", err)
		}
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("forge a job: %d jobs written, and not one", tag.RowsAffected())
		}
	}
	return nil
}

// counts are what the table has.
type counts struct{ all, deferred, refused uint64 }

const countSQL = `SELECT count(*),
		count(*) FILTER (WHERE actor->>'auth_method' = 'message_token'),
		count(*) FILTER (WHERE action = 'otelaudit.actor_token.reject' AND outcome = 'denied' AND actor_id = 'anonymous')
	FROM otelaudit.activity`

func count(ctx context.Context, s *service) (c counts, err error) {
	if err := s.pool.QueryRow(ctx, countSQL).Scan(&c.all, &c.deferred, &c.refused); err != nil {
		return counts{}, fmt.Errorf("count the rows: %w", err)
	}
	return c, nil
}
