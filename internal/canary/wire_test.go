package canary

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// ours is the name of the service under test, neighbours that of one in its trust group.
const (
	ours       = "canary"
	neighbours = "neighbour"
)

// wire is how services speak to each other.
type wire struct {
	s           *secrets
	keys        *propagation.Keyring
	own         *propagation.Propagator
	neighbour   *propagation.Propagator
	propagators otelpropagation.TextMapPropagator
	transport   http.RoundTripper
}

func newWire(t *testing.T, v *service) *wire {
	t.Helper()
	w := &wire{s: v.s}
	key, err := propagation.HMACKey("k1", []byte(w.s.of("HMAC secret")+w.s.of("HMAC secret")))
	require.NoError(t, err)
	w.keys, err = propagation.NewKeyring(key)
	require.NoError(t, err)
	w.own, err = propagation.New(propagation.Config{Service: ours, Keys: w.keys, MeterProvider: v.meters})
	require.NoError(t, err)
	w.neighbour, err = propagation.New(propagation.Config{Service: neighbours, Keys: w.keys, MeterProvider: v.meters})
	require.NoError(t, err)

	w.propagators = otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, w.own)
	base := &http.Transport{DisableKeepAlives: true}
	w.transport, err = propagation.NewTransport(otelhttp.NewTransport(propagation.HideToken(base),
		otelhttp.WithTracerProvider(v.tracers), otelhttp.WithMeterProvider(v.meters), otelhttp.WithPropagators(w.propagators),
		otelhttp.WithClientTrace(headersIntoSpan)),
		map[string]string{v.audience: "audience"})
	require.NoError(t, err)
	return w
}

// headersIntoSpan writes down what is sent, as otelhttptrace.NewClientTrace does.
func headersIntoSpan(ctx context.Context) *httptrace.ClientTrace {
	span := trace.SpanFromContext(ctx)
	return &httptrace.ClientTrace{WroteHeaderField: func(key string, values []string) {
		if key != "Authorization" {
			span.SetAttributes(attribute.StringSlice("http.request.header."+strings.ToLower(key), values))
		}
	}}
}

// presented are the headers that a neighbour sends to audience for the user at a place. The token in them is planted, too: it may
// come out nowhere.
func (w *wire) presented(t *testing.T, place, audience string) []string {
	t.Helper()
	ctx, span := sdktrace.NewTracerProvider().Tracer("").Start(t.Context(), "neighbour")
	defer span.End()
	ctx = otelaudit.ContextWithActor(ctx, otelaudit.User(w.s.of(place)))
	carrier := otelpropagation.MapCarrier{}
	otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, w.neighbour).
		Inject(propagation.ContextWithAudience(ctx, audience), carrier)
	w.plant(t, place, strings.TrimPrefix(carrier.Get("baggage"), "otelaudit.actor="))
	return []string{"Traceparent", carrier.Get("traceparent"), "Baggage", carrier.Get("baggage")}
}

// plant makes the secret parts of a token known.
func (w *wire) plant(t *testing.T, place, token string) {
	t.Helper()
	parts := strings.Split(token, ".") // kind, key id, payload, signature
	require.Len(t, parts, 4)
	w.s.known("payload of the token with "+place, parts[2])
	w.s.known("signature of the token with "+place, parts[3])
}

// operate does what a service does with tokens and keys besides requests.
func (w *wire) operate(t *testing.T, log *text) {
	t.Helper()
	ctx := otelaudit.ContextWithActor(t.Context(), otelaudit.User(w.s.of("id in a message's token")))
	token, err := w.neighbour.Message(ctx, ours, []byte("body"))
	require.NoError(t, err)
	w.plant(t, "id in a message's token", token)
	_, _, err = w.own.FromMessage(t.Context(), token, []byte("another body"))
	require.Error(t, err)
	log.add(err.Error())
	log.add(fmt.Sprintf("%v %+v %#v", err, err, err))

	secret := w.s.of("secret of a JWK")
	for _, wrong := range []string{
		`{"keys": [{"kty": "oct", "kid": "k2", "k": "` + secret + `"}]}`, // too short
		`{"keys": [{"kty": "oct", "kid": "k2", "k": "` + secret + `!"}]}`,
		`{"keys": [{"kty": "RSA", "kid": "k2", "d": "` + secret + `"}]}`,
		`{"keys": [{"kty": "oct", "kid": "k2", "k": "` + secret,
	} {
		_, _, err := propagation.ParseKeys([]byte(wrong))
		require.Error(t, err)
		log.add(err.Error())
	}
	log.add(fmt.Sprintf("%v %+v %#v %s %q %x", w.keys, w.keys, w.keys, w.keys, w.keys, w.keys))
	log.add(fmt.Sprintf("%v %+v %#v", *w.own, *w.own, *w.own))
}
