package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// service is the application: it reads every part of a request, and records what it does.
type service struct {
	*stack
	t        *testing.T
	s        *secrets
	wire     *wire
	audience string // a server that the token is for
	other    string // one that it is not for
}

// handler returns the service as one would build it: otelhttp, then the actor, then the routes.
func (v *service) handler(opts ...audithttp.Option) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{id}", v.order)
	mux.HandleFunc("POST /forms", v.form)
	mux.HandleFunc("GET /reset/{token}", v.reset)
	mux.HandleFunc("GET /panic", v.panic)
	mux.HandleFunc("GET /classify", v.classify)
	mux.HandleFunc("GET /refused", v.refused)
	mux.HandleFunc("GET /route", v.anonymous)
	mux.HandleFunc("GET /anonymous", v.anonymous)
	mux.HandleFunc("GET /forward", v.forward)

	actor := audithttp.NewMiddleware(v.actor, append(opts, audithttp.WithRejectionsTracked(propagation.TrackRejection))...)
	api := otelhttp.NewHandler(actor(mux), "api",
		otelhttp.WithTracerProvider(v.tracers), otelhttp.WithMeterProvider(v.meters), otelhttp.WithPropagators(v.wire.propagators))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r.WithContext(otelaudit.ContextWithTrail(r.Context(), v.trail)))
	})
}

// options are those of a service that takes care of its paths.
func (v *service) options() []audithttp.Option {
	return []audithttp.Option{
		audithttp.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8")),
		audithttp.WithPath(func(r *http.Request) string {
			if strings.HasPrefix(r.URL.Path, "/reset/") {
				return "/reset/…"
			}
			return r.URL.Path
		}),
		audithttp.WithRoute(func(r *http.Request) string {
			if r.URL.Path == "/route" {
				panic("no route: " + v.s.of("panic of WithRoute"))
			}
			return ""
		}),
	}
}

// actor knows one session, which comes as a bearer token.
func (v *service) actor(r *http.Request) (otelaudit.Actor, error) {
	switch token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token {
	case "":
		return otelaudit.Actor{}, nil
	case "panic":
		panic("no session: " + v.s.of("panic of the actor function"))
	case v.s.of("session id"):
		return otelaudit.Actor{
			Type: otelaudit.ActorUser, ID: v.s.of("actor's id"), Name: v.s.of("actor's name"), Roles: []string{v.s.of("actor's role")},
			Tenant: v.s.of("actor's tenant"), Session: token, AuthMethod: "session", Trust: otelaudit.TrustVerified,
		}, nil
	case v.s.of("bearer token of nobody"):
		return otelaudit.Actor{}, errors.New("no session: " + v.s.of("error of the actor function") + " " + token)
	default:
		assert.Fail(v.t, "a session that nobody has")
		return otelaudit.Actor{}, nil
	}
}

// account has a field of each kind that a diff knows.
type account struct {
	Plan    string `audit:"track"`
	IBAN    string `audit:"sensitive"`
	Token   string
	Typo    string `audit:"trackk"`
	private string
	Owner   owner             `audit:"track"`
	Labels  map[string]string // untagged
	Also    *owner
}

type owner struct {
	City  string `audit:"track"`
	Email string
}

func (v *service) account(at string) account {
	of := func(field string) string { return v.s.of(field + ", " + at) }
	return account{
		Plan: of("tracked field"), IBAN: of("sensitive field"), Token: of("untagged field"), Typo: of("field with an unknown tag"),
		private: of("unexported field"), Owner: owner{City: of("tracked field within"), Email: of("untagged field within")},
		Labels: map[string]string{of("key of an untagged map"): of("untagged map")}, Also: &owner{City: of("tagged field in an untagged one")},
	}
}

// order reads everything, records it, and calls others.
func (v *service) order(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	assert.NoError(v.t, err)
	assert.Contains(v.t, string(body), v.s.of("JSON body"))
	assert.Contains(v.t, r.URL.RawQuery, v.s.of("query string"))

	ctx := otelaudit.ContextWithReason(r.Context(), v.s.of("reason in the context"))
	assert.NoError(v.t, otelaudit.TrackAll(ctx, []otelaudit.Activity{{
		Action: "order.create",
		Target: otelaudit.Target{Type: "order", ID: v.s.of("target's id"), Name: v.s.of("target's name")},
		Reason: v.s.of("reason"),
		Changes: slices.Concat(otelaudit.Diff(v.account("before"), v.account("after")),
			otelaudit.Changes{{Field: "note", New: attribute.StringValue(v.s.of("change by hand"))}}),
		Metadata: []attribute.KeyValue{
			attribute.String("note", v.s.of("metadata")),
			attribute.Bool(v.s.of("key of metadata"), true),
			attribute.ByteSlice("bytes", []byte(v.s.of("bytes in metadata"))),
			{Key: "deep", Value: attribute.MapValue(attribute.KeyValue{
				Key: "list", Value: attribute.SliceValue(attribute.StringValue(v.s.of("metadata, deep within"))),
			})},
		},
	}, {
		Action: "order.pay",
		Err:    fmt.Errorf("pay: %w", fmt.Errorf("declined: %s: %w", v.s.of("wrapped error"), errors.New(v.s.of("error")))),
	}}))

	v.get(ctx, v.audience+"/pay?q="+v.s.of("query string to an audience"))
	v.get(ctx, strings.Replace(v.other, "://", "://user:"+v.s.of("URL's password")+"@", 1)+"/rates")
	w.Header().Set("Set-Cookie", "sid="+v.s.of("cookie of the answer"))
	_, _ = w.Write([]byte(v.s.of("body of the answer")))
}

// get calls another service.
func (v *service) get(ctx context.Context, url string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		v.t.Error(err)
		return
	}
	answer, err := (&http.Client{Transport: v.wire.transport}).Do(r)
	if err != nil {
		v.t.Error(err)
		return
	}
	assert.NoError(v.t, answer.Body.Close())
}

// forward acts for whoever the neighbour says, here and further on.
func (v *service) forward(_ http.ResponseWriter, r *http.Request) {
	assert.NoError(v.t, otelaudit.Track(r.Context(), otelaudit.Activity{Action: "page.forward"}))
	v.get(r.Context(), v.audience)
	v.get(r.Context(), v.other)
}

func (v *service) anonymous(_ http.ResponseWriter, r *http.Request) {
	assert.NoError(v.t, otelaudit.Track(r.Context(), otelaudit.Activity{Action: "page.view"}))
}

func (v *service) form(_ http.ResponseWriter, r *http.Request) {
	assert.NoError(v.t, r.ParseForm())
	assert.Equal(v.t, v.s.of("form"), r.PostForm.Get("iban"))
	assert.NoError(v.t, otelaudit.Track(r.Context(), otelaudit.Activity{Action: "form.send"}))
}

func (v *service) reset(_ http.ResponseWriter, r *http.Request) {
	assert.Equal(v.t, v.s.of("path, redacted by WithPath"), r.PathValue("token"))
	assert.NoError(v.t, otelaudit.Track(r.Context(), otelaudit.Activity{Action: "password.reset"}))
}

// panic has a panic go through Do, which records it.
func (v *service) panic(_ http.ResponseWriter, r *http.Request) {
	_ = otelaudit.Do(r.Context(), otelaudit.Activity{Action: "order.panic"}, func(context.Context, *otelaudit.Activity) error {
		panic("over: " + v.s.of("panic of a handler"))
	})
}

func (v *service) classify(_ http.ResponseWriter, r *http.Request) {
	assert.NoError(v.t, otelaudit.Track(r.Context(), otelaudit.Activity{Action: "order.classify", Err: panics{with: v.s.of("panic of Classify")}}))
}

// refused tracks what the trail refuses: the errors are what a service would log.
func (v *service) refused(_ http.ResponseWriter, r *http.Request) {
	for _, wrong := range []otelaudit.Activity{
		{Reason: v.s.of("reason of what is refused")},
		{Action: "x.do", Wait: 9, Metadata: []attribute.KeyValue{attribute.String("note", v.s.of("metadata of what is refused"))}},
		{Action: "x.do", Actor: otelaudit.Actor{Type: otelaudit.ActorUser, Name: v.s.of("actor's name in what is refused")}},
	} {
		err := otelaudit.Track(r.Context(), wrong)
		assert.ErrorIs(v.t, err, otelaudit.ErrInvalid)
		v.texts[errorTexts].add(fmt.Sprint(err))
	}
}
