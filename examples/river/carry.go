package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// tokenKey is where in a job's metadata the token is.
const tokenKey = "otelaudit_actor_token" //nolint:gosec // the name of it

// sendActor puts a token into each job that is inserted: who acts in the context of the insertion, for audience to know.
func sendActor(p *propagation.Propagator, audience string) river.JobInsertMiddlewareFunc {
	return river.JobInsertMiddlewareFunc(func(
		ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error),
	) ([]*rivertype.JobInsertResult, error) {
		for _, job := range jobs {
			body, err := bodyOf(job.Kind, job.EncodedArgs, reflect.New(reflect.TypeOf(job.Args)).Interface())
			if err != nil {
				return nil, err
			}
			token, err := p.Message(ctx, audience, body)
			if err != nil {
				return nil, err
			}
			if job.Metadata, err = withToken(job.Metadata, token); err != nil {
				return nil, err
			}
		}
		return insert(ctx)
	})
}

// receiveActor works jobs with the arguments T as whoever their token says, in a span of their own that links to the one in
// which they were inserted. A job whose token does not hold is not worked: that is recorded, and the job is cancelled.
func receiveActor[T river.JobArgs](p *propagation.Propagator, tracer trace.Tracer) river.WorkerMiddlewareFunc {
	return river.WorkerMiddlewareFunc(func(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
		body, err := bodyOf(job.Kind, job.EncodedArgs, new(T))
		if err != nil {
			return refuse(ctx, job, err)
		}
		ctx, link, err := p.FromMessage(ctx, tokenOf(job), body)
		if err != nil {
			return refuse(ctx, job, err)
		}
		ctx, span := tracer.Start(ctx, job.Kind, trace.WithNewRoot(), trace.WithLinks(link), trace.WithSpanKind(trace.SpanKindConsumer))
		defer span.End()
		return work(ctx)
	})
}

// refuse records that a job's token was refused. If that cannot be recorded the job stays, to be refused again.
func refuse(ctx context.Context, job *rivertype.JobRow, err error) error {
	a := otelaudit.Activity{
		Action:  "otelaudit.actor_token.reject",
		Actor:   otelaudit.Anonymous(), // whoever wrote the job, it is not the one whom the token names
		Target:  otelaudit.Target{Type: "job", ID: strconv.FormatInt(job.ID, 10)},
		Outcome: otelaudit.Denied,
	}
	reason := propagation.RejectionMessage // arguments that cannot be read are not those that the token is bound to
	if rejected := (*propagation.RejectedError)(nil); errors.As(err, &rejected) {
		reason = rejected.Reason
	}
	a.Metadata = []attribute.KeyValue{attribute.String("reason", string(reason))}
	if err := otelaudit.Track(ctx, a); err != nil {
		return err
	}
	return river.JobCancel(err)
}

// bodyOf returns what a token is bound to: what is to be done, and with which arguments. Whoever copies a token to another job, or
// changes the arguments of this one, has a token for something else. Who copies the whole job has it done twice: a queue that
// delivers at least once may do that by itself, and its jobs must bear it.
//
// The bytes of the arguments are no use. River encodes them with encoding/json and stores them as jsonb, which keeps what they
// mean and not how they are written: keys get another order, "\u003c" becomes "<", 1e+21 becomes 1000000000000000000000. So they
// are decoded into args, a pointer to the type that the worker uses, and encoded again, on both sides. What a token vouches
// for is then exactly what the worker gets to see, and a key that the type does not have can be added to no effect.
//
// To decode into any on both sides would do without the type, and be wrong: integers beyond 2^53 are rounded there, so that one
// could be changed into another, and with json.Number the new spelling of numbers stays.
func bodyOf(kind string, encoded []byte, args any) ([]byte, error) {
	if err := json.Unmarshal(encoded, args); err != nil {
		return nil, fmt.Errorf("the arguments of the job: %w", err)
	}
	again, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("the arguments of the job: %w", err)
	}
	return slices.Concat([]byte(kind), []byte{'\n'}, again), nil
}

// withToken returns metadata with the token in it.
func withToken(metadata []byte, token string) ([]byte, error) {
	all := map[string]any{}
	if len(metadata) > 0 {
		if err := json.Unmarshal(metadata, &all); err != nil {
			return nil, fmt.Errorf("the job's metadata: %w", err)
		}
	}
	all[tokenKey] = token
	return json.Marshal(all)
}

// tokenOf returns the job's token, or "", which is as good as a wrong one.
func tokenOf(job *rivertype.JobRow) string {
	var metadata map[string]any
	if json.Unmarshal(job.Metadata, &metadata) != nil {
		return ""
	}
	token, _ := metadata[tokenKey].(string)
	return token
}
