package auditgrpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// The canaries. Letters and digits go through metadata, JSON and tokens as they are, or in base64.
const (
	secret  = "canarySecretK7q2m4x9w5z" // may come out nowhere
	shown   = "canaryShownB3n8v1c6l0p"  // is recorded
	carried = "canaryCarriedX1g4w7e0y6" // in the application's baggage: goes on to everybody
	subject = "canarySubjectT5r9j2h4d7" // of a token: is recorded, and goes on to an audience, where the token holds
)

// What comes in with a call (metadata, and a token among them), in errors and in panics is in no record, span, metric, reported
// error or call to others, but where it belongs.
func TestNoSecretComesOut(t *testing.T) {
	t.Parallel()
	target := otelaudit.Target{Type: "word", ID: shown}
	nothing := func(context.Context, *otelaudit.Activity) error { return nil }
	refuse := func(context.Context, string) (otelaudit.Actor, error) { return otelaudit.Actor{}, errors.New(secret) }
	for name, tc := range map[string]struct {
		actor  actorFunc
		opts   []auditgrpc.Option
		act    func(context.Context, *otelaudit.Activity) error
		token  []byte // the secret of its key; nil for no token
		answer bool   // shows the secret, as the application has it, and so does otelgrpc's span
	}{
		"metadata":  {actor: nobody, act: nothing},
		"a token":   {actor: nobody, act: nothing, token: ours},
		"a forgery": {actor: nobody, act: nothing, token: theirs},
		"status": {
			actor: nobody, token: ours, answer: true,
			act: func(context.Context, *otelaudit.Activity) error { return status.Error(codes.Internal, secret) },
		},
		"panic":          {actor: nobody, token: ours, act: func(context.Context, *otelaudit.Activity) error { panic(secret) }},
		"actor function": {actor: refuse, opts: []auditgrpc.Option{auditgrpc.WithAnonymousOnError()}, act: nothing, token: ours},
		"refusal": {
			actor: refuse, token: theirs, act: nothing,
			opts: []auditgrpc.Option{auditgrpc.WithUnauthenticated(func(ctx context.Context, _ string, err error) error {
				return otelaudit.Track(ctx, otelaudit.Activity{Action: "word.refuse", Target: target, Err: err})
			})},
		},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				orders := newService(t, "orders", ours)
				spans := tracetest.NewInMemoryExporter()
				orders.tracers.RegisterSpanProcessor(sdktrace.NewSimpleSpanProcessor(spans))
				var toAudience, toOthers notes
				billing, rates := serve(t, keep(&toAudience)), serve(t, keep(&toOthers))
				audiences := map[string]string{billing: "billing"}
				toBilling, toRates := orders.dial(t, billing, audiences), orders.dial(t, rates, audiences)
				opts := append([]auditgrpc.Option{auditgrpc.WithRejectionsTracked()}, tc.opts...)
				server := orders.serve(t, orders.handler(), tc.actor, func(ctx context.Context, _ string) error {
					out := ctx // with the baggage that came in, as a proxy has it
					for _, value := range received(ctx, "baggage") {
						out = metadata.AppendToOutgoingContext(out, "baggage", value)
					}
					if err := errors.Join(call(out, toBilling), call(out, toRates)); err != nil {
						return err
					}
					defer func() { _ = recover() }() // or the server would end
					return otelaudit.Do(ctx, otelaudit.Activity{Action: "word.hear", Target: target}, tc.act)
				}, opts...)

				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret, "x-custom", secret, "cookie", secret, "baggage", "a="+carried)
				hidden := forms(secret)
				if tc.token != nil {
					headers := newService(t, "edge", tc.token).headers(ctx, "orders", otelaudit.User(subject), 1)
					parts := strings.Split(headers["baggage"], ".") // otelaudit, actor=r1, key id, payload, signature
					require.Len(t, parts, 5)
					hidden = append(hidden, parts[3], parts[4])
					ctx = send(ctx, headers)
				}
				var answer string
				if err := call(ctx, dial(t, server)); err != nil {
					answer = err.Error()
				}
				otel.Handle(errors.New("looked at"))
				served := func(s tracetest.SpanStub) bool { return s.SpanKind == trace.SpanKindServer }
				require.Eventually(t, func() bool { return slices.ContainsFunc(spans.GetSpans(), served) },
					20*time.Second, time.Millisecond, "the server ends its span behind its answer")

				var records notes
				for _, r := range orders.tr.Records() {
					records.add(r.Action + " " + asJSON(t, r.AppendAttributes(nil)))
				}
				var metrics metricdata.ResourceMetrics
				require.NoError(t, globalMetrics.Collect(t.Context(), &metrics))
				out := map[string]string{
					"records":    records.String(),
					"spans":      asJSON(t, spans.GetSpans()),
					"metrics":    asJSON(t, metrics),
					"errors":     otelErrors.String(),
					"toAudience": toAudience.String(),
					"toOthers":   toOthers.String(),
					"answer":     answer,
				}
				for outlet, text := range out {
					if tc.answer && (outlet == "answer" || outlet == "spans") {
						require.Contains(t, text, secret)
						continue
					}
					requireNone(t, outlet, text, hidden)
				}

				// A search that finds nothing anywhere would find no secret either.
				require.Contains(t, out["spans"], "test.Echo")
				require.Contains(t, out["metrics"], "otelaudit.propagation.extracted")
				require.Contains(t, out["errors"], "looked at")
				require.Contains(t, out["records"], shown)
				if name != "refusal" {
					require.Contains(t, out["toAudience"], "otelaudit.actor=r1.k1.")
					require.Contains(t, out["toAudience"], carried)
					require.Contains(t, out["toOthers"], carried)
				}
				if bytes.Equal(tc.token, theirs) {
					require.Contains(t, out["records"], "otelaudit.actor_token.reject")
				}
				if bytes.Equal(tc.token, ours) && name != "actor function" {
					require.Contains(t, out["records"], subject)
					require.True(t, contains(out["toAudience"], subject))
					out["records"], out["toAudience"] = "", ""
				}
				for outlet, text := range out {
					requireNone(t, outlet, text, forms(subject))
					if outlet != "toAudience" && outlet != "toOthers" {
						requireNone(t, outlet, text, forms(carried))
					}
				}
			})
		}
	}
}

// keep is a handler that writes down the metadata of its calls.
func keep(to *notes) handler {
	return func(ctx context.Context, _ string) error {
		md, _ := metadata.FromIncomingContext(ctx)
		to.add(fmt.Sprint(map[string][]string(md))) // metadata.MD hides values when it is printed
		return nil
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func requireNone(t *testing.T, outlet, text string, hidden []string) {
	t.Helper()
	for _, h := range hidden {
		require.NotContains(t, text, h, outlet)
	}
}

func contains(text, canary string) bool {
	for _, form := range forms(canary) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// forms are the ways in which canary may be written: raw, and in base64, where it looks different at each of three offsets.
func forms(canary string) []string {
	all := []string{canary}
	for offset := range 3 {
		text := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + canary))
		// A letter holds six bits; those at the ends hold bits of the neighbours, too.
		all = append(all, text[(8*offset+5)/6:8*(offset+len(canary))/6])
	}
	return all
}
