package main

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// What a receiver pays to know who is behind a request: Extract of a header with three members of the application's and a
// signed actor, against what no receiver could do without: OTel's own Extract of the same header, and the bare check of the
// signature over the same bytes, with what it needs made beforehand.
//
// To be verified each time, each token is seen only once: there are more of them than the cache holds, and they come in turn.
func extractBenchmark() benchmark {
	const cached = "Extract, Ed25519, cached"
	hmacGoal := goal{"extract_hmac_vs_bare", "<=", 1.5}
	ed25519Goal := goal{"extract_ed25519_vs_bare", "<=", 1.5}
	cachedGoal := goal{"extract_cached_vs_ed25519", "<=", 0.10}
	return benchmark{goals: []goal{hmacGoal, ed25519Goal, cachedGoal}, takes: "30 s", run: func(ctx context.Context, h *harness) error {
		secret := sha256.Sum256([]byte("a group's secret"))
		mac, err := newExtraction("HMAC-SHA256", pick(h, 16_384, 64), func() (propagation.Key, error) {
			return propagation.HMACKey("group", secret[:])
		}, bareHMAC(secret[:]))
		if err != nil {
			return err
		}
		private := ed25519.NewKeyFromSeed(secret[:])
		signed, err := newExtraction("Ed25519", pick(h, 16_384, 64), func() (propagation.Key, error) {
			return propagation.Ed25519Key("partner", private)
		}, bareEd25519(private.Public().(ed25519.PublicKey)))
		if err != nil {
			return err
		}
		r, err := h.inTurn(ctx,
			contender{name: mac.extractName(), run: h.each(mac.requests, mac.extract)},
			contender{name: mac.bareName(), run: h.each(mac.requests, mac.bare)},
			contender{name: signed.extractName(), run: h.each(signed.requests, signed.extract)},
			contender{name: signed.bareName(), run: h.each(signed.requests, signed.bare)},
			contender{name: cached, run: h.each(signed.requests[:1], signed.extract)},
		)
		if err != nil {
			return err
		}
		for _, c := range []struct {
			goal goal
			of   *extraction
		}{{hmacGoal, mac}, {ed25519Goal, signed}} {
			h.printf("\n%s: a baggage header of %d bytes\n", c.goal.name, len(c.of.requests[0].header.Get("baggage")))
			h.show(r, nsPerCall, c.of.extractName(), c.of.bareName())
			h.show(r, allocsPerCall, c.of.extractName(), c.of.bareName())
			h.judgeRatio(c.goal, r, nsPerCall, c.of.extractName(), c.of.bareName())
		}
		h.printf("\n%s: the same token again and again\n", cachedGoal.name)
		h.show(r, nsPerCall, cached, signed.extractName())
		h.judgeRatio(cachedGoal, r, nsPerCall, cached, signed.extractName())
		return nil
	}}
}

// extraction is the work of both contenders over the same headers.
type extraction struct {
	algorithm string
	receiver  *propagation.Propagator
	verify    func(signed, signature []byte) bool
	requests  []request
}

// request is what comes in, and what its token's signature is over.
type request struct {
	header            http.Header
	signed, signature []byte
}

func newExtraction(algorithm string, n int, key func() (propagation.Key, error), verify func(signed, signature []byte) bool) (*extraction, error) {
	k, err := key()
	if err != nil {
		return nil, err
	}
	k.Issuers = []string{"edge"}
	keys, err := propagation.NewKeyring(k)
	if err != nil {
		return nil, err
	}
	sender, err := propagation.New(propagation.Config{Service: "edge", Keys: keys, Lifetime: 5 * time.Minute})
	if err != nil {
		return nil, err
	}
	e := &extraction{algorithm: algorithm, verify: verify}
	if e.receiver, err = propagation.New(propagation.Config{Service: "billing", Keys: keys}); err != nil {
		return nil, err
	}
	for i := range n {
		if err := e.add(sender, "operation-"+strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *extraction) add(sender *propagation.Propagator, operation string) error {
	actor := otelaudit.User("usr_000042")
	actor.Trust, actor.AuthMethod = otelaudit.TrustVerified, "oidc"
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceFlags: trace.FlagsSampled,
	}))
	ctx = otelaudit.ContextWithOperation(otelaudit.ContextWithTenant(otelaudit.ContextWithActor(ctx, actor), "customer-7"), operation)

	carrier := otelpropagation.HeaderCarrier{}
	otelpropagation.TraceContext{}.Inject(ctx, carrier)
	sender.Inject(propagation.ContextWithAudience(ctx, "billing"), carrier)
	member, ok := strings.CutPrefix(carrier.Get("baggage"), "otelaudit.actor=")
	if !ok {
		return fmt.Errorf("no token was sent: %q", carrier.Get("baggage"))
	}
	carrier.Set("baggage", "region=eu-west-1,plan=business,experiment=b-17,otelaudit.actor="+member)
	dot := strings.LastIndexByte(member, '.')
	signature, err := base64.RawURLEncoding.DecodeString(member[dot+1:])
	if err != nil {
		return err
	}
	e.requests = append(e.requests, request{http.Header(carrier), []byte("otelaudit-actor-token:" + member[:dot]), signature})
	return nil
}

func (e *extraction) extractName() string { return "Extract, " + e.algorithm }
func (e *extraction) bareName() string    { return "Baggage and bare " + e.algorithm }

func (e *extraction) extract(r request) error {
	ctx := e.receiver.Extract(context.Background(), otelpropagation.HeaderCarrier(r.header))
	if a, ok := otelaudit.ActorFromContext(ctx); !ok || a.ID != "edge" {
		reason, _ := propagation.RejectionFromContext(ctx)
		return fmt.Errorf("no actor was extracted: %q", reason)
	}
	return nil
}

func (e *extraction) bare(r request) error {
	otelpropagation.Baggage{}.Extract(context.Background(), otelpropagation.HeaderCarrier(r.header))
	if !e.verify(r.signed, r.signature) {
		return errors.New("the signature does not hold")
	}
	return nil
}

func bareHMAC(secret []byte) func(signed, signature []byte) bool {
	mac, sum := hmac.New(sha256.New, secret), make([]byte, 0, sha256.Size)
	return func(signed, signature []byte) bool {
		mac.Reset()
		mac.Write(signed)
		return hmac.Equal(mac.Sum(sum), signature)
	}
}

func bareEd25519(public ed25519.PublicKey) func(signed, signature []byte) bool {
	return func(signed, signature []byte) bool { return ed25519.Verify(public, signed, signature) }
}

// each calls f with one request after the other.
func (h *harness) each(requests []request, f func(request) error) func(context.Context, string) (map[unit]float64, error) {
	i := 0
	return func(ctx context.Context, _ string) (map[unit]float64, error) {
		return h.calls(ctx, func() error {
			i++
			return f(requests[i%len(requests)])
		})
	}
}
